from __future__ import annotations

import pytest
from fakes import block_data, make_geometry, piece_data
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from millstream.core.active_piece import ActivePiece
from millstream.core.active_pieces import ActivePieces
from millstream.core.geometry import ConnectionId, PieceIndex
from millstream.protocol.messages import BLOCK_LENGTH
from millstream.storage.buffers import PieceBufferPool

CONNECTIONS = st.integers(1, 4).map(ConnectionId)


class ActivePiecesMachine(RuleBasedStateMachine):
    """Blocks are claimed, come and are released; `awaited` knows who was asked for what, and when
    each block was last asked of anybody.
    """

    @initialize()
    def begin(self) -> None:
        self.geometry = make_geometry(4, 3, last_length=BLOCK_LENGTH + 9)
        self.pool = PieceBufferPool(3 * self.geometry.piece_length)
        self.active = ActivePieces(self.geometry, self.pool, 64 << 20)
        self.awaited: dict[tuple[int, int], list[int]] = {}
        self.asked_at: dict[tuple[int, int], float] = {}
        self.came: dict[tuple[int, int], int] = {}
        self.at_disk: set[int] = set()
        self.now = 0.0

    def forget(self, index: int) -> None:
        """Nothing is left of the piece."""
        for book in (self.awaited, self.came, self.asked_at):
            for key in [key for key in book if key[0] == index]:
                del book[key]

    def drop_untouched(self) -> None:
        known = {index for index, _ in (*self.awaited, *self.came)}
        for index in range(4):
            if index not in known:
                assert self.active.get(index) is None

    def piece(self, data: st.DataObject) -> ActivePiece:
        return data.draw(st.sampled_from(list(self.active)))

    @rule(seconds=st.sampled_from([1.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(index=st.integers(0, 3), by=CONNECTIONS, most=st.integers(1, 3))
    def start(self, index: int, by: ConnectionId, most: int) -> None:
        if (
            self.active.get(index) is None
            and index not in self.at_disk
            and self.active.startable(1)
        ):
            self.claim_in(self.active.start(PieceIndex(index)), by, most)

    @precondition(lambda self: len(list(self.active)))
    @rule(data=st.data(), by=CONNECTIONS, most=st.integers(0, 3))
    def claim(self, data: st.DataObject, by: ConnectionId, most: int) -> None:
        self.claim_in(self.piece(data), by, most)

    def claim_in(self, piece: ActivePiece, by: ConnectionId, most: int) -> None:
        free = [
            block
            for block in range(piece.block_count)
            if (piece.index, block) not in self.awaited and (piece.index, block) not in self.came
        ]
        runs = piece.claim(by, most, self.now)
        self.active.claimed(piece, by)
        claimed = [block for first, count in runs for block in range(first, first + count)]
        assert claimed == free[:most]
        for block in claimed:
            self.awaited[piece.index, block] = [by]
            self.asked_at[piece.index, block] = self.now

    @precondition(lambda self: self.awaited)
    @rule(data=st.data(), by=CONNECTIONS)
    def ask_also(self, data: st.DataObject, by: ConnectionId) -> None:
        index, block = data.draw(st.sampled_from(sorted(self.awaited)))
        if by not in self.awaited[index, block]:
            self.active.ask_also(self.active.get(index), block, by, self.now)
            self.awaited[index, block].append(by)
            self.asked_at[index, block] = self.now

    @precondition(lambda self: self.awaited)
    @rule(data=st.data())
    def put(self, data: st.DataObject) -> None:
        index, block = data.draw(st.sampled_from(sorted(self.awaited)))
        by = data.draw(st.sampled_from(self.awaited[index, block]))
        piece = self.active.get(index)
        if piece.view is None:
            self.active.give_buffer(piece)
        others = piece.put(by, block, memoryview(block_data(self.geometry, index, block)))
        assert sorted([*others, by]) == sorted(self.awaited.pop((index, block)))
        self.came[index, block] = by
        if not piece.missing:
            self.active.to_disk(piece)
            self.at_disk.add(index)

    @precondition(lambda self: self.at_disk)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        index = data.draw(st.sampled_from(sorted(self.at_disk)))
        piece = self.active.at_disk(index)
        assert bytes(piece.view) == piece_data(self.geometry, index)
        assert piece.owner == [self.came[index, block] for block in range(piece.block_count)]
        self.active.finish(index)
        self.at_disk.remove(index)
        self.forget(index)

    @rule(by=CONNECTIONS)
    def release(self, by: ConnectionId) -> None:
        released = {(piece.index, block) for piece, block in self.active.release(by)}
        assert released == {key for key, asked in self.awaited.items() if by in asked}
        for key in released:
            self.awaited[key].remove(by)
            if not self.awaited[key]:
                del self.awaited[key]
        self.drop_untouched()

    @rule(by=CONNECTIONS, age=st.sampled_from([0.0, 5.0, 15.0]))
    def time_out(self, by: ConnectionId, age: float) -> None:
        before = self.now - age
        released = {
            (piece.index, block) for piece, block in self.active.release(by, asked_before=before)
        }
        # Only who is first in line is measured; the others come to be first.
        assert released == {
            key
            for key, asked in self.awaited.items()
            if asked[0] == by and self.asked_at[key] < before
        }
        for key in released:
            self.awaited[key].remove(by)
            if not self.awaited[key]:
                del self.awaited[key]
        self.drop_untouched()

    @precondition(lambda self: len(list(self.active)))
    @rule(data=st.data(), by=CONNECTIONS)
    def reject(self, data: st.DataObject, by: ConnectionId) -> None:
        piece = self.piece(data)
        block = data.draw(st.integers(0, piece.block_count - 1))
        asked = self.awaited.get((piece.index, block), [])
        assert piece.release_block(by, block) == (by in asked)
        if by in asked:
            asked.remove(by)
            if not asked:
                del self.awaited[piece.index, block]
            self.active.freed(piece)
        self.drop_untouched()

    @precondition(lambda self: len(list(self.active)))
    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        piece = self.piece(data)
        self.active.abandon(piece)
        self.forget(piece.index)

    @rule()
    def clear(self) -> None:
        for index in {piece.index for piece in self.active}:
            self.forget(index)
        self.active.clear()

    @invariant()
    def agrees(self) -> None:
        self.active.check_invariant()
        lengths = 0
        for index in range(4):
            piece = self.active.get(index)
            if piece is None and index in self.at_disk:
                piece = self.active.at_disk(index)
            if piece is None:
                continue
            lengths += piece.length
            blocks = range(piece.block_count)
            came = {block: piece.owner[block] for block in blocks if piece.received[block]}
            assert came == {
                block: self.came[index, block] for block in blocks if (index, block) in self.came
            }
            assert (piece.view is not None) == bool(came)
            assert piece.awaited_connections() == {
                by for block in blocks for by in self.awaited.get((index, block), [])
            }
            for block in blocks:
                for by in range(1, 5):
                    expected = by in self.awaited.get((index, block), [])
                    assert piece.is_awaited_from(ConnectionId(by), block) == expected
        assert self.pool.reserved_bytes == lengths


@pytest.mark.slow
class TestActivePieces(ActivePiecesMachine.TestCase):
    pass
