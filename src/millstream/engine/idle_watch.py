"""Looking, now and then, whether the torrents that should move do; the log says which do not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from math import ceil

from millstream.core.torrent import BEAT
from millstream.core.torrent_state import TorrentState
from millstream.engine.membership import Membership
from millstream.logging.component_logger import component_logger

# Seconds between two looks at the same torrent. A reason is told that held from one to the next.
LOOK_INTERVAL = 30.0
# Looks in a beat, at most: 50 microseconds each. With more torrents a round takes longer.
MAX_LOOKS = 10

_WATCHED = {TorrentState.DOWNLOADING, TorrentState.FETCHING_METADATA}
_TORRENT = component_logger("torrent")


class IdleWatch:
    """Looks at some torrents in every beat, so that ten thousand are no burst of work.

    Args:
        everyone: gives all torrents.
    """

    def __init__(self, everyone: Callable[[], Iterable[Membership]]) -> None:
        self._everyone = everyone
        self._waiting: list[Membership] = []
        self._next_round = 0.0
        self._share = 1

    def beat(self, now: float) -> None:
        """Look at those whose turn it is; nothing is looked at if nobody listens."""
        if not _TORRENT.isEnabledFor(logging.INFO):
            return
        if not self._waiting and now >= self._next_round:
            self._next_round = now + LOOK_INTERVAL
            self._waiting = [each for each in self._everyone() if each.stage.state in _WATCHED]
            self._share = min(MAX_LOOKS, ceil(len(self._waiting) * BEAT / LOOK_INTERVAL))
        for _ in range(min(self._share, len(self._waiting))):
            member = self._waiting.pop()
            if member.stage.state in _WATCHED:
                # Here: few programs listen to the log, and few ask.
                from millstream.engine.idle_facts import find_idleness  # noqa: PLC0415

                member.journal.looked_at(find_idleness(member, now))
