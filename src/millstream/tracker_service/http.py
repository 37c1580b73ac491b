"""HTTP: `/announce` and `/scrape` for clients that may be hostile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from ipaddress import ip_address

from aiohttp import web
from aiohttp.http import HttpProcessingError

from millstream.tracker.http_tracker import HttpTracker
from millstream.tracker_service.config import TrackerServiceConfig
from millstream.tracker_service.sockets import client_host

# A request line: the longest query, and room for the path. Also what aiohttp and Apache take.
MAX_REQUEST_LINE = 8190

# Headers that a client may send, and bytes of each: trackers use none, proxies add a few.
MAX_HEADERS = 64
MAX_HEADER_LENGTH = 2048

# Seconds that a connection may wait for its next request; most clients never send one.
KEEP_ALIVE_TIME = 10.0

_HEADERS = {"Server": "Millstream", "Cache-Control": "no-store"}

_LOGGER = logging.getLogger(__name__)


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether something went wrong here: what clients send wrong is told to them, and no log."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


_LOGGER.addFilter(_is_ours)


class HttpServer(web.Server):
    """The HTTP side of a tracker, for `web.ServerRunner`.

    aiohttp waits without end for a request that is never finished; so connections are counted, and
    each has its time.

    Args:
        tracker: answers.
        config: limits.
        clock: gives `now`.
    """

    def __init__(
        self, tracker: HttpTracker, config: TrackerServiceConfig, clock: Callable[[], float]
    ) -> None:
        super().__init__(
            self._respond,
            access_log=None,
            logger=_LOGGER,
            keepalive_timeout=KEEP_ALIVE_TIME,
            lingering_time=0,
            max_line_size=MAX_REQUEST_LINE,
            max_headers=MAX_HEADERS,
            max_field_size=MAX_HEADER_LENGTH,
        )
        self._tracker = tracker
        self._config = config
        self._clock = clock
        self._deadlines: dict[web.RequestHandler, asyncio.TimerHandle] = {}

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Let the connection in for its time, or close it."""
        super().connection_made(handler, transport)
        if len(self._deadlines) >= self._config.max_connections:
            transport.abort()
            return
        loop = asyncio.get_running_loop()
        self._deadlines[handler] = loop.call_later(self._config.connection_time, transport.abort)

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        """Make room for another one."""
        deadline = self._deadlines.pop(handler, None)
        if deadline is not None:
            deadline.cancel()
        super().connection_lost(handler, exc)

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        host = self._host_of(request)
        if request.method != "GET" or host is None:
            return _plain(405, b"a tracker is asked with GET\n")
        path, _, query = request.raw_path.partition("#")[0].partition("?")
        asked = query.encode("utf-8", "surrogateescape")
        match path:
            case "/announce":
                return _plain(200, self._tracker.announce(asked, host, self._clock()))
            case "/scrape":
                return _plain(200, self._tracker.scrape(asked, host, self._clock()))
        return _plain(404, b"this is a BitTorrent tracker: /announce and /scrape\n")

    def _host_of(self, request: web.BaseRequest) -> str | None:
        """The client's address; None if the connection is gone already."""
        if self._config.trust_forwarded:
            # Each proxy adds the address it was asked from: ours added the last one.
            claimed = ",".join(request.headers.getall("X-Forwarded-For", [])).rpartition(",")[2]
            try:
                return client_host(str(ip_address(claimed.strip())))
            except ValueError:
                pass  # the proxy was not asked: this comes from the machine itself
        return None if request.remote is None else client_host(request.remote)


def _plain(status: int, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, content_type="text/plain", headers=_HEADERS)
