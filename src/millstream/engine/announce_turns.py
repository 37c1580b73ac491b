"""Whose turn it is to announce, of all torrents of an engine.

When an engine starts, all of its torrents want to announce `started` at once, and an interval later
they would all come again. Ten thousand requests in one second are a flood for the trackers and a
burst of work here; some a second are neither, and who came in line stays apart from then on.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from millstream.core.connect_rate import ConnectRate

# Torrents that begin to announce in a second; as many may begin at once after a quiet second.
# Ten thousand take a bit over three minutes.
TURNS_PER_SECOND = 50.0
# Torrents that announce at the same time. More than libtorrent's `max_concurrent_http_announces` (50),
# so that trackers which do not answer, and keep a place for a minute, hold up nobody else for long.
MAX_ANNOUNCING = 500


class Announcing(Protocol):
    """A torrent that announces."""

    def proceed(self) -> None:
        """It has a turn."""


class AnnounceTurns:
    """Lets torrents begin to announce in the order in which they wanted to.

    Args:
        per_second: how many may begin in a second.
        most: how many may announce at the same time.
    """

    def __init__(self, per_second: float = TURNS_PER_SECOND, most: int = MAX_ANNOUNCING) -> None:
        self._rate = ConnectRate(per_second)
        self._room = most
        self._line: dict[Announcing, None] = {}
        self._called: set[Announcing] = set()
        self._timer: asyncio.TimerHandle | None = None

    def take(self, torrent: Announcing) -> bool:
        """Whether the torrent may announce now; else its `proceed` is called when it may.

        Whoever may has to `give_back` its turn when its announces are done.
        """
        if torrent in self._called:
            self._called.discard(torrent)
            return True
        now = asyncio.get_running_loop().time()
        if not self._line and self._room > 0 and self._rate.available(now):
            self._room -= 1
            self._rate.take()
            return True
        self._line[torrent] = None
        self._schedule(now)
        return False

    def give_back(self) -> None:
        """A torrent's announces are done."""
        self._room += 1
        if self._line:
            self._schedule(asyncio.get_running_loop().time())

    def leave(self, torrent: Announcing) -> None:
        """The torrent does not want to announce any more."""
        self._line.pop(torrent, None)

    def close(self) -> None:
        """Nobody has a turn any more."""
        self._line.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self, now: float) -> None:
        if self._timer is None and self._room > 0:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(now + self._rate.wait(now), self._call)

    def _call(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._line and self._room > 0 and self._rate.available(now):
            torrent = next(iter(self._line))
            del self._line[torrent]
            self._room -= 1
            self._rate.take()
            self._called.add(torrent)
            torrent.proceed()
            if torrent in self._called:  # it had nothing to announce after all
                self._called.discard(torrent)
                self._room += 1
        if self._line:
            self._schedule(now)
