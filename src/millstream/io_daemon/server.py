"""The io-daemon: who may ask, and which part of it answers."""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from millstream.errors import ConfigError
from millstream.http_server.bounded import BoundedServer
from millstream.http_server.gate import RequestGate, bearer_token
from millstream.http_server.listening import bind_tcp
from millstream.http_server.refusal import Refusal
from millstream.http_server.running import run_server
from millstream.io_daemon.config import IoDaemonConfig
from millstream.io_daemon.cors import answer_headers, preflight_headers
from millstream.io_daemon.counters import Counters
from millstream.io_daemon.disk_batches import DiskBatches
from millstream.io_daemon.failures import refusal_of
from millstream.io_daemon.file_calls import FileCalls
from millstream.io_daemon.http_files import HttpFiles
from millstream.io_daemon.io_server import IoServer, roots_view
from millstream.io_daemon.lent_files import LentFiles
from millstream.io_daemon.lent_roots import LentRoots
from millstream.io_daemon.listening import bind_unix, remove_unix
from millstream.io_daemon.network_interfaces import network_interfaces
from millstream.io_daemon.parent import ParentWatch
from millstream.io_daemon.rpc_info import Profile, read_profile
from millstream.logging.component_logger import component_logger

# Connections at a time: a browser has six for each page and server, and an engine one.
MAX_CONNECTIONS = 128
# A header: what aiohttp and Apache take. A path of 4,096 bytes in base64 fits.
MAX_HEADER_LENGTH = 8190
# Seconds for a connection's first request to arrive.
HEADER_TIME = 15.0
# Seconds that a connection may wait for its next request.
KEEP_ALIVE_TIME = 75.0
# Seconds in which the rest of a refused body is thrown away, so that the answer is read.
LINGERING_TIME = 2.0
# Seconds that requests in progress have when the daemon ends.
SHUTDOWN_TIME = 5.0

