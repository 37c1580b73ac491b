"""Whose turn it is to announce, of all torrents of an engine.

When an engine starts, all of its torrents want to announce `started` at once, and an interval later
they would all come again. Ten thousand requests in one second are a flood for the trackers and a
burst of work here; some a second are neither, and who came in line stays apart from then on. Nobody
who needs peers waits behind those who only say that they are here.
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
# As long as downloads wait, one turn of so many is a seed's: downloads that nobody serves ask again and
# again, and with thousands of them a seed would be forgotten by its trackers.
SEED_EVERY = 10


class Announcing(Protocol):
    """A torrent that announces."""

    def proceed(self) -> None:
        """It has a turn."""


class AnnounceTurns:
    """Lets torrents begin to announce in the order in which they wanted to, most downloads first.

    Args:
        per_second: how many may begin in a second.
        most: how many may announce at the same time.
    """

    def __init__(self, per_second: float = TURNS_PER_SECOND, most: int = MAX_ANNOUNCING) -> None:
        self._rate = ConnectRate(per_second)
        self._room = most
        self._needy: dict[Announcing, None] = {}
        self._others: dict[Announcing, None] = {}
        self._since_other = 0
        self._called: set[Announcing] = set()
        self._timer: asyncio.TimerHandle | None = None

    def take(self, torrent: Announcing, *, needs_peers: bool) -> bool:
        """Whether the torrent may announce now; else its `proceed` is called when it may.

        Whoever may has to `give_back` its turn when its announces are done.

        Args:
            torrent: which.
            needs_peers: whether it downloads; it then comes before most that do not.
        """
        if torrent in self._called:
            self._called.discard(torrent)
            return True
        now = asyncio.get_running_loop().time()
        if not self._is_anyone_waiting and self._room > 0 and self._rate.available(now):
            self._room -= 1
            self._rate.take()
            return True
        mine, other = self._needy, self._others
        if not needs_peers:
            mine, other = other, mine
        other.pop(torrent, None)
        mine[torrent] = None
        self._schedule(now)
        return False

    def give_back(self) -> None:
        """A torrent's announces are done."""
        self._room += 1
        if self._is_anyone_waiting:
            self._schedule(asyncio.get_running_loop().time())

    def leave(self, torrent: Announcing) -> None:
        """The torrent does not want to announce any more."""
        self._needy.pop(torrent, None)
        self._others.pop(torrent, None)

    def close(self) -> None:
        """Nobody has a turn any more."""
        self._needy.clear()
        self._others.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def _is_anyone_waiting(self) -> bool:
        return bool(self._needy or self._others)

    def _next(self) -> Announcing:
        """Whose turn it is; somebody waits."""
        is_others_turn = self._since_other >= SEED_EVERY - 1
        line = self._others if self._others and (is_others_turn or not self._needy) else self._needy
        self._since_other = 0 if line is self._others else self._since_other + 1
        torrent = next(iter(line))
        del line[torrent]
        return torrent

    def _schedule(self, now: float) -> None:
        if self._timer is None and self._room > 0:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(now + self._rate.wait(now), self._call)

    def _call(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._is_anyone_waiting and self._room > 0 and self._rate.available(now):
            torrent = self._next()
            self._room -= 1
            self._rate.take()
            self._called.add(torrent)
            torrent.proceed()
            if torrent in self._called:  # it had nothing to announce after all
                self._called.discard(torrent)
                self._room += 1
        if self._is_anyone_waiting:
            self._schedule(now)
