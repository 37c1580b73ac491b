"""`/io`: all clients that are connected by WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
from millstream.io_wire.web_frames import GOING_AWAY, accept_key
from millstream.logging.component_logger import component_logger

_LOG = component_logger("io_daemon")

# Clients at a time; each may bring a message of 64 MiB, and most computers have one engine.
MAX_CLIENTS = 16
# Seconds for clients to say goodbye, too.
GOODBYE_TIME = 2.0


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
        self._sessions: dict[IoSession, asyncio.Task[Any] | None] = {}

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve a client until it goes. Raises Refusal."""
        if len(self._sessions) >= MAX_CLIENTS:
            raise Refusal(503, "TooManyClients", f"{MAX_CLIENTS} are connected already")
        transport = request.transport
        if not web.WebSocketResponse().can_prepare(request).ok:
            raise Refusal(426, "WebSocketOnly", "ask for an upgrade to a WebSocket")
        if not isinstance(transport, asyncio.Transport):
            raise Refusal(400, "Gone", "the connection is lost")
        session = IoSession(
            lambda token: self._gate.check_token(token, request.remote),
            self._counters,
            self._batches,
            self._calls,
            self._network,
        )
        running = asyncio.current_task()
        self._sessions[session] = running
        self._counters.ws_connections += 1
        response = web.StreamResponse(status=101, headers=_agreement(request))
        try:
            # What comes from now on is not for aiohttp. Nothing has come yet: a client must wait for
            # the answer before it says more (RFC 6455, section 4.1).
            transport.pause_reading()
            await response.prepare(request)
            await session.run(transport.get_extra_info("socket").dup())
        except Exception:
            if not response.prepared:
                raise
            # The answer to the request went out: there is no other one.
            _LOG.exception("a client of /io failed")
        finally:
            self._counters.ws_connections -= 1
            del self._sessions[session]
        response.force_close()
        return response

    def tell_roots(self) -> None:
        """The roots have changed: tell who is connected."""
        for session in self._sessions:
            session.tell_roots({"roots": roots_view(self._roots)})

    async def close(self) -> None:
        """Say goodbye to everybody."""
        running = [task for task in self._sessions.values() if task is not None]
        for session in self._sessions:
            session.end(GOING_AWAY)
        if running:
            await asyncio.wait(running, timeout=GOODBYE_TIME)


def _agreement(request: web.BaseRequest) -> dict[str, str]:
    """The headers with which an upgrade is accepted (RFC 6455, section 4.2.2)."""
    key = request.headers["Sec-WebSocket-Key"].encode()
    return {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": accept_key(key),
    }


def roots_view(roots: LentRoots) -> list[dict[str, Any]]:
    """The roots as clients see them: where they are is not theirs to know."""
    return [{"key": root.token, "display_name": root.label} for root in roots]
