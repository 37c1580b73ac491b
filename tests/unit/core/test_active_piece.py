from __future__ import annotations

import pytest

from millstream.core.active_piece import NOBODY, RESTORED, ActivePiece
from millstream.core.geometry import ConnectionId, PieceIndex
from millstream.protocol.messages import BLOCK_LENGTH

ALICE, BOB, CAROL = ConnectionId(1), ConnectionId(2), ConnectionId(3)


def make_piece(blocks: int = 4, *, short: int = 0) -> ActivePiece:
    piece = ActivePiece(PieceIndex(0), blocks * BLOCK_LENGTH - short)
    piece.view = memoryview(bytearray(piece.length))
    return piece


def put(piece: ActivePiece, connection: ConnectionId, block: int) -> list[ConnectionId]:
    length = min(BLOCK_LENGTH, piece.length - block * BLOCK_LENGTH)
    others = piece.put(connection, block, memoryview(bytes([block + 1]) * length))
    piece.check_invariant()
    return others


def test_a_new_piece_is_untouched():
    piece = make_piece(4, short=100)
    assert (piece.block_count, piece.missing, piece.unrequested) == (4, 4, 4)
    assert piece.is_untouched
    assert piece.awaited_connections() == set()
    assert piece.received_bytes == 0
    piece.check_invariant()


def test_blocks_are_claimed_in_order():
    piece = make_piece(4)
    assert piece.claim(ALICE, 1, 0.0) == [(0, 1)]
    assert piece.claim(BOB, 2, 0.0) == [(1, 2)]
    assert piece.claim(CAROL, 9, 0.0) == [(3, 1)]
    assert piece.claim(ALICE, 9, 0.0) == []
    assert piece.owner == [ALICE, BOB, BOB, CAROL]
    assert piece.unrequested == 0
    piece.check_invariant()


def test_claims_go_around_what_others_were_asked_for():
    piece = make_piece(6)
    piece.claim(ALICE, 6, 0.0)
    for block in (0, 2, 3, 5):
        piece.release_block(ALICE, block)
    assert piece.claim(BOB, 3, 0.0) == [(0, 1), (2, 2)]
    assert piece.claim(BOB, 3, 0.0) == [(5, 1)]
    piece.check_invariant()


def test_nothing_is_claimed_for_no_room():
    assert make_piece().claim(ALICE, 0, 0.0) == []


def test_a_block_is_stored_where_it_belongs():
    piece = make_piece(2, short=BLOCK_LENGTH - 10)
    piece.claim(ALICE, 2, 0.0)
    assert put(piece, ALICE, 1) == []
    assert put(piece, ALICE, 0) == []
    assert bytes(piece.view) == b"\1" * BLOCK_LENGTH + b"\2" * 10
    assert piece.missing == 0


def test_contributors_are_recorded():
    piece = make_piece(3)
    piece.claim(ALICE, 2, 0.0)
    piece.claim(BOB, 1, 0.0)
    put(piece, ALICE, 0)
    assert piece.owner == [ALICE, ALICE, BOB]
    assert piece.awaited_connections() == {ALICE, BOB}
    put(piece, BOB, 2)
    assert bytes(piece.received) == b"\1\0\1"
    assert piece.awaited_connections() == {ALICE}


def test_a_block_is_awaited_until_it_came():
    piece = make_piece(2)
    piece.claim(ALICE, 1, 0.0)
    assert piece.is_awaited_from(ALICE, 0)
    assert not piece.is_awaited_from(BOB, 0)
    assert not piece.is_awaited_from(NOBODY, 1)
    put(piece, ALICE, 0)
    assert not piece.is_awaited_from(ALICE, 0)


def test_the_second_who_was_asked_may_be_first():
    piece = make_piece(1)
    piece.claim(ALICE, 1, 0.0)
    piece.ask_also(0, BOB, 0.0)
    piece.ask_also(0, CAROL, 0.0)
    piece.check_invariant()
    assert piece.awaited_connections() == {ALICE, BOB, CAROL}
    assert set(put(piece, BOB, 0)) == {ALICE, CAROL}
    assert piece.owner == [BOB]
    assert piece.awaited_connections() == set()


def test_the_first_who_was_asked_may_be_first():
    piece = make_piece(1)
    piece.claim(ALICE, 1, 0.0)
    piece.ask_also(0, BOB, 0.0)
    assert put(piece, ALICE, 0) == [BOB]
    assert piece.owner == [ALICE]


