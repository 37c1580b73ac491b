"""One connection of an HTTP client, read as it is taken."""

from __future__ import annotations

import asyncio
from collections import deque

from millstream.errors import NetworkError
from millstream.interfaces.network import Connection

# What is received before somebody takes it.
MAX_HELD_BYTES = 256 << 10


class HttpExchange:
    """A connection's handler (`interfaces.network.ConnectionHandler`).

    Args:
        connection: to the server.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._came = asyncio.Event()
        self._is_lost = False
        self._reason: Exception | None = None

    def data_received(self, view: memoryview) -> None:
        """See `interfaces.network.ConnectionHandler`."""
        self._held.append(bytes(view))
        self._held_bytes += len(view)
        if self._held_bytes > MAX_HELD_BYTES:
            self.connection.pause_reading()
        self._came.set()

    def output_drained(self) -> None:
        """See `interfaces.network.ConnectionHandler`."""

    def connection_lost(self, reason: Exception | None) -> None:
        """See `interfaces.network.ConnectionHandler`."""
        self._is_lost, self._reason = True, reason
        self._came.set()

    async def read(self) -> bytes:
        """What comes next; nothing at the end.

        Raises:
            NetworkError: the connection was lost.
        """
        while not self._held and not self._is_lost:
            self._came.clear()
            await self._came.wait()
        if self._held:
            data = self._held.popleft()
            self._held_bytes -= len(data)
            if self._held_bytes <= MAX_HELD_BYTES // 2:
                self.connection.resume_reading()
            return data
        if self._reason is not None:
            raise NetworkError(f"the connection was lost: {self._reason}")
        return b""