_HEADERS = {
    "Server": "Millstream",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_HOSTILE = {"BadHost", "HostNotAllowed", "OriginNotAllowed", "TokenRequired", "WrongToken"}
_OTHERS = {
    *("/health", "/io", "/stats", "/roots", "/network/interfaces", "/control/ping"),
    *("/control/shutdown", "/roots/reload", "/api/read-rpc-info-from-disk"),
}
_NO_TOKEN = {("GET", "/health"), ("GET", "/io")}

_LOG = component_logger("io_daemon")
_HTTP_LOG = logging.getLogger("millstream.io_daemon.http")


class IoDaemon:
    """Use it as an async context manager.

    Args:
        config: what is lent, where, and to whom.

    Attributes:
        counters: what is lent at the moment.
        roots: the directories that are lent.
    """

    def __init__(self, config: IoDaemonConfig) -> None:
        self.config = config
        self.counters = Counters()
        self.roots = LentRoots(config.roots)
        self._files = LentFiles(self.roots)
        self._batches = DiskBatches(self._files, self.roots.get, config.disk)
        self._calls = FileCalls(self._files, self._batches)
        self._http_files = HttpFiles(self.roots, self._files, self._calls, _headers_of)
        self._gate = RequestGate(config.token, config.allowed_hosts, is_loopback=config.is_loopback)
        self._gate.origins = frozenset(origin.lower() for origin in config.origins)
        self._io = IoServer(
            self._gate, self.counters, self._batches, self._calls, self.roots, self.stats
        )
        self._runner: web.ServerRunner | None = None
        self._ended = asyncio.Event()
        self._parent = (
            None if config.parent_pid is None else ParentWatch(config.parent_pid, self._ended.set)
        )
        self._unix_socket: Path | None = None
        self._started_at = 0.0
        self._port = 0

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            NetworkError: it cannot.
            ConfigError: the file with more roots is none.
            OSError: it cannot be read.
        """
        self._started_at = asyncio.get_running_loop().time()
        try:
            await self.reload()
            self._batches.start()
            await self._listen()
        except BaseException:
            await self._close()
            raise
        if self._parent is not None:
            self._parent.start()
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._close()

    @property
    def port(self) -> int:
        """Where it listens; 0 if at a Unix socket only."""
        return self._port

    async def wait_ended(self) -> None:
        """Return when a client has asked for the end, or the parent is gone."""
        await self._ended.wait()

    async def reload(self) -> None:
        """Read again which directories are lent to whom. Raises ConfigError and OSError."""
        config = self.config
        profile = Profile()
        if config.rpc_info is not None:
            path = Path(config.rpc_info)
            profile = await asyncio.to_thread(read_profile, path, config.install_id)
        known = {root.token for root in config.roots}
        added = [root for root in profile.roots if root.token not in known]
        self.roots.replace([*config.roots, *added])
        self._batches.release_all()  # a token may be another directory's now
        origins = [*config.origins]
        if profile.extension_id:
            origins.append(f"chrome-extension://{profile.extension_id}")
        self._gate.origins = frozenset(origin.lower() for origin in origins)
        self._io.tell_roots()

    def stats(self) -> dict[str, int]:
        """What is lent at the moment."""
        return self.counters.view(asyncio.get_running_loop().time() - self._started_at)

    async def _listen(self) -> None:
        config = self.config
        server = BoundedServer(
            self._respond,
            _HTTP_LOG,
            max_connections=MAX_CONNECTIONS,
            connection_time=HEADER_TIME,
            only_until_request=True,
            keep_alive_time=KEEP_ALIVE_TIME,
            lingering_time=LINGERING_TIME,
            max_header_length=MAX_HEADER_LENGTH,
        )
        with ExitStack() as closing:
            sockets = []
            if config.host is not None:
                failing = "the io-daemon cannot listen"
                opened = bind_tcp(config.host, config.port, MAX_CONNECTIONS, failing)
                sockets.append(closing.enter_context(opened))
                self._port = opened.getsockname()[1]
            if config.unix_socket is not None:
                opened = bind_unix(Path(config.unix_socket), MAX_CONNECTIONS)
                sockets.append(closing.enter_context(opened))
                self._unix_socket = Path(config.unix_socket)
            closing.pop_all()
        self._runner = await run_server(server, sockets, SHUTDOWN_TIME)

    async def _close(self) -> None:
        if self._parent is not None:
            self._parent.stop()
        await self._io.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self._unix_socket is not None:
            remove_unix(self._unix_socket)
            self._unix_socket = None
        self._calls.close()
        await self._batches.close()

    # Requests.

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = _HEADERS
        try:
            self._gate.check_site(
                request.headers.getall("Host", []),
                request.headers.get("Origin"),
                request.headers.get("Sec-Fetch-Site"),
            )
            headers = _headers_of(request)
            response = await self._carry_out(request)
        except Exception as error:  # noqa: BLE001 - the last resort: one request must not end it
            response = _refused(request, error)
        if not response.prepared:
            response.headers.update(headers)
        return response

    async def _carry_out(self, request: web.BaseRequest) -> web.StreamResponse:
        method, path = request.method, request.path
        if method == "OPTIONS":
            origin = request.headers.get("Origin")
            asks = "Access-Control-Request-Private-Network" in request.headers
            return web.Response(status=204, headers=preflight_headers(origin, private_network=asks))
        if (method, path) not in _NO_TOKEN:
            token = request.headers.get("X-JST-Auth") or bearer_token(
                request.headers.get("Authorization")
            )
            self._gate.check_token(token, request.remote)
        found = self._http_files.find(method, path)
        if found is not None:
            handler, rest = found
            return await handler(request, rest)
        match method, path:
            case "GET", "/health":
                return web.Response(text="ok")
            case "GET", "/io":
                return await self._io.serve(request)
            case "GET", "/stats":
                return web.json_response(self.stats())
            case "GET", "/roots":
                return web.json_response(roots_view(self.roots))
            case "GET", "/network/interfaces":
                return web.json_response(network_interfaces())
            case "POST", "/control/ping":
                return web.Response(text="pong")
            case "POST", "/control/shutdown":
                # The answer goes out first: closing waits for requests in progress.
                self._ended.set()
                return web.json_response({"ok": True})
            case "POST", "/roots/reload" | "/api/read-rpc-info-from-disk":
                try:
                    await self.reload()
                except ConfigError as error:
                    raise Refusal(500, "BadRpcInfo", str(error)) from error
                return web.json_response({})
        known = path in _OTHERS
        raise Refusal(
            405 if known else 404,
            "MethodNotAllowed" if known else "NotFound",
            f"{method} {path[:80]!r}: there is no such route here",
        )


def _headers_of(request: web.BaseRequest) -> dict[str, str]:
    """What the answer has to a request of somebody who may ask."""
    return _HEADERS | answer_headers(request.headers.get("Origin"))


def _refused(request: web.BaseRequest, error: Exception) -> web.Response:
    if isinstance(error, ConnectionError):
        raise error  # the client is gone
    refusal = refusal_of(error)
    if refusal is None:
        _LOG.error("%s %s failed", request.method, request.path, exc_info=error)
        refusal = Refusal(500, "InternalError", "an error of the daemon; its log has it")
    elif refusal.status >= 500:
        _LOG.warning("%s %s: %s", request.method, request.path, refusal)
    response = web.json_response(refusal.body(), status=refusal.status)
    if refusal.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="millstream"'
    if refusal.code in _HOSTILE:
        # What is left of such a request is not worth reading.
        response.force_close()
    return response
