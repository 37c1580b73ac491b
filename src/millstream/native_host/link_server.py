"""A small HTTP server at which the desktop leaves links for the extension: JSTorrent's routes.

`GET /health`; `POST /add-magnet` `{magnet}`; `POST /add-torrent` `{file_name, contents_base64}`. The
last two want the token of `rpc-info.json`, as `?token=` or `Authorization: Bearer`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from aiohttp import web

from millstream.http_server.bounded import BoundedServer
from millstream.http_server.gate import RequestGate, bearer_token
from millstream.http_server.refusal import Refusal
from millstream.logging.component_logger import component_logger
from millstream.native_host.links import MAX_BODY, magnet_event, torrent_event

TOKEN_BYTES = 32

# The desktop opens one link at a time.
MAX_CONNECTIONS = 16
# Seconds for a whole request: it comes from this machine.
REQUEST_TIME = 15.0
# Bytes of a header.
MAX_HEADER_LENGTH = 8190

_EVENTS = {"/add-magnet": magnet_event, "/add-torrent": torrent_event}

_LOG = component_logger("native_host")
_HTTP_LOG = logging.getLogger("millstream.native_host.http")


class LinkAddress(NamedTuple):
    """Where it is.

    Attributes:
        port: at 127.0.0.1.
        token: that it wants.
    """

    port: int
    token: str


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
        self._address: LinkAddress | None = None

    async def start(self) -> LinkAddress:
        """Where it is; it listens from now on. Raises OSError."""
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
        self._runner = web.ServerRunner(server, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._address = LinkAddress(self._runner.addresses[0][1], self._token)
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
    data = bytearray()
    try:
        async with asyncio.timeout(REQUEST_TIME):
            async for chunk in request.content.iter_any():
                data += chunk
                if len(data) > MAX_BODY:
                    raise Refusal(413, "BodyTooLarge", f"a body has {MAX_BODY} bytes at most")
    except TimeoutError:
        raise Refusal(408, "Timeout", "the body does not arrive") from None
    try:
        found: object = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refusal(400, "BadBody", "a body is a JSON object")
    return found
