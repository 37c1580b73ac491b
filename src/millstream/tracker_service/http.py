"""HTTP: `/announce` and `/scrape` for clients that may be hostile."""

from __future__ import annotations

import logging
from collections.abc import Callable
from ipaddress import ip_address

from aiohttp import web

from millstream.http_server.bounded import BoundedServer
from millstream.tracker.http_tracker import HttpTracker
from millstream.tracker_service.config import TrackerServiceConfig
from millstream.tracker_service.sockets import client_host

# Bytes of a header: trackers use none.
MAX_HEADER_LENGTH = 2048

# Seconds that a connection may wait for its next request; most clients never send one.
KEEP_ALIVE_TIME = 10.0

_HEADERS = {"Server": "Millstream", "Cache-Control": "no-store"}

_LOGGER = logging.getLogger(__name__)


class HttpServer(BoundedServer):
    """The HTTP side of a tracker, for `web.ServerRunner`.

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
            _LOGGER,
            max_connections=config.max_connections,
            connection_time=config.connection_time,
            only_until_request=False,
            keep_alive_time=KEEP_ALIVE_TIME,
            lingering_time=0,
            max_header_length=MAX_HEADER_LENGTH,
        )
        self._tracker = tracker
        self._config = config
        self._clock = clock

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