def test_what_a_peer_owes_is_released_and_what_it_gave_is_kept():
    piece = make_piece(4)
    piece.claim(ALICE, 3, 0.0)
    piece.claim(BOB, 1, 0.0)
    put(piece, ALICE, 1)
    assert piece.release(ALICE) == [0, 2]
    assert piece.unrequested == 2
    assert piece.owner == [NOBODY, ALICE, NOBODY, BOB]
    piece.check_invariant()
    assert piece.release(ALICE) == []


def test_a_released_block_falls_to_the_next_who_was_asked():
    piece = make_piece(1)
    piece.claim(ALICE, 1, 0.0)
    piece.ask_also(0, BOB, 0.0)
    piece.ask_also(0, CAROL, 0.0)
    assert piece.release(ALICE) == [0]
    piece.check_invariant()
    assert piece.unrequested == 0
    assert not piece.is_awaited_from(ALICE, 0)
    assert piece.is_awaited_from(BOB, 0)
    assert piece.release(BOB) == [0]
    assert piece.release(CAROL) == [0]
    assert piece.is_untouched
    piece.check_invariant()


def test_the_second_who_was_asked_may_be_released():
    piece = make_piece(1)
    piece.claim(ALICE, 1, 0.0)
    piece.ask_also(0, BOB, 0.0)
    assert piece.release(BOB) == [0]
    assert piece.also_asked == {}
    assert piece.is_awaited_from(ALICE, 0)
    piece.check_invariant()


def test_only_old_requests_time_out():
    piece = make_piece(4)
    piece.claim(ALICE, 2, 10.0)
    piece.claim(ALICE, 1, 20.0)
    piece.claim(BOB, 1, 5.0)
    assert piece.release(ALICE, asked_before=10.0) == []
    assert piece.release(ALICE, asked_before=15.0) == [0, 1]
    assert piece.is_awaited_from(ALICE, 2)
    assert piece.is_awaited_from(BOB, 3)


def test_who_was_asked_later_is_given_as_much_time():
    piece = make_piece(1)
    piece.claim(ALICE, 1, 0.0)
    piece.ask_also(0, BOB, 20.0)
    assert piece.release(ALICE, asked_before=20.0) == []
    assert piece.release(BOB, asked_before=20.0) == []
    assert piece.release(ALICE, asked_before=20.1) == [0]
    assert piece.release(BOB, asked_before=20.0) == []
    assert piece.release(BOB, asked_before=20.1) == [0]


@pytest.mark.parametrize(("connection", "released"), [(ALICE, True), (BOB, True), (CAROL, False)])
def test_one_block_is_released(connection, released):
    piece = make_piece(2)
    piece.claim(ALICE, 2, 0.0)
    piece.ask_also(1, BOB, 0.0)
    assert piece.release_block(connection, 1) is released
    piece.check_invariant()
    assert not piece.is_awaited_from(connection, 1)
    assert piece.unrequested == 0


def test_a_block_that_came_is_not_released():
    piece = make_piece(2)
    piece.claim(ALICE, 2, 0.0)
    put(piece, ALICE, 0)
    assert not piece.release_block(ALICE, 0)
    assert piece.missing == 1


def test_books_that_do_not_agree_are_found():
    piece = make_piece(2)
    piece.missing = 1
    with pytest.raises(AssertionError):
        piece.check_invariant()


def test_a_restored_block_came_from_nobody_who_is_here():
    piece = make_piece(3, short=10)
    piece.claim(ALICE, 1, 0.0)
    piece.restore(2, memoryview(b"x" * (BLOCK_LENGTH - 10)))
    piece.check_invariant()
    assert (piece.missing, piece.unrequested) == (2, 1)
    assert piece.owner == [ALICE, NOBODY, RESTORED]
    assert bytes(piece.view[2 * BLOCK_LENGTH :]) == b"x" * (BLOCK_LENGTH - 10)
    assert piece.awaited_connections() == {ALICE}
    assert piece.claim(BOB, 9, 0.0) == [(1, 1)]


def test_the_bytes_that_came_are_counted():
    piece = make_piece(3, short=10)
    piece.claim(ALICE, 3, 0.0)
    put(piece, ALICE, 0)
    assert piece.received_bytes == BLOCK_LENGTH
    put(piece, ALICE, 2)
    assert piece.received_bytes == 2 * BLOCK_LENGTH - 10
