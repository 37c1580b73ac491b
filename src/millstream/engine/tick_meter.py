"""How long the engine's ticks take: what `/engine/tick-stats` answers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

# Seconds that are looked back on; JSTorrent's figure covers 5, too.
WINDOW = 5.0
# A bucket takes the ticks of so many seconds, so that the memory is bounded.
BUCKET = 1.0


@dataclass(slots=True)
class _Bucket:
    begun: float
    count: int = 0
    total: float = 0.0
    longest: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TickStats:
    """The ticks of the last five seconds.

    Attributes:
        count: how many there were.
        total: seconds they took together.
        longest: seconds the longest one took.
        active_pieces: pieces that are being fetched now, over all torrents.
        connected_peers: peers connected now, over all torrents.
        active_torrents: torrents that may have peers now.
    """

    count: int
    total: float
    longest: float
    active_pieces: int = 0
    connected_peers: int = 0
    active_torrents: int = 0

    @property
    def average(self) -> float:
        """Seconds of an average tick; 0 if there was none."""
        return self.total / self.count if self.count else 0.0


class TickMeter:
    """Adds up the ticks, in buckets of a second."""

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets: deque[_Bucket] = deque(maxlen=int(WINDOW / BUCKET) + 1)

    def took(self, begun: float, ended: float) -> None:
        """A tick is done; both are the loop's time."""
        if not self._buckets or begun - self._buckets[-1].begun >= BUCKET:
            self._buckets.append(_Bucket(begun))
        bucket = self._buckets[-1]
        took = ended - begun
        bucket.count += 1
        bucket.total += took
        bucket.longest = max(bucket.longest, took)

    def window(self, now: float) -> tuple[int, float, float]:
        """Count, seconds together and seconds of the longest, of the window before `now`."""
        recent = [bucket for bucket in self._buckets if now - bucket.begun <= WINDOW]
        return (
            sum(bucket.count for bucket in recent),
            sum(bucket.total for bucket in recent),
            max((bucket.longest for bucket in recent), default=0.0),
        )
