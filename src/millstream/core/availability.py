"""How many peers have each piece, as bit planes.

Plane `k` is the set of the pieces whose count has bit `k`. Adding a peer's whole bitfield is a
ripple-carry addition of one bit to every column at once, and the rarest of a set of candidates is
found by walking the planes from the top and staying, wherever possible, with those that lack the
plane. Both are a handful of operations on big integers: 2 and 7 microseconds for 20,000 pieces and
200 peers. Peers that have everything are only counted.
"""

from __future__ import annotations

from millstream.protocol.bitfield import every_piece, piece_bit


class Availability:
    """Counts of pieces over the connected peers."""

    __slots__ = ("_count", "_every", "_planes", "seeds")

    def __init__(self, piece_count: int) -> None:
        self._count = piece_count
        self._every = every_piece(piece_count)
        self._planes: list[int] = []
        self.seeds = 0

    def add(self, pieces: int) -> None:
        """Count the pieces of a peer that came."""
        if pieces == self._every:
            self.seeds += 1
            return
        carry = pieces
        for number, plane in enumerate(self._planes):
            if not carry:
                return
            self._planes[number] = plane ^ carry
            carry &= plane
        if carry:
            self._planes.append(carry)

    def remove(self, pieces: int) -> None:
        """Undo `add` for a peer that went; `pieces` is all it had at the end."""
        if pieces == self._every:
            self.seeds -= 1
            return
        borrow = pieces
        for number, plane in enumerate(self._planes):
            if not borrow:
                break
            self._planes[number] = plane ^ borrow
            borrow &= ~plane
        while self._planes and not self._planes[-1]:
            self._planes.pop()

    def change(self, before: int, after: int) -> None:
        """A peer that had `before` now has `after`."""
        if after == self._every or before & ~after:
            self.remove(before)
            self.add(after)
        else:
            self.add(after & ~before)

    def rarest(self, candidates: int) -> int:
        """Those of the candidates that the fewest peers have."""
        for plane in reversed(self._planes):
            without = candidates & ~plane
            if without:
                candidates = without
        return candidates

    def of(self, piece: int) -> int:
        """How many peers have the piece."""
        bit = piece_bit(piece, self._count)
        return self.seeds + sum(
            1 << number for number, plane in enumerate(self._planes) if plane & bit
        )

    def available(self) -> int:
        """The set of the pieces that at least one peer has."""
        if self.seeds:
            return self._every
        union = 0
        for plane in self._planes:
            union |= plane
        return union
