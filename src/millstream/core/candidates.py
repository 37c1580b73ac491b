"""Peers that may be tried, ordered so that asking costs nothing while none is due."""

from __future__ import annotations

import math
from heapq import heapify, heappop, heappush

from millstream.core.known_peer import KnownPeer
from millstream.protocol.compact import PeerAddress

Order = tuple[bool, int, bool, float, float]

# Entries that may count no longer, besides one for each that does: a torrent of thousands, whose few
# peers are named again by every announce, is not to hold a hundred.
_SPARE_ENTRIES = 8


class Candidates:
    """Known peers in two heaps: those whose time has not come by time, the others by worth.

    An entry is not searched for when its peer is removed; it is passed over when it comes up. What
    a peer's order depends on may change only while the peer is not among the candidates.
    """

    __slots__ = ("_number", "_numbers", "_ready", "_waiting")

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, KnownPeer]] = []
        self._ready: list[tuple[Order, int, KnownPeer]] = []
        self._numbers: dict[PeerAddress, int] = {}  # of the entries that count
        self._number = 0

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, peer: KnownPeer) -> None:
        """Let a peer be tried from its `next_try` on."""
        self._number += 1
        self._numbers[peer.address] = self._number
        heappush(self._waiting, (peer.next_try, self._number, peer))
        if len(self._waiting) + len(self._ready) > 2 * len(self._numbers) + _SPARE_ENTRIES:
            self._sweep()

    def remove(self, peer: KnownPeer) -> bool:
        """Let a peer not be tried; False if it was not among the candidates."""
        return self._numbers.pop(peer.address, None) is not None

    def next_due(self) -> float:
        """When the first may be tried, monotonic seconds; infinite if there is none."""
        if self._first_ready() is not None:
            return -math.inf
        waiting = self._waiting
        while waiting and not self._counts(waiting[0]):
            heappop(waiting)
        return waiting[0][0] if waiting else math.inf

    def best(self, now: float) -> tuple[Order, int] | None:
        """How good the best peer is that may be tried now; the lower, the better."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= now:
            entry = heappop(waiting)
            if self._counts(entry):
                heappush(self._ready, (entry[2].order, entry[1], entry[2]))
        first = self._first_ready()
        return first and first[:2]

    def pop(self) -> KnownPeer:
        """Remove and return the peer that `best` spoke of."""
        peer = heappop(self._ready)[2]
        del self._numbers[peer.address]
        return peer

    def _first_ready(self) -> tuple[Order, int, KnownPeer] | None:
        ready = self._ready
        while ready and not self._counts(ready[0]):
            heappop(ready)
        return ready[0] if ready else None

    def _counts(self, entry: tuple[object, int, KnownPeer]) -> bool:
        return self._numbers.get(entry[2].address) == entry[1]

    def _sweep(self) -> None:
        self._waiting = [entry for entry in self._waiting if self._counts(entry)]
        self._ready = [entry for entry in self._ready if self._counts(entry)]
        heapify(self._waiting)
        heapify(self._ready)
