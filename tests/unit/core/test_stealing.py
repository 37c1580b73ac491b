from __future__ import annotations

from dataclasses import dataclass, field

from fakes import pieces

from millstream.core.active_piece import ActivePiece
from millstream.core.geometry import ConnectionId, PieceIndex
from millstream.core.rates import RateMeter
from millstream.core.stealing import NEXT_PATIENCE, PATIENCE, Stealing
from millstream.protocol.messages import BLOCK_LENGTH

SLOW, SLOWER, THIEF = ConnectionId(1), ConnectionId(2), ConnectionId(3)
LATER = NEXT_PATIENCE + 1.0
FAST = 1e6


@dataclass
class Somebody:
    snubbed: bool = False
    downloaded: RateMeter = field(default_factory=lambda: RateMeter(0.0))


def sender(rate: float) -> Somebody:
    somebody = Somebody()
    somebody.downloaded.total = round(rate * LATER)
    return somebody


def make(index: int, by: ConnectionId, *, blocks: int = 2) -> ActivePiece:
    piece = ActivePiece(PieceIndex(index), blocks * BLOCK_LENGTH)
    piece.claim(by, blocks, 0.0)
    return piece


def look(*begun: ActivePiece, now: float = LATER, snubbed: bool = False) -> Stealing:
    stealing = Stealing()
    peers = {SLOW: sender(1000), SLOWER: sender(100), THIEF: sender(FAST)}
    peers[SLOW].snubbed = snubbed
    stealing.look(begun, peers, 4, now)
    return stealing


def stolen(stealing: Stealing, *, has: str = "****", rate: float = FAST, most: int = 99):
    found = stealing.steal(THIEF, pieces(has), 4, rate, most)
    return [(int(piece.index), block) for piece, block in found]


def test_the_slowest_are_stolen_from_first_and_of_each_the_last_block():
    stealing = look(make(0, SLOW), make(1, SLOWER), make(2, SLOW))
    assert stealing.slowest is not None
    assert round(stealing.slowest) == 100
    assert stolen(stealing) == [(1, 1), (1, 0), (0, 1), (0, 0), (2, 1), (2, 0)]
    assert stealing.slowest is None


def test_only_who_is_slow_enough_is_stolen_from():
    stealing = look(make(0, SLOW), make(1, SLOWER))
    assert stolen(stealing, rate=50) == []
    assert stolen(stealing, rate=500) == [(1, 1), (1, 0)]
    assert stolen(stealing, rate=500) == []
    assert stolen(stealing, rate=1001) == [(0, 1), (0, 0)]


def test_no_more_than_wanted_and_the_rest_is_for_the_next():
    stealing = look(make(0, SLOW, blocks=5))
    assert stolen(stealing, most=2) == [(0, 4), (0, 3)]
    assert stolen(stealing, most=2) == [(0, 2), (0, 1)]


def test_only_pieces_that_the_thief_has():
    stealing = look(make(0, SLOW), make(1, SLOW))
    assert stolen(stealing, has="  **") == []
    assert stolen(stealing, has=" *  ") == [(1, 1), (1, 0)]
    assert stolen(stealing) == [(0, 1), (0, 0)]


def test_nobody_steals_from_itself():
    assert stolen(look(make(0, THIEF)), rate=10 * FAST) == []


def test_an_owner_is_given_time():
    assert stolen(look(make(0, SLOW), now=PATIENCE - 0.01)) == []
    # The next block of each is on its way already.
    stealing = look(make(0, SLOW), make(1, SLOW), make(2, SLOWER), now=PATIENCE)
    assert stolen(stealing) == [(2, 1), (0, 1), (1, 1), (1, 0)]
    assert len(stolen(look(make(0, SLOW), now=NEXT_PATIENCE))) == 2
    assert len(stolen(look(make(0, ConnectionId(9)), now=PATIENCE))) == 2


def test_what_was_asked_for_first_is_next():
    old, new = make(0, SLOW), make(1, SLOW)
    old.requested_at = [1.0, 1.0]
    assert stolen(look(old, new, now=PATIENCE + 1.0)) == [(0, 1), (0, 0), (1, 1)]


def test_who_is_gone_or_silent_has_no_rate():
    assert look(make(0, ConnectionId(9))).slowest == 0.0
    assert look(make(0, SLOW), snubbed=True).slowest == 0.0


def test_what_can_be_asked_for_otherwise_is_not_stolen():
    half = ActivePiece(PieceIndex(0), 4 * BLOCK_LENGTH)
    half.claim(SLOW, 2, 0.0)
    suspect = make(1, SLOW)
    suspect.only_from = SLOW
    twice = make(2, SLOW)
    twice.ask_also(1, SLOWER, 0.0)
    assert stolen(look(half, suspect, twice)) == [(2, 0)]


def test_what_changed_since_the_look_is_left_out():
    piece = make(0, SLOW, blocks=5)
    stealing = look(piece)
    piece.view = memoryview(bytearray(piece.length))
    piece.put(SLOW, 0, memoryview(bytes(BLOCK_LENGTH)))
    piece.ask_also(1, SLOWER, LATER)
    piece.release_block(SLOW, 2)
    piece.release_block(SLOW, 3)
    piece.claim(SLOWER, 1, LATER)
    assert stolen(stealing) == [(0, 4)]
    piece.only_from = SLOW
    assert stolen(look(piece)) == []
