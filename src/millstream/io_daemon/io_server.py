"""`/io`: all clients that are connected by WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp import web

from millstream.adapters.native.network import NativeNetwork
from millstream.http_server.gate import RequestGate
from millstream.http_server.refusal import Refusal
from millstream.io_daemon.counters import Counters
from millstream.io_daemon.disk_batches import DiskBatches
from millstream.io_daemon.file_calls import FileCalls
from millstream.io_daemon.io_calls import IoCalls
from millstream.io_daemon.io_session import IoSession
from millstream.io_daemon.lent_roots import LentRoots
from millstream.io_wire.envelope import MAX_MESSAGE
from millstream.logging.component_logger import component_logger

_LOG = component_logger("io_daemon")

# Clients at a time; each may bring a message of 64 MiB, and most computers have one engine.
MAX_CLIENTS = 16
# Seconds between pings; one that goes unanswered for half of that ends the connection. A client that
# is merely slow has 30 s for what is on its way to it: the original's Android server gives 60.
HEARTBEAT = 60.0
# Seconds for a client to say goodbye, too.
GOODBYE_TIME = 1.0


class IoServer:
    """Makes a session of each connection.

    Args:
        gate: knows the token.
        counters: what is lent.
        batches: carries out batches.
        files: carries out calls.
        roots: what may be asked for.
        stats: what `GET /stats` says.
    """

    def __init__(
        self,
        gate: RequestGate,
        counters: Counters,
        batches: DiskBatches,
        files: FileCalls,
        roots: LentRoots,
        stats: Callable[[], dict[str, int]],
    ) -> None:
        self._gate = gate
        self._counters = counters
        self._batches = batches
        self._roots = roots
        self._network = NativeNetwork()
        self._calls = IoCalls(files, self._network, lambda: roots_view(roots), stats)
        self._sessions: dict[web.WebSocketResponse, IoSession] = {}

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve a client until it goes. Raises Refusal."""
        if len(self._sessions) >= MAX_CLIENTS:
            raise Refusal(503, "TooManyClients", f"{MAX_CLIENTS} are connected already")
        response = web.WebSocketResponse(
            heartbeat=HEARTBEAT, max_msg_size=MAX_MESSAGE, compress=False, decode_text=False
        )
        if not response.can_prepare(request).ok:
            raise Refusal(426, "WebSocketOnly", "ask for an upgrade to a WebSocket")
        transport = request.transport
        if transport is None:
            raise Refusal(400, "Gone", "the connection is lost")
        session = IoSession(
            response,
            lambda token: self._gate.check_token(token, request.remote),
            self._counters,
            self._batches,
            self._calls,
            self._network,
            transport.abort,
        )
        self._sessions[response] = session
        self._counters.ws_connections += 1
        try:
            await response.prepare(request)
            await session.run()
        except Exception:
            if not response.prepared:
                raise
            # The answer to the request went out: there is no other one.
            _LOG.exception("a client of /io failed")
        finally:
            self._counters.ws_connections -= 1
            del self._sessions[response]
        return response

    def tell_roots(self) -> None:
        """The roots have changed: tell who is connected."""
        for session in self._sessions.values():
            session.tell_roots({"roots": roots_view(self._roots)})

    async def close(self) -> None:
        """Say goodbye to everybody."""
        await asyncio.gather(*[_say_goodbye(response) for response in self._sessions])


async def _say_goodbye(response: web.WebSocketResponse) -> None:
    with suppress(Exception):
        async with asyncio.timeout(GOODBYE_TIME):
            await response.close(code=1001, message=b"the io-daemon ends")


def roots_view(roots: LentRoots) -> list[dict[str, Any]]:
    """The roots as clients see them: where they are is not theirs to know."""
    return [{"key": root.token, "display_name": root.label} for root in roots]
