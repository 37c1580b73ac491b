"""Which piece to begin next.

What decides a pick, in order; re-check this list when changing anything here:

1. Only pieces that the peer has, that are wanted, and that nobody has begun. (Begun pieces come
   first of all: `core.download` offers them before it asks here.)
2. The best class of pieces of which there are some (`core.file_priority`), whatever is rare: what
   is wanted first comes first, also in sequential mode and in runs.
3. Sequential mode: the first such piece.
4. Otherwise those that the fewest connected peers have, and among equals a random one, so that
   peers fed by the same seed fetch different pieces and have something to trade.
5. A web seed is asked for pieces that follow each other, from such a piece on.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from millstream.core.availability import Availability
from millstream.core.need import Need
from millstream.core.piece_set import first_members, random_members
from millstream.protocol.bitfield import has_piece, piece_bit


class PiecePicker:
    """Picks pieces of one torrent. Sets of pieces are ints, as everywhere.

    Args:
        need: what is to come first.
        availability: how many peers have each piece.
        rng: chooses among equals.
    """

    __slots__ = ("_availability", "_count", "_need", "_rng")

    def __init__(self, need: Need, availability: Availability, rng: random.Random) -> None:
        self._need = need
        self._count = need.piece_count
        self._availability = availability
        self._rng = rng

    def foremost(self, candidates: int) -> int:
        """Those of the candidates that are of the best class."""
        return next(self._by_class(candidates), 0)

    def pick(self, candidates: int, most: int) -> list[int]:
        """At most `most` of the candidates, the best first.

        Args:
            candidates: the set of pieces that may be begun.
            most: how many to pick.
        """
        picked: list[int] = []
        for among in self._by_class(candidates):
            picked += self._pick_among(among, most - len(picked))
            if len(picked) == most:
                break
        return picked

    def pick_run(self, candidates: int, most: int, at: int) -> list[int]:
        """As `pick`, but pieces that follow each other, as far as that goes.

        Args:
            candidates: the set of pieces that may be begun.
            most: how many to pick.
            at: the piece to begin with, if it is one of them: where the latest run ended.
        """
        picked: list[int] = []
        for among in self._by_class(candidates):
            while among and len(picked) < most:
                if at >= self._count or not has_piece(among, at, self._count):
                    [at] = self._pick_among(among, 1)
                picked.append(at)
                among ^= piece_bit(at, self._count)
                at += 1
            if len(picked) == most:
                break
        return picked

    def _by_class(self, candidates: int) -> Iterator[int]:
        """Part the candidates by class, the best first, without empty parts."""
        for pieces in self._need.classes:
            among = candidates & pieces
            if among:
                yield among
                candidates ^= among
        if candidates:
            yield candidates

    def _pick_among(self, candidates: int, most: int) -> list[int]:
        """As `pick`, of pieces of the same class."""
        if self._need.sequential:
            return first_members(candidates, self._count, most)
        picked: list[int] = []
        while candidates and len(picked) < most:
            rarest = self._availability.rarest(candidates)
            picked += random_members(rarest, self._count, most - len(picked), self._rng)
            candidates &= ~rarest
        return picked
