"""How many peers to upload to at once, by what the line can do.

Too many and each gets a trickle, for which nobody gives anything back; too few and the line is not
full. The rule is that of the first BitTorrent clients: the square root of 0.6 times the rate in
kB/s, so 100 kB/s serve 7 peers and 1 MB/s serves 24. With a limit the rate is the limit. Without
one it is what was sent of late, which says something only while the line is full:

- Most peers take what they ask for as fast as it comes: slots are added while somebody waits.
- Most peers are behind, and the rule says more: slots are added as well.
- Most peers are behind, and the rule says fewer: slots are taken away. If less is sent because of
  that, it was not the line that was full but the peers', and the slots come back for a while.
"""

from __future__ import annotations

import math

# What a line of unknown capacity begins with: on a fast one everyone is served at once.
INITIAL_SLOTS = 32
# BEP 3 has four and the optimistic one among or besides them.
MIN_SLOTS = 4
MAX_SLOTS = 1000
# The number changes by a quarter at a time.
_STEP = 4
# After a quarter fewer slots at least this much of the rate is left if it was our line that was
# full; a quarter less of it if not.
_STILL_FULL = 0.88
# How many times it is looked at before fewer slots are tried again.
_PATIENCE = 6


def slots_for(rate: float) -> int:
    """How many peers a line of so many bytes a second is for."""
    return min(MAX_SLOTS, max(MIN_SLOTS, int(math.sqrt(0.6 * rate / 1000))))


class UploadCapacity:
    """The number of slots where the user sets none: `slots`."""

    __slots__ = ("_before", "_limit", "_patience", "slots")

    def __init__(self) -> None:
        self._limit: int | None = None
        self._before: tuple[int, float] | None = None
        self._patience = 0
        self.slots = INITIAL_SLOTS

    @property
    def limit(self) -> int | None:
        """Bytes a second that may be sent; None: no limit."""
        return self._limit

    @limit.setter
    def limit(self, limit: int | None) -> None:
        if limit != self._limit:
            self._limit = limit
            self._before = None
            self.slots = INITIAL_SLOTS if limit is None else slots_for(limit)

    def seen(self, rate: float, *, served: int, behind: int, waiting: int) -> None:
        """Adapt to what was seen since the last call; with a limit nothing changes.

        Args:
            rate: bytes a second that were sent to all peers.
            served: how many peers have a slot.
            behind: how many of these wait for what they asked for.
            waiting: how many want a slot and have none.
        """
        before, self._before = self._before, None
        if self._limit is not None or not served:
            return
        if before is not None and rate < _STILL_FULL * before[1]:
            self.slots = before[0]
            self._patience = _PATIENCE
            return
        self._patience = max(0, self._patience - 1)
        step = max(1, self.slots // _STEP)
        is_full = 2 * behind >= served
        wanted = slots_for(rate) if is_full else MAX_SLOTS
        if wanted > self.slots:
            if waiting:
                self.slots = min(wanted, self.slots + step)
        elif served > wanted and not self._patience:
            self._before = (self.slots, rate)
            self.slots = max(wanted, min(self.slots, served) - step)
