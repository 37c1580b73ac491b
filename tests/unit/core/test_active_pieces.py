from __future__ import annotations

import pytest
from fakes import make_geometry, pieces

from millstream.core.active_piece import NOBODY
from millstream.core.active_pieces import RESTORED_SHARE, ActivePieces
from millstream.core.geometry import ConnectionId, Geometry, PieceIndex
from millstream.protocol.messages import BLOCK_LENGTH
from millstream.storage.buffers import PieceBufferPool

ALICE, BOB = ConnectionId(1), ConnectionId(2)
GEOMETRY = make_geometry(4, 2, last_length=BLOCK_LENGTH + 100)
PIECE_LENGTH = GEOMETRY.piece_length


def make(room: int = 100) -> tuple[ActivePieces, PieceBufferPool]:
    pool = PieceBufferPool(room * PIECE_LENGTH)
    return ActivePieces(GEOMETRY, pool, 64 << 20), pool


def start(active: ActivePieces, index: int, by: ConnectionId = ALICE, most: int = 9):
    piece = active.start(PieceIndex(index))
    piece.claim(by, most, 0.0)
    active.claimed(piece, by)
    return piece


def fill(active: ActivePieces, piece):
    """All blocks come from whom they were asked."""
    active.give_buffer(piece)
    for block in range(piece.block_count):
        data = bytes(GEOMETRY.block_length(piece.index, block))
        piece.put(piece.owner[block], block, memoryview(data))


def test_begun_pieces_are_taken_and_counted():
    active, pool = make()
    start(active, 0)
    start(active, 3)
    assert active.taken == pieces("*  *")
    assert len(active) == 2
    assert [piece.index for piece in active] == [0, 3]
    assert pool.reserved_bytes == PIECE_LENGTH + BLOCK_LENGTH + 100
    active.check_invariant()


def test_a_piece_with_blocks_left_is_unclaimed():
    active, _ = make()
    piece = start(active, 0, most=1)
    assert list(active.unclaimed) == [0]
    piece.claim(BOB, 1, 0.0)
    active.claimed(piece, BOB)
    assert not active.unclaimed
    active.check_invariant()


def test_there_is_room_for_what_the_pool_has_room_for():
    active, pool = make(room=3)
    assert active.startable(9) == 3
    assert active.startable(2) == 2
    start(active, 0)
    assert active.startable(9) == 2
    pool.reserve(PIECE_LENGTH + 1)
    assert active.startable(9) == 0


def test_there_is_always_room_for_one_piece():
    active, pool = make(room=0)
    pool.reserve(5 * PIECE_LENGTH)  # other torrents
    assert active.startable(9) == 1
    assert active.startable(0) == 0
    start(active, 0)
    assert active.startable(9) == 0


def test_requests_alone_take_no_buffer():
    active, _ = make()
    piece = start(active, 0)
    assert piece.view is None
    active.give_buffer(piece)
    assert piece.view is not None
    assert len(piece.view) == PIECE_LENGTH


def test_a_whole_piece_waits_for_the_disk_and_is_still_taken():
    active, pool = make()
    piece = start(active, 0)
    fill(active, piece)
    active.to_disk(piece)
    assert active.get(0) is None
    assert active.at_disk(0) is piece
    assert active.at_disk_count == 1
    assert active.taken == pieces("*   ")
    assert list(active) == []
    assert len(active) == 1
    assert pool.reserved_bytes == PIECE_LENGTH
    active.check_invariant()


def test_a_finished_piece_gives_back_its_room_and_its_buffer():
    active, pool = make()
    piece = start(active, 0)
    fill(active, piece)
    active.to_disk(piece)
    assert active.finish(0) is piece
    assert piece.view is None
    assert (len(active), active.taken, pool.reserved_bytes) == (0, 0, 0)
    assert pool.free_bytes == PIECE_LENGTH
    assert active.at_disk_count == 0
    active.check_invariant()


def test_a_piece_of_which_nothing_is_left_goes():
    active, pool = make()
    start(active, 0)
    assert [(piece.index, block) for piece, block in active.release(ALICE)] == [(0, 0), (0, 1)]
    assert (len(active), active.taken, pool.reserved_bytes) == (0, 0, 0)
    assert not active.unclaimed
    active.check_invariant()


def test_a_piece_of_which_something_is_left_stays_for_others():
    active, pool = make()
    piece = start(active, 0, ALICE, 1)
    piece.claim(BOB, 1, 0.0)
    active.claimed(piece, BOB)
    active.release(ALICE)
    assert list(active.unclaimed) == [0]
    assert active.get(0) is piece
    active.check_invariant()
    active.release(BOB)
    assert len(active) == 0
    assert pool.reserved_bytes == 0


def test_what_came_stays_when_its_sender_goes():
    active, _ = make()
    piece = start(active, 0)
    active.give_buffer(piece)
    piece.put(ALICE, 1, memoryview(bytes(BLOCK_LENGTH)))
    active.release(ALICE)
    assert active.get(0) is piece
    assert (piece.owner, list(piece.received)) == ([NOBODY, ALICE], [0, 1])
    assert piece.unrequested == 1
    active.check_invariant()


def test_pieces_at_the_disk_are_not_touched_by_who_goes():
    active, _ = make()
    piece = start(active, 0)
    fill(active, piece)
    active.to_disk(piece)
    assert active.release(ALICE) == []
    active.clear()
    assert active.at_disk(0) is piece
    active.check_invariant()


def test_all_are_dropped():
    active, pool = make()
    for index in range(3):
        start(active, index)
    active.give_buffer(next(iter(active)))
    active.clear()
    assert (len(active), active.taken, pool.reserved_bytes) == (0, 0, 0)
    active.check_invariant()


@pytest.mark.parametrize("blocks_owed", [0, 1])
def test_a_piece_is_not_left_to_a_peer_that_went(blocks_owed):
    active, _ = make()
    piece = start(active, 0, ALICE, 1 + blocks_owed)
    piece.only_from = ALICE
    active.give_buffer(piece)
    piece.put(ALICE, 0, memoryview(bytes(BLOCK_LENGTH)))
    active.release(ALICE)
    assert piece.only_from is None
    assert list(active.unclaimed) == [0]


def test_a_piece_is_not_left_to_a_peer_that_does_not_answer():
    active, _ = make()
    piece = start(active, 0)
    piece.only_from = ALICE
    active.give_buffer(piece)
    piece.put(ALICE, 0, memoryview(bytes(BLOCK_LENGTH)))
    active.release(ALICE, asked_before=1.0)
    assert piece.only_from is None


def test_books_that_do_not_agree_are_found():
    active, _ = make()
    start(active, 0)
    active.taken = 0
    with pytest.raises(AssertionError):
        active.check_invariant()


def test_nothing_is_begun_while_the_disk_lags_and_three_pieces_may_always_wait():
    geometry = Geometry(64 * BLOCK_LENGTH, BLOCK_LENGTH)
    for max_unwritten_bytes, waiting in ((1, 3), (5 * BLOCK_LENGTH, 5)):
        active = ActivePieces(geometry, PieceBufferPool(1 << 30), max_unwritten_bytes)
        for index in range(waiting):
            assert active.startable(9) == 9
            active.to_disk(active.start(PieceIndex(index)))
        assert active.disk_lags
        assert active.startable(9) == 0
        active.finish(0)
        assert active.startable(9) == 9


def test_pieces_that_are_put_back_leave_room_for_others():
    active, pool = make()
    room = pool.room
    assert active.restorable_bytes == room // RESTORED_SHARE
    pool.reserve(room + 1)
    assert active.restorable_bytes < 0
