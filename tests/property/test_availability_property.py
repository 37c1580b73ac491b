from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from millstream.core.availability import Availability
from millstream.core.piece_set import members
from millstream.protocol.bitfield import every_piece, piece_set


class AvailabilityMachine(RuleBasedStateMachine):
    """Peers come, change and go; a Counter knows better."""

    @initialize(count=st.integers(1, 12))
    def begin(self, count: int) -> None:
        self.count = count
        self.every = every_piece(count)
        self.availability = Availability(count)
        self.peers: list[int] = []

    def sets(self) -> st.SearchStrategy[int]:
        return st.integers(0, self.every) | st.sampled_from([0, self.every])

    @rule(data=st.data())
    def come(self, data: st.DataObject) -> None:
        self.peers.append(data.draw(self.sets()))
        self.availability.add(self.peers[-1])

    @precondition(lambda self: self.peers)
    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.peers) - 1))
        self.availability.remove(self.peers.pop(at))

    @precondition(lambda self: self.peers)
    @rule(data=st.data(), grow=st.booleans())
    def change(self, data: st.DataObject, *, grow: bool) -> None:
        at = data.draw(st.integers(0, len(self.peers) - 1))
        before, after = self.peers[at], data.draw(self.sets())
        if grow:
            after |= before
        self.peers[at] = after
        self.availability.change(before, after)

    @invariant()
    def agrees(self) -> None:
        counts = Counter(piece for peer in self.peers for piece in members(peer, self.count))
        assert [self.availability.of(piece) for piece in range(self.count)] == [
            counts[piece] for piece in range(self.count)
        ]
        assert self.availability.available() == piece_set(+counts, self.count)
        assert self.availability.seeds == self.peers.count(self.every)

    @rule(data=st.data())
    def rarest(self, data: st.DataObject) -> None:
        candidates = set(members(data.draw(self.sets()), self.count))
        rarest = set(
            members(self.availability.rarest(piece_set(candidates, self.count)), self.count)
        )
        counts = {piece: self.availability.of(piece) for piece in candidates}
        fewest = min(counts.values(), default=0)
        assert rarest == {piece for piece in candidates if counts[piece] == fewest}


@pytest.mark.slow
class TestAvailability(AvailabilityMachine.TestCase):
    pass
