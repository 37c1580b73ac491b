"""Bodies of requests, of which only so much is in memory at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from millstream.http_server.request_body import check_length, read_body

# The original's limit of a body.
MAX_BODY = 64 << 20

# Of all requests in progress together: one of the largest, or many small ones.
MAX_HELD_BYTES = MAX_BODY


class Bodies:
    """Reads bodies; who comes when too much is held waits for its turn."""

    def __init__(self) -> None:
        self._held = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def read(
        self, request: web.BaseRequest, most: int = MAX_BODY
    ) -> AsyncIterator[bytearray]:
        """The body, held for as long as the block runs. Raises Refusal."""
        length = check_length(request, most)
        # Of a body that does not say its length, as much as there may be.
        held = most if length is None else length
        await self._hold(held)
        try:
            yield await read_body(request, most)
        finally:
            self._let_go(held)

    async def _hold(self, length: int) -> None:
        if not self._waiting and self._held + length <= MAX_HELD_BYTES:
            self._held += length
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((length, turn))
        try:
            await turn
        except asyncio.CancelledError:
            got_it = turn.done() and not turn.cancelled()
            self._let_go(length if got_it else 0)
            raise

    def _let_go(self, length: int) -> None:
        self._held -= length
        while self._waiting:
            wanted, turn = self._waiting[0]
            if not turn.cancelled():
                if self._held + wanted > MAX_HELD_BYTES:
                    return
                self._held += wanted
                turn.set_result(None)
            self._waiting.popleft()
