"""Sharing a rate limit: in turns, so that no torrent and no connection starves.

One `RateLimit` is one direction of the whole engine, a `RateShare` is one torrent's part in it,
which may have a limit of its own. Who moves bytes is a member of its torrent's share: connections
on the way down, the torrent itself on the way up. A member moves bytes until its grant is used up,
then it waits for its next turn. Ten times a second a turn divides what the buckets hold: first
among the torrents that wait, each as much as its own limit allows and none more than the others
without need, then among some members of each, those that waited longest. Whatever is moved is
spent, granted or not: a grant that is not used up costs nothing and ends with the next turn.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from millstream.core.token_bucket import TokenBucket
from millstream.protocol.messages import BLOCK_LENGTH

M = TypeVar("M", bound=Hashable)

# Seconds between turns. Short against the 10 s over which limits are to hold, long enough that a
# turn of many connections gives each some packets: libtorrent's default tick is 500 ms, its
# quotas are handed out every 100 ms (`bandwidth_manager`).
TURN_TIME = 0.1

# A turn gives a member about a block, rather than less to more members: they come later.
USUAL_GRANT = BLOCK_LENGTH
# At slow rates a grant may be smaller, down to less than one packet.
MIN_GRANT = 1024


class RateShare(Generic[M]):
    """One torrent's part in a limit; made by `RateLimit.share`."""

    __slots__ = ("_grants", "_limit", "_members", "_waiting", "bucket")

    def __init__(self, limit: RateLimit[M], rate: int | None, now: float) -> None:
        self._limit = limit
        self._members: dict[M, None] = {}
        self._waiting: dict[M, None] = {}
        self._grants: dict[M, int] = {}
        self.bucket = None if rate is None else TokenBucket(rate, now)

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit at all, the torrent's own or that of all."""
        return self.bucket is not None or self._limit.bucket is not None

    @property
    def members(self) -> list[M]:
        """Who moves bytes."""
        return list(self._members)

    @property
    def waiting(self) -> list[M]:
        """Who waits for a turn, the next one first."""
        return list(self._waiting)

    @property
    def receive_quota(self) -> int:
        """Bytes that a member should move at once at most.

        Members that fell silent with a grant come back without a turn: all of them together may
        not move more than one turn holds.
        """
        buckets = [bucket for bucket in (self.bucket, self._limit.bucket) if bucket is not None]
        rate = min(bucket.rate for bucket in buckets)
        return max(MIN_GRANT, int(rate * TURN_TIME) // max(1, self._limit.member_count))

    def set_rate(self, rate: int | None, now: float) -> None:
        """Set the torrent's own limit. Raises ConfigError if it is too low."""
        self.bucket = _changed(self.bucket, rate, now)

    def add(self, member: M) -> None:
        """Someone will move bytes."""
        if member not in self._members:
            self._members[member] = None
            self._limit.member_count += 1

    def remove(self, member: M) -> None:
        """Someone is gone."""
        if member in self._members:
            del self._members[member]
            self._limit.member_count -= 1
            self._grants.pop(member, None)
            self._waiting.pop(member, None)
            if not self._waiting:
                self._limit.waiting.pop(self, None)

    def allowance(self, member: M, now: float) -> int:
        """How many bytes a member may move now: at least one, or zero if it must wait."""
        return max(0, min(self._grants.get(member, 0), self._room(now)))

    def spend(self, member: M, length: int) -> None:
        """A member moved bytes, granted or not."""
        for bucket in (self.bucket, self._limit.bucket):
            if bucket is not None:
                bucket.spend(length)
        left = self._grants.pop(member, 0) - length
        if left > 0:
            self._grants[member] = left

    def wait(self, member: M, now: float) -> float:
        """A member waits for its turn, which comes at the time returned or later."""
        self._grants.pop(member, None)
        self._waiting.setdefault(member)
        self._limit.waiting.setdefault(self)
        return self._limit.earliest(self, now)

    def grant(self, part: int) -> list[M]:
        """Divide a part of the turn among some who wait; returns them."""
        count = min(len(self._waiting), max(1, part // USUAL_GRANT))
        served = list(self._waiting)[:count]
        for member in served:
            del self._waiting[member]
            self._grants[member] = max(MIN_GRANT, part // count)
        return served

    def end_turn(self) -> None:
        """Forget the grants that are left."""
        self._grants.clear()

    def own_room(self, now: float) -> float:
        """What its own limit leaves."""
        return float("inf") if self.bucket is None else self.bucket.available(now)

    def _room(self, now: float) -> int:
        both = (self.bucket, self._limit.bucket)
        return min((bucket.available(now) for bucket in both if bucket is not None), default=0)


class RateLimit(Generic[M]):
    """One direction of the engine.

    Args:
        rate: bytes a second of all torrents together; None: unlimited, torrents may be limited.

    Attributes:
        waiting: the shares in which somebody waits, in the order of their turns.
        member_count: members of all shares.
    """

    __slots__ = ("_granted", "_turn_at", "bucket", "member_count", "waiting")

    def __init__(self, rate: int | None, now: float) -> None:
        self.bucket = None if rate is None else TokenBucket(rate, now)
        self.waiting: dict[RateShare[M], None] = {}
        self.member_count = 0
        self._granted: list[RateShare[M]] = []
        self._turn_at = now

    def share(self, rate: int | None, now: float) -> RateShare[M]:
        """A torrent comes, with this limit of its own."""
        return RateShare(self, rate, now)

    def set_rate(self, rate: int | None, now: float) -> None:
        """Set the limit of all together. Raises ConfigError if it is too low."""
        self.bucket = _changed(self.bucket, rate, now)

    def earliest(self, share: RateShare[M], now: float) -> float:
        """When a share that waits can have its turn; perhaps now."""
        buckets = (share.bucket, self.bucket)
        ready = (bucket.ready_at(TURN_TIME, now) for bucket in buckets if bucket is not None)
        return max(now, self._turn_at, *ready)

    def next_turn(self, now: float) -> float | None:
        """When to call `turn`; None if nobody waits."""
        return min((self.earliest(share, now) for share in self.waiting), default=None)

    def turn(self, now: float) -> list[M]:
        """Give the next turn; returns those who may move bytes again."""
        self._turn_at = now + TURN_TIME
        for share in self._granted:
            share.end_turn()
        self._granted = []
        room = float("inf") if self.bucket is None else self.bucket.available(now)
        if room <= 0:
            return []
        able = [(share, own) for share in self.waiting if (own := share.own_room(now)) > 0]
        if room < len(able) * MIN_GRANT:
            able = able[: max(1, int(room) // MIN_GRANT)]
        # The share that can take least comes first: what it leaves is divided among the others.
        able.sort(key=lambda pair: pair[1])
        served: list[M] = []
        for number, (share, own) in enumerate(able):
            part = min(own, room / (len(able) - number))
            room -= part
            served += share.grant(int(part))
            self._granted.append(share)
            del self.waiting[share]
            if share.waiting:
                self.waiting[share] = None
        return served


def _changed(bucket: TokenBucket | None, rate: int | None, now: float) -> TokenBucket | None:
    if rate is None:
        return None
    if bucket is None:
        return TokenBucket(rate, now)
    bucket.set_rate(rate, now)
    return bucket
