from __future__ import annotations

from millstream.core.active_piece import ActivePiece
from millstream.core.endgame import MAX_PEERS_PER_BLOCK, PATIENCE, duplicates
from millstream.core.geometry import ConnectionId, PieceIndex
from millstream.protocol.messages import BLOCK_LENGTH

ALICE, BOB = ConnectionId(1), ConnectionId(2)
LATER = PATIENCE + 1


def make(index: int = 0, blocks: int = 4, by: ConnectionId = ALICE, now: float = 0.0):
    piece = ActivePiece(PieceIndex(index), blocks * BLOCK_LENGTH)
    piece.claim(by, blocks, now)
    return piece


def found(*begun: ActivePiece, connection=BOB, most: int = 99, now: float = LATER):
    return [(piece.index, block) for piece, block in duplicates(begun, connection, most, now)]


def test_the_newest_requests_come_first():
    assert found(make(0, 2), make(1, 2)) == [(1, 1), (1, 0), (0, 1), (0, 0)]


def test_at_most_as_many_as_wanted():
    assert found(make(0, 2), make(1, 2), most=3) == [(1, 1), (1, 0), (0, 1)]
    assert found(make(), most=0) == []


def test_nobody_is_asked_twice():
    assert found(make(), connection=ALICE) == []
    piece = make()
    piece.ask_also(2, BOB, 0.0)
    assert found(piece) == [(0, 3), (0, 1), (0, 0)]


def test_what_came_or_was_not_asked_for_is_left_out():
    piece = ActivePiece(PieceIndex(0), 4 * BLOCK_LENGTH)
    piece.view = memoryview(bytearray(piece.length))
    piece.claim(ALICE, 3, 0.0)
    piece.put(ALICE, 1, memoryview(bytes(BLOCK_LENGTH)))
    assert found(piece) == [(0, 2), (0, 0)]


def test_an_owner_is_given_time():
    piece = make(now=10.0)
    assert found(piece, now=10.0 + PATIENCE - 0.01) == []
    assert len(found(piece, now=10.0 + PATIENCE)) == 4


def test_a_block_is_asked_of_few():
    piece = make(blocks=1)
    for number in range(MAX_PEERS_PER_BLOCK - 1):
        assert found(piece) == [(0, 0)]
        piece.ask_also(0, ConnectionId(10 + number), 0.0)
    assert found(piece) == []


def test_a_piece_that_must_come_from_one_peer_comes_from_one_peer():
    piece = make()
    piece.only_from = ALICE
    assert found(piece) == []
