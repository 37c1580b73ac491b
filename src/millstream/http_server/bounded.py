"""An HTTP server whose clients may be hostile: connections are counted, and each has its time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.http import HttpProcessingError

# A request line, and how many headers may follow: what aiohttp and Apache take of the former;
# clients send a handful of the latter, and proxies add a few.
MAX_REQUEST_LINE = 8190
MAX_HEADERS = 64

RequestHandler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class BoundedServer(web.Server):
    """For `web.ServerRunner`. By itself aiohttp waits without end for a request that never ends.

    Args:
        respond: answers a request.
        logger: hears what went wrong here. What clients send wrong is told to them, and no log.
        max_connections: at a time; more are closed at once.
        connection_time: seconds, after which a connection is closed.
        only_until_request: whether that time ends with the connection's first request.
        keep_alive_time: seconds that a connection may wait for its next request.
        lingering_time: seconds in which what is left of a refused body is read and thrown away.
        max_header_length: bytes of each header.
    """

    def __init__(
        self,
        respond: RequestHandler,
        logger: logging.Logger,
        *,
        max_connections: int,
        connection_time: float,
        only_until_request: bool,
        keep_alive_time: float,
        lingering_time: float,
        max_header_length: int,
    ) -> None:
        logger.addFilter(_is_ours)
        super().__init__(
            self._first_in_time if only_until_request else respond,
            access_log=None,
            logger=logger,
            keepalive_timeout=keep_alive_time,
            lingering_time=lingering_time,
            max_line_size=MAX_REQUEST_LINE,
            max_headers=MAX_HEADERS,
            max_field_size=max_header_length,
        )
        self._respond_in_time = respond
        self._max_connections = max_connections
        self._connection_time = connection_time
        self._deadlines: dict[web.RequestHandler, asyncio.TimerHandle] = {}

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Let the connection in for its time, or close it."""
        super().connection_made(handler, transport)
        if len(self._deadlines) >= self._max_connections:
            transport.abort()
            return
        loop = asyncio.get_running_loop()
        self._deadlines[handler] = loop.call_later(self._connection_time, transport.abort)

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        """Make room for another one."""
        deadline = self._deadlines.pop(handler, None)
        if deadline is not None:
            deadline.cancel()
        super().connection_lost(handler, exc)

    async def _first_in_time(self, request: web.BaseRequest) -> web.StreamResponse:
        deadline = self._deadlines.get(request.protocol)
        if deadline is not None:
            deadline.cancel()
        return await self._respond_in_time(request)


def _is_ours(record: logging.LogRecord) -> bool:
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)
