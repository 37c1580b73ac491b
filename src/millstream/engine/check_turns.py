"""Reading files to see what is there: few torrents at a time, in the order of the queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from millstream.protocol.infohash import InfoHash


class CheckTurns:
    """Lets some torrents check their files while others wait.

    Looking at sizes and times costs little and needs no turn; reading does.

    Args:
        limit: how many may read at a time.
        rank: a torrent's place; of those that wait, the lowest is next.
    """

    def __init__(self, limit: int, rank: Callable[[InfoHash], int]) -> None:
        self._limit = limit
        self._rank = rank
        self._reading = 0
        self._waiting: dict[InfoHash, asyncio.Future[None]] = {}

    @property
    def limit(self) -> int:
        """How many may read at a time; those that do so are not interrupted."""
        return self._limit

    @limit.setter
    def limit(self, most: int) -> None:
        self._limit = most
        self._proceed()

    def is_waiting(self, torrent: InfoHash) -> bool:
        """Whether a torrent's check waits for its turn."""
        return torrent in self._waiting

    @asynccontextmanager
    async def turn(self, torrent: InfoHash, *, is_exempt: bool = False) -> AsyncIterator[None]:
        """Wait until it is the torrent's turn, which lasts as long as the context.

        Args:
            torrent: one of which no other turn is taken or waited for.
            is_exempt: whether it neither waits nor counts, because it is forced or not
                auto-managed.
        """
        if is_exempt:
            yield
            return
        await self._wait(torrent)
        try:
            yield
        finally:
            self._reading -= 1
            self._proceed()

    async def _wait(self, torrent: InfoHash) -> None:
        if self._reading < self._limit:
            self._reading += 1
            return
        chosen = self._waiting[torrent] = asyncio.get_running_loop().create_future()
        try:
            await chosen
        except asyncio.CancelledError:
            if self._waiting.pop(torrent, None) is None:  # its turn came in the same moment
                self._reading -= 1
                self._proceed()
            raise

    def _proceed(self) -> None:
        while self._waiting and self._reading < self._limit:
            self._reading += 1
            self._waiting.pop(min(self._waiting, key=self._rank)).set_result(None)
