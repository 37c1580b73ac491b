"""How many peers to upload to at once, by what the line can do.

Too many and each gets a trickle: nobody gives anything back for that, and of a seed everyone gets
the same pieces (45 peers that shared 256 KiB/s took 160 s for what took them 60 s in turns of 12).
Too few and the line is not full. The rule for a full line is that of the first BitTorrent clients:
the square root of 0.6 times the rate in kB/s, so 100 kB/s serve 7 peers and 1 MB/s serves 24.

With a limit the rate is the limit. Without one, peers to whom much went already show what the line
can do at least: on a fast one everyone is served within a second. What it can do at most shows only
by trying, for the kernel's buffers hide what waits. On a full line the number of slots makes no
difference to the rate; where the peers' own lines are the narrow ones, the rate grows with it. So
now and then the number is changed and the rates compared.
"""

from __future__ import annotations

import math
from typing import NamedTuple

# What a line of unknown capacity begins with; libtorrent's `unchoke_slots_limit` is 8.
INITIAL_SLOTS = 8
# A peer that took so much since it was unchoked shows a rate, not the size of buffers.
PROVEN_LENGTH = 1 << 20
# BEP 3 has four and the optimistic one among or besides them.
MIN_SLOTS = 4
MAX_SLOTS = 1000
# More slots are tried a quarter at a time.
_STEP = 4
# The line is not full if the rate follows the number of peers at least half-way.
_FOLLOWS = 0.5
# Rounds after which it is tried again; twice as many each time that nothing is learned by it.
_PATIENCE = 6
_MAX_PATIENCE = 60
# A round in which so large a part of the peers came or went says nothing.
_UNSETTLED = 0.25


def slots_for(rate: float) -> int:
    """How many peers a full line of so many bytes a second is for."""
    return min(MAX_SLOTS, max(MIN_SLOTS, int(math.sqrt(0.6 * rate / 1000))))


class _Trial(NamedTuple):
    """How it was before the number of slots was changed."""

    slots: int
    served: int
    rate: float


class UploadCapacity:
    """The number of slots where the user sets none: `slots`."""

    __slots__ = (
        "_is_settling",
        "_limit",
        "_patience",
        "_pause",
        "_served",
        "_trial",
        "slots",
    )

    def __init__(self) -> None:
        self._limit: int | None = None
        self.slots = INITIAL_SLOTS
        self._begin()

    def _begin(self) -> None:
        self._trial: _Trial | None = None
        self._is_settling = False
        self._served = 0
        self._pause = 0
        self._patience = _PATIENCE

    @property
    def limit(self) -> int | None:
        """Bytes a second that may be sent; None: no limit."""
        return self._limit

    @limit.setter
    def limit(self, limit: int | None) -> None:
        if limit != self._limit:
            self._limit = limit
            self.slots = INITIAL_SLOTS if limit is None else slots_for(limit)
            self._begin()

    def proven(self, rate: float) -> None:
        """Peers take so many bytes a second that are on the line, not in buffers."""
        slots = slots_for(rate)
        if self._limit is None and slots > self.slots:
            self.slots = slots
            self._trial = None

    def seen(self, rate: float, *, served: int, waiting: int) -> None:
        """A round is over: see whether another number of slots is better.

        Args:
            rate: bytes a second that were sent to all peers.
            served: how many peers had a slot at the end.
            waiting: how many want a slot and have none.
        """
        before, self._served = self._served, served
        if self._limit is not None or not rate:
            return
        if self._is_settling:
            # Buffers are filled, or emptied by peers that were choked.
            self._is_settling = False
        elif self._trial is not None:
            trial, self._trial = self._trial, None
            self._judge(trial, rate, served, waiting)
        elif abs(served - before) > _UNSETTLED * before:
            return
        elif self._pause:
            self._pause -= 1
        else:
            fitting = slots_for(rate)
            if served > fitting:
                self._try(fitting, rate, served)
            elif waiting:
                self._try_more(rate, served)

    def _try(self, slots: int, rate: float, served: int) -> None:
        if not served:  # they all left just now: there is nothing to compare with
            return
        self._trial = _Trial(self.slots, served, rate)
        self._is_settling = True
        self.slots = min(MAX_SLOTS, slots)

    def _try_more(self, rate: float, served: int) -> None:
        self._try(self.slots + max(1, self.slots // _STEP), rate, served)

    def _judge(self, trial: _Trial, rate: float, served: int, waiting: int) -> None:
        change = served / trial.served - 1
        follows = bool(change) and (rate / trial.rate - 1) / change >= _FOLLOWS
        grew = self.slots > trial.slots
        if follows and not grew:
            self.slots = trial.slots
            waiting -= trial.served - served
            rate, served = trial.rate, trial.served
        if follows and waiting > 0:
            # The line is not full: there is room for more than there ever were.
            self._patience = _PATIENCE
            self._try_more(rate, served)
            return
        if grew and not follows:
            self.slots = max(trial.slots, slots_for(rate))
        self._pause, self._patience = self._patience, min(_MAX_PATIENCE, 2 * self._patience)
