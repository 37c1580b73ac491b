"""The control server: HTTP and WebSockets around `Control`."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Self

from aiohttp import WSMsgType, web

from millstream import EngineConfig, __version__
from millstream.errors import MillstreamError
from millstream.http_server.bounded import BoundedServer
from millstream.http_server.fields import parse_json
from millstream.http_server.listening import bind_tcp, url_host
from millstream.http_server.request_body import read_body
from millstream.http_server.running import run_server
from millstream.logging.components import ROOT
from millstream.rpc.access import Gate
from millstream.rpc.config import ControlConfig
from millstream.rpc.control import Control
from millstream.rpc.engine_settings import EngineSettings
from millstream.rpc.json_blocks import json_blocks
from millstream.rpc.refusals import Refusal, invalid, refusal_of
from millstream.rpc.route import Ask
from millstream.rpc.routes import find_route
from millstream.rpc.torrent_view import Json
from millstream.rpc.turns import Turns

# Connections at a time: some clients, each with a few. Transmission's RPC has no limit, and a
# process has 1024 descriptors that torrents need, too.
MAX_CONNECTIONS = 64
# Of those, the ones that listen to `/events`.
MAX_LISTENERS = 32
# A header: what aiohttp and Apache take.
MAX_HEADER_LENGTH = 8190
# A client has nothing to say at `/events`.
MAX_EVENT_MESSAGE = 1024

# Seconds for a connection's first request to arrive.
HEADER_TIME = 15.0
# Seconds that a connection may wait for its next request.
KEEP_ALIVE_TIME = 75.0
# Seconds between pings at `/events`.
HEARTBEAT = 30.0
# Seconds that requests in progress have when the server ends.
SHUTDOWN_TIME = 5.0

_HEADERS = {
    "Server": "Millstream",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    # Answers are no pages: nothing in them may be run or shown within another page.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}

_LOG = logging.getLogger(f"{ROOT}.rpc")


_HTTP_LOG = logging.getLogger(f"{ROOT}.rpc.http")


class ControlServer:
    """Use it as an async context manager; the engine is started by a request, or by `start_engine`.

    Args:
        config: where to listen, and who may ask.
        engine: what an engine's settings are where a client says nothing.

    Attributes:
        control: the engine's owner.
    """

    def __init__(self, config: ControlConfig, engine: EngineConfig | None = None) -> None:
        self.config = config
        self.control = Control(config, engine)
        self._gate = Gate(config)
        self._runner: web.ServerRunner | None = None
        self._ended = asyncio.Event()
        self._listeners: dict[web.WebSocketResponse, None] = {}
        self._port = 0
        self._log_level = logging.NOTSET

    async def __aenter__(self) -> Self:
        """Listen; raises NetworkError if it cannot."""
        self._keep_log()
        try:
            server = BoundedServer(
                self._respond,
                _HTTP_LOG,
                max_connections=MAX_CONNECTIONS,
                connection_time=HEADER_TIME,
                only_until_request=True,
                keep_alive_time=KEEP_ALIVE_TIME,
                lingering_time=1.0,
                max_header_length=MAX_HEADER_LENGTH,
            )
            config, failing = self.config, "cannot listen for control"
            opened = bind_tcp(config.host, config.port, MAX_CONNECTIONS, failing)
            self._port = opened.getsockname()[1]
            self._runner = await run_server(server, [opened], SHUTDOWN_TIME)
        except BaseException:
            await self._close()
            raise
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
        """Where it listens."""
        return self._port

    @property
    def url(self) -> str:
        """Where this machine reaches it."""
        return f"http://{url_host(self.config.host)}:{self._port}"

    async def start_engine(self) -> None:
        """Start the engine as the server's own settings say. Raises what `Control.start` raises."""
        await self.control.start(EngineSettings(self.control.base))

    async def wait_shutdown(self) -> None:
        """Return when somebody has asked for the server's end (`POST /shutdown`)."""
        await self._ended.wait()

    async def _close(self) -> None:
        for listener in list(self._listeners):
            try:
                await listener.close(code=1001, message=b"the server ends")
            except Exception as error:  # noqa: BLE001 - the others are to hear of it, too
                _LOG.debug("a listener of /events was not told of the end: %r", error)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self.control.close()
        log = logging.getLogger(ROOT)
        log.removeHandler(self.control.log)
        log.setLevel(self._log_level)

    def _keep_log(self) -> None:
        """Keep the log for `/logs`: from level info on, unless somebody has set another level."""
        log = logging.getLogger(ROOT)
        self._log_level = log.level
        log.addHandler(self.control.log)
        if log.level == logging.NOTSET:
            log.setLevel(logging.INFO)

    # Requests.

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._carry_out(request)
        except Refusal as refusal:
            return _refused(refusal)
        except MillstreamError as error:
            answer = refusal_of(error)
            if answer.status >= 500:
                _LOG.warning("%s %s: %s", request.method, request.path, error)
            return _refused(answer)
        except Exception:  # noqa: BLE001 - the last resort: one request must not end the service
            _LOG.exception("%s %s failed", request.method, request.path)
            return _refused(Refusal(500, "InternalError", "an error of the server; its log has it"))

    async def _carry_out(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = request.headers
        self._gate.check(
            hosts=headers.getall("Host", []),
            origin=headers.get("Origin"),
            fetch_site=headers.get("Sec-Fetch-Site"),
            authorization=headers.get("Authorization"),
            remote=request.remote,
        )
        match request.method, request.path:
            case "GET", "/events":
                return await self._events(request)
            case "POST", "/shutdown":
                # The answer goes out first: closing waits for requests in progress.
                self._ended.set()
                return _json(200, {"ok": True})
        route, name = find_route(request.method, request.path)
        body = bytes(await read_body(request, route.max_body))
        ask = Ask(self.control, parse_json(body), request.query, name)
        answer = {"ok": True, **await route.handler(ask)}
        return _response(200, await json_blocks(answer))

    async def _events(self, request: web.BaseRequest) -> web.StreamResponse:
        if len(self._listeners) >= MAX_LISTENERS:
            raise Refusal(503, "TooManyListeners", f"{MAX_LISTENERS} listen already")
        torrent = request.query.get("torrent")
        if torrent is not None and not (len(torrent) == 40 and torrent.isalnum()):
            raise invalid("torrent", "must be an infohash: 40 hex digits")
        response = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=MAX_EVENT_MESSAGE)
        if not response.can_prepare(request).ok:
            raise Refusal(426, "WebSocketOnly", "events come by WebSocket: ask for an upgrade")
        # Before the answer: what happens from then on is told.
        subscription = self.control.feed.subscribe(torrent and torrent.lower())
        self._listeners[response] = None
        try:
            await response.prepare(request)
            engine = self.control.running
            hello: Json = {"type": "hello", "version": __version__, "running": engine is not None}
            await response.send_str(_dumps(hello))
            leaving = asyncio.ensure_future(_until_closed(response))
            try:
                while not leaving.done():
                    taking = asyncio.ensure_future(subscription.take())
                    await asyncio.wait({taking, leaving}, return_when=asyncio.FIRST_COMPLETED)
                    if not taking.done():
                        taking.cancel()
                        break
                    turns = Turns()
                    for event in taking.result():
                        await turns.next()
                        # Waits where the listener does not read: then its oldest events go.
                        await response.send_str(_dumps(event))
            except ConnectionError:
                pass
            finally:
                leaving.cancel()
        finally:
            self.control.feed.unsubscribe(subscription)
            del self._listeners[response]
        return response


async def _until_closed(response: web.WebSocketResponse) -> None:
    """Take what the client sends, which is nothing of interest, until it goes."""
    async for message in response:
        if message.type in {WSMsgType.ERROR, WSMsgType.CLOSE}:
            return


def _refused(refusal: Refusal) -> web.Response:
    response = _json(refusal.status, refusal.body())
    if refusal.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="millstream"'
    if refusal.status in {401, 403, 408, 413}:
        # What is left of such a request is not worth reading.
        response.force_close()
    return response


def _json(status: int, body: Json) -> web.Response:
    return _response(status, [_dumps(body).encode()])


def _response(status: int, blocks: Sequence[bytes]) -> web.Response:
    """One after the other, as fast as the client reads: a copy of all of them would take its time."""
    length = sum(map(len, blocks))
    return web.Response(
        status=status,
        body=blocks[0] if len(blocks) == 1 else _one_by_one(blocks),
        content_type="application/json",
        charset="utf-8",
        headers=_HEADERS | {"Content-Length": str(length)},
    )


async def _one_by_one(blocks: Sequence[bytes]) -> AsyncIterator[bytes]:
    for block in blocks:
        yield block


def _dumps(body: Json) -> str:
    return json.dumps(body, separators=(",", ":"))
