from __future__ import annotations

from millstream.core import corruption
from millstream.core.active_piece import ActivePiece
from millstream.core.corruption import CorruptionTracker
from millstream.core.geometry import PieceIndex
from millstream.protocol.compact import PeerAddress
from millstream.protocol.messages import BLOCK_LENGTH

ALICE, BOB, CAROL = (PeerAddress("10.0.0.1", port) for port in (1, 2, 3))


def piece_of(blocks: str, index: int = 0, *, short: int = 0) -> ActivePiece:
    """A whole piece whose blocks hold one letter each."""
    piece = ActivePiece(PieceIndex(index), len(blocks) * BLOCK_LENGTH - short)
    data = b"".join(letter.encode() * BLOCK_LENGTH for letter in blocks)
    piece.view = memoryview(bytearray(data[: piece.length]))
    return piece


def test_a_sole_contributor_is_found_at_once():
    tracker = CorruptionTracker()
    assert tracker.failed(piece_of("axc"), [ALICE, ALICE, ALICE]) == [ALICE]


def test_of_several_contributors_all_are_suspects():
    tracker = CorruptionTracker()
    assert tracker.failed(piece_of("axc"), [ALICE, BOB, CAROL]) == []
    assert tracker.is_suspect(0)
    assert not tracker.is_suspect(1)


def test_the_sender_of_the_block_that_differed_is_found():
    tracker = CorruptionTracker()
    tracker.failed(piece_of("axc"), [ALICE, BOB, CAROL])
    assert tracker.verified(piece_of("abc")) == [BOB]
    assert not tracker.is_suspect(0)


def test_several_may_be_guilty_and_each_is_named_once():
    tracker = CorruptionTracker()
    tracker.failed(piece_of("xbyz"), [ALICE, BOB, CAROL, ALICE])
    assert tracker.verified(piece_of("abcd")) == [ALICE, CAROL]


def test_a_short_last_block_counts():
    tracker = CorruptionTracker()
    tracker.failed(piece_of("ax", short=BLOCK_LENGTH - 1), [ALICE, BOB])
    assert tracker.verified(piece_of("ab", short=BLOCK_LENGTH - 1)) == [BOB]


def test_a_piece_that_never_failed_accuses_nobody():
    assert CorruptionTracker().verified(piece_of("abc")) == []


def test_the_second_failure_accuses_who_sent_all_of_it_and_the_first_stays_known():
    tracker = CorruptionTracker()
    tracker.failed(piece_of("axc"), [ALICE, BOB, ALICE])
    assert tracker.failed(piece_of("yyy"), [CAROL] * 3) == [CAROL]
    assert tracker.is_suspect(0)
    assert tracker.verified(piece_of("abc")) == [BOB]


def test_the_latest_evidence_counts():
    tracker = CorruptionTracker()
    tracker.failed(piece_of("ax"), [ALICE, BOB])
    tracker.failed(piece_of("ya"), [ALICE, BOB])
    assert tracker.verified(piece_of("za")) == [ALICE]


def test_the_oldest_of_too_many_is_forgotten(monkeypatch):
    monkeypatch.setattr(corruption, "MAX_SUSPECT_PIECES", 2)
    tracker = CorruptionTracker()
    for index in range(3):
        tracker.failed(piece_of("ax", index), [ALICE, BOB])
    assert [tracker.is_suspect(index) for index in range(3)] == [False, True, True]
    tracker.failed(piece_of("ay", 1), [ALICE, BOB])
    assert [tracker.is_suspect(index) for index in range(3)] == [False, True, True]
