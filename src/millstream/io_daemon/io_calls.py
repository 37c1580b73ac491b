"""CALL over `/io`: one client's calls in progress, and what goes beyond files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from millstream.http_server.fields import Fields
from millstream.http_server.refusal import Refusal
from millstream.io_daemon.file_calls import FileCalls, Task
from millstream.io_daemon.network_interfaces import network_interfaces
from millstream.io_wire.streams import MAX_HOST_LENGTH

Json = dict[str, Any]


class Resolver(Protocol):
    """What finds addresses (`interfaces.network.Network`)."""

    async def resolve(self, host: str) -> list[str]:
        """See `interfaces.network.Network`."""


class IoCalls:
    """Carries out the calls of all clients.

    Args:
        files: the cold paths of files.
        resolver: the addresses of names.
        roots: what is lent.
        stats: what `GET /stats` says.
    """

    def __init__(
        self,
        files: FileCalls,
        resolver: Resolver,
        roots: Callable[[], list[Json]],
        stats: Callable[[], dict[str, int]],
    ) -> None:
        self._files = files
        self._resolver = resolver
        self._roots = roots
        self._stats = stats

    def release(self, call: Json) -> None:
        """Carry out this one at once. Raises Refusal."""
        fields = Fields(call)
        fields.text("op")
        self._files.release(fields)

    async def carry_out(self, call: Json, task: Task) -> Json:
        """What is answered. Raises Refusal, and what `failures.refusal_of` knows."""
        fields = Fields(call)
        name = fields.required(fields.text, "op")
        operation = self._files.operations.get(name)
        if operation is not None:
            return await operation(fields, task)
        match name:
            case "resolve":
                host = fields.required(
                    lambda key: fields.text(key, longest=MAX_HOST_LENGTH), "host"
                )
                fields.finish()
                return {"addresses": await self._resolver.resolve(host)}
            case "interfaces":
                fields.finish()
                return {"interfaces": network_interfaces()}
            case "roots":
                fields.finish()
                return {"roots": self._roots()}
            case "stats":
                fields.finish()
                return {"stats": self._stats()}
        raise Refusal(404, "NotFound", f"there is no operation {name[:80]!r}")
