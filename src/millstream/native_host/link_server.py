"""A small HTTP server at which the desktop leaves links for the extension: JSTorrent's routes.

`GET /health`; `POST /add-magnet` `{magnet}`; `POST /add-torrent` `{file_name, contents_base64}`. The
last two want the token of `rpc-info.json`, as `?token=` or `Authorization: Bearer`.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from millstream.http_server.bounded import BoundedServer
from millstream.http_server.gate import RequestGate, bearer_token
from millstream.http_server.listening import bind_tcp
from millstream.http_server.refusal import Refusal
from millstream.http_server.request_body import read_body
from millstream.http_server.running import run_server
from millstream.logging.component_logger import component_logger
from millstream.native_host.links import MAX_BODY, magnet_event, torrent_event
from millstream.native_host.local_server import HOST, LocalAddress

TOKEN_BYTES = 32

# The desktop opens one link at a time.
MAX_CONNECTIONS = 16
# Seconds for a whole request: it comes from this machine.
REQUEST_TIME = 15.0
SHUTDOWN_TIME = 1.0
# Bytes of a header.
MAX_HEADER_LENGTH = 8190

_EVENTS = {"/add-magnet": magnet_event, "/add-torrent": torrent_event}

_LOG = component_logger("native_host")
_HTTP_LOG = logging.getLogger("millstream.native_host.http")


class LinkServer:
    """Listens from `start` to `stop`.

    Args:
        tell: sends an event to the extension; may raise OSError.
    """

    def __init__(self, tell: Callable[[dict[str, object]], Awaitable[None]]) -> None:
        self._tell = tell
        self._token = secrets.token_urlsafe(TOKEN_BYTES)
        self._gate = RequestGate(self._token, (), is_loopback=True)
        self._runner: web.ServerRunner | None = None
        self._address: LocalAddress | None = None

    async def start(self) -> LocalAddress:
        """Where it is; it listens from now on. Raises NetworkError."""
        if self._address is not None:
            return self._address
        server = BoundedServer(
            self._respond,
            _HTTP_LOG,
            max_connections=MAX_CONNECTIONS,
            connection_time=REQUEST_TIME,
            only_until_request=False,
            keep_alive_time=REQUEST_TIME,
            lingering_time=1.0,
            max_header_length=MAX_HEADER_LENGTH,
        )
        opened = bind_tcp(HOST, 0, MAX_CONNECTIONS, "cannot listen for links")
        address = LocalAddress(opened.getsockname()[1], self._token)
        self._runner = await run_server(server, [opened], SHUTDOWN_TIME)
        self._address = address
        return self._address

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = self._address = None

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._carry_out(request)
        except Refusal as error:
            refusal = error
        except OSError as error:
            _LOG.info("the browser does not take a link: %s", error)
            refusal = Refusal(502, "BrowserGone", "the browser does not take it")
        response = web.json_response(refusal.body(), status=refusal.status)
        response.force_close()
        return response

    async def _carry_out(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = request.headers
        self._gate.check_site(
            headers.getall("Host", []), headers.get("Origin"), headers.get("Sec-Fetch-Site")
        )
        if (request.method, request.path) == ("GET", "/health"):
            return web.Response(text="ok")
        event = _EVENTS.get(request.path)
        if request.method != "POST" or event is None:
            raise Refusal(404, "NotFound", "there is no such route here")
        token = request.query.get("token") or bearer_token(headers.get("Authorization"))
        self._gate.check_token(token, request.remote)
        told = event(await _body(request))
        await self._tell(told)
        return web.json_response({"status": "queued", "message": "the extension was told"})


async def _body(request: web.BaseRequest) -> dict[str, Any]:
    data = await read_body(request, MAX_BODY)
    try:
        found: object = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refusal(400, "BadBody", "a body is a JSON object")
    return found
