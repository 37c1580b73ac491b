"""Whose turn it is: which torrents run, and which wait until others are done.

Two limits hold for the kinds, downloads and seeds, and one for both together; downloads come first.
Within a kind the order of the queue decides, and seeds that reached their goals come last. As in
libtorrent, whoever hardly moves anything does not count for its kind, so that the dead do not keep
the living waiting; and whoever is forced or not auto-managed runs in any case and counts nowhere.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from millstream.core.queue_config import QueueConfig

K = TypeVar("K", bound=Hashable)

# Seconds that a torrent which has just got its turn keeps it in any case: connections, handshakes
# and the first unchoke cost that much. libtorrent gives seeds 30 minutes, downloads nothing.
MIN_TURN = 60.0


class QueueKind(enum.Enum):
    """What a torrent does when it is its turn, or waits to do."""

    DOWNLOAD = "download"
    """Fetching its metadata is a part of that, as in libtorrent."""
    SEED = "seed"


class Turn:
    """A torrent's time at work.

    Args:
        kind: what it does with it.
        since: monotonic seconds.

    Attributes:
        is_slow: whether it has been slow for a while.
    """

    __slots__ = ("_slow_since", "is_slow", "kind", "since")

    def __init__(self, kind: QueueKind, since: float) -> None:
        self.kind = kind
        self.since = since
        self.is_slow = False
        self._slow_since: float | None = since

    def become(self, kind: QueueKind, now: float) -> None:
        """Go on as the other kind; for that it is slow only after a while."""
        self.kind = kind
        self.is_slow = False
        self._slow_since = now

    def observe(
        self, download_rate: float, upload_rate: float, config: QueueConfig, now: float
    ) -> bool:
        """Take note of the rates, in bytes a second; whether it became slow, or stopped being it.

        It takes time to become slow, and none to recover: libtorrent's rule against flapping.
        """
        if self.kind is QueueKind.SEED:
            slow = upload_rate < config.slow_upload_rate
        else:
            slow = download_rate < config.slow_download_rate
        if not slow:
            self._slow_since = None
        elif self._slow_since is None:
            self._slow_since = now
        before = self.is_slow
        self.is_slow = self._slow_since is not None and now - self._slow_since >= config.slow_after
        return self.is_slow is not before


@dataclass(slots=True)
class QueueEntry(Generic[K]):
    """A torrent that runs or waits.

    Attributes:
        key: its name here.
        kind: what it does, or would.
        turn: its turn; None if it waits.
        is_exempt: whether the queue leaves it alone, because it is forced or not auto-managed.
        goals_reached: whether it has seeded enough.
    """

    key: K
    kind: QueueKind
    turn: Turn | None = None
    is_exempt: bool = False
    goals_reached: bool = False


@dataclass(slots=True)
class QueuePlan(Generic[K]):
    """What is to change.

    Attributes:
        starts: who gets a turn, in the order of the queue; downloads first.
        stops: who loses it.
        again_at: when to plan again though nothing happens, monotonic seconds.
    """

    starts: list[K] = field(default_factory=list)
    stops: list[K] = field(default_factory=list)
    again_at: float = math.inf


def plan(
    entries: Iterable[QueueEntry[K]], config: QueueConfig, now: float, *, at_once: bool = False
) -> QueuePlan[K]:
    """Who is to run from now on. With nothing changed it changes nothing.

    A torrent that has just got its turn is not stopped for another: the other waits.

    Args:
        entries: in the order of the queue.
        config: the limits.
        now: monotonic seconds.
        at_once: whether even the turns that have just begun may end, because the user wants it so:
            the order or the limits were changed.
    """
    made: QueuePlan[K] = QueuePlan()
    downloads: list[QueueEntry[K]] = []
    seeds: list[QueueEntry[K]] = []
    satisfied: list[QueueEntry[K]] = []
    for entry in entries:
        if entry.is_exempt:
            if entry.turn is None:
                made.starts.append(entry.key)
        elif entry.kind is QueueKind.DOWNLOAD:
            downloads.append(entry)
        else:
            (satisfied if entry.goals_reached else seeds).append(entry)
    places = _number(config.active_total)
    kinds = [
        _Kind(downloads, _number(config.active_downloads), config),
        _Kind(seeds + satisfied, _number(config.active_seeds), config),
    ]
    room = places
    for kind in kinds:
        room = kind.rank(room)
    for kind in kinds:
        places -= kind.keep(made, math.inf if at_once else now - MIN_TURN)
    for kind in kinds:
        places = kind.start(made, places)
    return made


def _number(limit: int | None) -> float:
    return math.inf if limit is None else limit


class _Kind(Generic[K]):
    """The torrents of one kind, in order, and those of them that should run."""

    def __init__(self, entries: list[QueueEntry[K]], limit: float, config: QueueConfig) -> None:
        self._entries = entries
        self._limit = limit
        self._count_slow = config.count_slow
        self._waiting: list[QueueEntry[K]] = []
        self._losing: list[tuple[QueueEntry[K], Turn]] = []
        self._running = 0
        self._counted = 0

    def _counts(self, turn: Turn) -> bool:
        return self._count_slow or not turn.is_slow

    def rank(self, room: float) -> float:
        """Find out who should run, by the order alone; what is left of the places for all."""
        free = self._limit
        for entry in self._entries:
            turn = entry.turn
            counts = turn is None or self._counts(turn)
            wins = room > 0 and (free > 0 or not counts)
            if wins:
                room -= 1
                free -= counts
            if turn is None:
                if wins:
                    self._waiting.append(entry)
            elif wins:
                self._running += 1
                self._counted += counts
            else:
                self._losing.append((entry, turn))
        return room

    def keep(self, made: QueuePlan[K], before: float) -> int:
        """End the turns of those that lose them, if they began before; how many run then."""
        for entry, turn in self._losing:
            if turn.since <= before:
                made.stops.append(entry.key)
            else:
                made.again_at = min(made.again_at, turn.since + MIN_TURN)
                self._running += 1
                self._counted += self._counts(turn)
        return self._running

    def start(self, made: QueuePlan[K], places: float) -> float:
        """Give turns as far as there is room; how many of the places for all are left."""
        for entry in self._waiting:
            if places <= 0 or self._counted >= self._limit:
                break
            made.starts.append(entry.key)
            self._counted += 1
            places -= 1
        return places
