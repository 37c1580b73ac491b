"""One attempt to fetch an info dictionary, and the peers it is fetched from (BEP 9)."""

from __future__ import annotations

from dataclasses import dataclass, field

from millstream.core.geometry import ConnectionId
from millstream.core.metadata_assembly import MetadataAssembly

# A peer that was silent for so long was asked in vain, though a late answer is still welcome.
# Libtorrent asks others after 3 s; `MetadataAssembly` does so without giving up on this one.
TIMEOUT_SECONDS = 8.0

# A peer that refused or was silent is not asked for this time, doubled each time up to the most.
# Libtorrent: 60 s after a refusal.
BACKOFF_SECONDS = 5.0
MAX_BACKOFF_SECONDS = 60.0

# How long an attempt may run while others wait, doubled each time; and which part of that it may
# stand still.
LEASE_SECONDS = 10.0
MAX_LEASE_SECONDS = 24 * 3600.0
IDLE_PART = 0.25


@dataclass(slots=True)
class MetadataSource:
    """A peer that claims to have the dictionary.

    Attributes:
        attempt: what its pieces go into.
        asked: the pieces it was asked for, and when.
        late: how many answers are still to come that are not waited for, by piece.
    """

    attempt: MetadataAttempt
    asked: dict[int, float] = field(default_factory=dict)
    late: dict[int, int] = field(default_factory=dict)
    _failures: int = 0
    _retry_at: float = 0.0

    def is_ready(self, now: float) -> bool:
        """Whether it may be asked."""
        return now >= self._retry_at

    def answered(self) -> None:
        """It sent a piece."""
        self._failures, self._retry_at = 0, 0.0

    def failed(self, now: float) -> None:
        """It refused, or was silent for too long."""
        backoff = BACKOFF_SECONDS * 2 ** min(self._failures, 10)
        self._retry_at = now + min(backoff, MAX_BACKOFF_SECONDS)
        self._failures += 1

    def overdue(self, now: float) -> list[int]:
        """The pieces that were asked for too long ago."""
        return [piece for piece, at in self.asked.items() if now - at >= TIMEOUT_SECONDS]

    def give_up(self, piece: int) -> None:
        """Wait no longer for the answer."""
        del self.asked[piece]
        self.late[piece] = self.late.get(piece, 0) + 1

    def give_up_all(self) -> None:
        """Wait for no answer."""
        for piece in list(self.asked):
            self.give_up(piece)

    def came_late(self, piece: int) -> bool:
        """An answer came that was not waited for; False if none was to come."""
        left = self.late.pop(piece, 0) - 1
        if left > 0:
            self.late[piece] = left
        return left >= 0


@dataclass(slots=True, eq=False)
class MetadataAttempt:
    """One dictionary in the making.

    Attributes:
        size: of the dictionary, as its peers claim, in bytes.
        alone: the only peer that it may come from, if there is one.
        peers: whom it can come from now.
        assembly: what there is of it; None while the attempt waits in line.
        moved: when a piece came last.
    """

    size: int
    alone: ConnectionId | None
    peers: dict[ConnectionId, MetadataSource] = field(default_factory=dict)
    assembly: MetadataAssembly | None = None
    moved: float = 0.0
    _lease: float = LEASE_SECONDS
    _ends: float = 0.0

    @property
    def is_abandoned(self) -> bool:
        """Whether it has no peers, and nothing that the next one could go on with."""
        has_data = self.assembly is not None and bool(self.assembly.senders)
        return not self.peers and not (has_data and self.alone is None)

    def is_ready(self, now: float) -> bool:
        """Whether there is someone to ask."""
        return any(source.is_ready(now) for source in self.peers.values())

    def start(self, now: float) -> None:
        """Its turn has come."""
        self.assembly = MetadataAssembly(self.size)
        self.moved = now
        self._ends = now + self._lease
        self._lease = min(2 * self._lease, MAX_LEASE_SECONDS)

    def restart(self) -> None:
        """What came is of no use; its turn lasts on."""
        self.assembly = MetadataAssembly(self.size)
        for source in self.peers.values():
            source.give_up_all()

    def stop(self) -> None:
        """Its turn is over: back into line, with nothing."""
        self.restart()
        self.assembly = None

    def must_yield(self, now: float) -> bool:
        """Whether it had its time, or stands still, so that another should have a turn."""
        if now >= self._ends:
            return True
        stands = not any(source.asked for source in self.peers.values()) and not self.is_ready(now)
        # The lease was doubled already for the next turn.
        return stands and now - self.moved >= IDLE_PART * self._lease / 2
