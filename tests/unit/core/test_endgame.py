from __future__ import annotations

from fakes import pieces

from millstream.core.active_piece import ActivePiece
from millstream.core.endgame import LONG_WAIT, MAX_PEERS_PER_BLOCK, PATIENCE, REFRESH, Endgame
from millstream.core.geometry import ConnectionId, PieceIndex
from millstream.protocol.messages import BLOCK_LENGTH

ALICE, BOB = ConnectionId(1), ConnectionId(2)
LATER = PATIENCE + 1
assert LATER < LONG_WAIT


def make(index: int = 0, blocks: int = 4, by: ConnectionId = ALICE, now: float = 0.0):
    piece = ActivePiece(PieceIndex(index), blocks * BLOCK_LENGTH)
    piece.claim(by, blocks, now)
    return piece


def found(
    *begun: ActivePiece,
    connection=BOB,
    most: int = 99,
    now: float = LATER,
    has: str = "**",
    endgame: Endgame | None = None,
):
    endgame = endgame or Endgame()
    duplicates = endgame.duplicates(begun, connection, pieces(has), len(has), most, now)
    return [(piece.index, block) for piece, block in duplicates]


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


def test_a_block_that_few_do_not_send_is_asked_of_one_more_from_time_to_time():
    piece = make(blocks=1)
    now = PATIENCE
    for number in range(10):
        assert found(piece, now=now) == [(0, 0)]
        piece.ask_also(0, ConnectionId(10 + number), now)
        assert found(piece, now=now + PATIENCE - 0.01) == []
        now += LONG_WAIT


def test_a_piece_that_must_come_from_one_peer_comes_from_one_peer():
    piece = make()
    piece.only_from = ALICE
    assert found(piece) == []


def test_only_pieces_that_the_peer_has():
    assert found(make(0, 2), make(1, 2), has="* ") == [(0, 1), (0, 0)]


def test_many_idle_peers_share_one_look():
    endgame, piece = Endgame(), make(blocks=3)
    assert found(piece, most=2, endgame=endgame) == [(0, 2), (0, 1)]
    carol = ConnectionId(3)
    assert found(piece, connection=carol, endgame=endgame) == [(0, 0)]
    assert found(piece, connection=carol, endgame=endgame) == []
    # Nobody was asked after all: it is found again.
    assert len(found(piece, endgame=endgame, now=LATER + REFRESH)) == 3


def test_an_owner_s_own_blocks_are_left_to_others():
    endgame, piece = Endgame(), make(blocks=2)
    assert found(piece, connection=ALICE, endgame=endgame) == []
    assert found(piece, endgame=endgame) == [(0, 1), (0, 0)]


def test_what_came_since_the_look_is_left_out():
    endgame, piece = Endgame(), make(blocks=2)
    assert found(piece, connection=ALICE, endgame=endgame) == []
    piece.view = memoryview(bytearray(piece.length))
    piece.put(ALICE, 1, memoryview(bytes(BLOCK_LENGTH)))
    assert found(piece, endgame=endgame) == [(0, 0)]
