"""One peer that a torrent knows of: who mentioned it, how it went, and when to try it again."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from millstream.core.host_kind import HostKind, host_kind
from millstream.protocol.compact import PeerAddress

# The first retry, and the longest wait between tries of a peer that a user named: it is worth more
# patience than one that a swarm mentioned. From 0 on that makes tries at 0, 1, 3, 7, 15, 31, 61 ...
FIRST_RETRY = 1.0
LONGEST_RETRY = 30.0

# One that a swarm mentioned gets so many of these quick retries, as it may only have begun to
# listen, and then few: Transmission waits minutes from the second failure on, libtorrent from the
# first. Whoever lets us wait for a refusal longer than a moment gets no quick ones.
QUICK_RETRIES = 3
QUICK_REFUSAL = 5.0
FIRST_SLOW_RETRY = 60.0
LONGEST_SLOW_RETRY = 1800.0

# A connection that held so long was no failure, even if nothing was exchanged.
PROVEN = 60.0


class PeerSource(enum.Flag):
    """Who told of a peer."""

    USER = enum.auto()
    MAGNET = enum.auto()
    """`x.pe` of a magnet link (BEP 9)."""
    TRACKER = enum.auto()
    PEX = enum.auto()
    DHT = enum.auto()
    LSD = enum.auto()
    RESUME = enum.auto()
    INCOMING = enum.auto()
    """It came to us and said where it listens (`p` of BEP 10)."""


# What the user brought: there is little of it, and it was meant.
NAMED = PeerSource.USER | PeerSource.MAGNET
_NAMED_BITS = NAMED.value

# How far each source is trusted when there is no room for all; the order is libtorrent's.
_TRUST = (
    (PeerSource.TRACKER | PeerSource.LSD, 3),
    (PeerSource.DHT, 2),
    (PeerSource.PEX | PeerSource.INCOMING, 1),
)


class PeerState(enum.Enum):
    """Whether somebody has to do with a known peer now. Banned ones are no longer known."""

    IDLE = enum.auto()
    CONNECTING = enum.auto()
    CONNECTED = enum.auto()


@dataclass(slots=True, eq=False)
class KnownPeer:
    """A peer by its listening address.

    Attributes:
        address: where it listens.
        source: everybody who mentioned it.
        mention: the number of its latest mention; of two peers the lower one is older news.
        priority: its canonical priority (BEP 40), None while that cannot be known.
        fallback_priority: what then stands for it; the mean by default.
        state: see `PeerState`.
        uses: connections to it and attempts, of which there are two when it comes to us while we
            try it.
        failures: tries in a row that came to nothing.
        next_try: when to try it again, monotonic seconds.
        tried_at: when the latest try began.
        last_seen: when it was last connected, monotonic seconds; minus infinity for never.
        was_useful: whether data was exchanged with it.
        is_seed: whether it had every piece, or is said to.
        supports_encryption: whether it is known to speak MSE.
        plaintext: whether the next try shall do without MSE.
        fell_back: whether MSE was refused since it was last of use.
        try_at_once: whether the present try may be followed by the next without a wait.
        is_local: whether it is of our own network.
    """

    address: PeerAddress
    source: PeerSource
    mention: int = 0
    priority: int | None = None
    fallback_priority: int = 1 << 31
    state: PeerState = PeerState.IDLE
    uses: int = 0
    failures: int = 0
    next_try: float = -math.inf
    tried_at: float = -math.inf
    last_seen: float = -math.inf
    was_useful: bool = False
    is_seed: bool = False
    supports_encryption: bool = False
    plaintext: bool = False
    fell_back: bool = False
    try_at_once: bool = False
    is_local: bool = False

    def __post_init__(self) -> None:
        self.is_local = host_kind(self.address.host) >= HostKind.LOCAL

    @property
    def is_named(self) -> bool:
        """Whether the user brought it."""
        # Asked many times for each peer that is mentioned, and flags are slow.
        return bool(self.source.value & _NAMED_BITS)

    @property
    def order(self) -> tuple[bool, int, bool, float, float]:
        """What sorts candidates, the best first.

        The user's before all, then who failed least, then our own network (as in libtorrent), then
        who was not tried for longest, then canonical priority.
        """
        priority = self.fallback_priority if self.priority is None else self.priority
        return (not self.is_named, self.failures, not self.is_local, self.tried_at, -priority)

    @property
    def worth(self) -> tuple[int, bool, int, int]:
        """What sorts peers that may have to go, the worst first: failed, unproven, old."""
        trust = next((trust for sources, trust in _TRUST if self.source & sources), 0)
        return (-self.failures, self.was_useful, trust, self.mention)

    def succeeded(self, now: float, wait: float) -> None:
        """Its connection was of use and is over; it may be had again after a wait in seconds."""
        self.failures = 0
        self.was_useful = True
        self.fell_back = self.try_at_once = False
        self.last_seen = now
        self.next_try = now + (FIRST_RETRY if self.is_named else wait)

    def held(self, now: float, wait: float) -> None:
        """Its connection held for long and is over, without having been of use."""
        self.failures = 0
        self.last_seen = now
        self.next_try = now + (FIRST_RETRY if self.is_named else max(wait, FIRST_SLOW_RETRY))

    def failed(self, now: float) -> None:
        """A try came to nothing: wait longer each time."""
        if self.try_at_once:
            self.try_at_once = False
            self.next_try = now
            return
        self.failures += 1
        # Who refuses what it took, or both, may take the other next time.
        if self.plaintext or self.fell_back:
            self.plaintext = not self.plaintext
        self.next_try = now + self._wait(now - self.tried_at)

    def _wait(self, took: float) -> float:
        doublings = min(self.failures - 1, 20)
        if self.is_named:
            return min(FIRST_RETRY * 2.0**doublings, LONGEST_RETRY)
        if self.failures <= QUICK_RETRIES and took < QUICK_REFUSAL:
            return FIRST_RETRY * 2.0**doublings
        doublings = max(0, doublings - QUICK_RETRIES)
        return min(FIRST_SLOW_RETRY * 2.0**doublings, LONGEST_SLOW_RETRY)
