"""Which piece to begin next.

What decides a pick, in order; re-check this list when changing anything here:

1. Only pieces that the peer has, that are wanted, and that nobody has begun. (Begun pieces come
   first of all: `core.download` offers them before it asks here.)
2. Sequential mode: the first such piece.
3. Otherwise those that the fewest connected peers have, and among equals a random one, so that
   peers fed by the same seed fetch different pieces and have something to trade.
4. A web seed is asked for pieces that follow each other, from such a piece on.
"""

from __future__ import annotations

import random

from millstream.core.availability import Availability
from millstream.core.piece_set import first_members, random_members
from millstream.protocol.bitfield import has_piece, piece_bit


class PiecePicker:
    """Picks pieces of one torrent. Sets of pieces are ints, as everywhere."""

    __slots__ = ("_availability", "_count", "_rng", "sequential")

    def __init__(self, piece_count: int, availability: Availability, rng: random.Random) -> None:
        self._count = piece_count
        self._availability = availability
        self._rng = rng
        self.sequential = False

    def pick(self, candidates: int, most: int) -> list[int]:
        """At most `most` of the candidates, the best first.

        Args:
            candidates: the set of pieces that may be begun.
            most: how many to pick.
        """
        if self.sequential:
            return first_members(candidates, self._count, most)
        picked: list[int] = []
        while candidates and len(picked) < most:
            rarest = self._availability.rarest(candidates)
            picked += random_members(rarest, self._count, most - len(picked), self._rng)
            candidates &= ~rarest
        return picked

    def pick_run(self, candidates: int, most: int, at: int) -> list[int]:
        """As `pick`, but pieces that follow each other, as far as that goes.

        Args:
            candidates: the set of pieces that may be begun.
            most: how many to pick.
            at: the piece to begin with, if it is one of them: where the latest run ended.
        """
        picked: list[int] = []
        while candidates and len(picked) < most:
            if at >= self._count or not has_piece(candidates, at, self._count):
                [at] = self.pick(candidates, 1)
            picked.append(at)
            candidates ^= piece_bit(at, self._count)
            at += 1
        return picked
