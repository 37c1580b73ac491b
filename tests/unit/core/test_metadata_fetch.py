from __future__ import annotations

import hashlib
import random

import pytest

from millstream.core.geometry import ConnectionId
from millstream.core.metadata_attempt import BACKOFF_SECONDS, LEASE_SECONDS, TIMEOUT_SECONDS
from millstream.core.metadata_fetch import MAX_ATTEMPTS, MAX_OUTSTANDING, MetadataFetch
from millstream.protocol.infohash import InfoHash
from millstream.protocol.ut_metadata import (
    MAX_METADATA_LENGTH,
    METADATA_PIECE_LENGTH,
    MetadataData,
)

INFO = b"".join(b"%08d" % n for n in range(4 * METADATA_PIECE_LENGTH // 8)) + b"the end"
SIZE = len(INFO)
BAD = bytes(SIZE)
PIECES = 5
A, B, C, D = (ConnectionId(n) for n in range(1, 5))


class Stage:
    """A fetch among peers that answer when they are told to."""

    def __init__(self, *peers: ConnectionId, info: bytes = INFO) -> None:
        self.info = info
        self.fetch = MetadataFetch(InfoHash(hashlib.sha1(info).digest()), random.Random(1))
        self.now = 0.0
        self.open: list[tuple[ConnectionId, int]] = []
        for peer in peers:
            self.fetch.add_peer(peer, len(info))

    def ask(self, seconds: float = 0.0) -> list[tuple[ConnectionId, int]]:
        self.now += seconds
        asked = self.fetch.requests(self.now)
        self.open += asked
        return asked

    def send(self, peer: ConnectionId, piece: int, info: bytes | None = None) -> None:
        info = self.info if info is None else info
        begin = piece * METADATA_PIECE_LENGTH
        data = info[begin : begin + METADATA_PIECE_LENGTH]
        self.fetch.data_received(peer, MetadataData(piece, len(info), data), self.now)
        if (peer, piece) in self.open:
            self.open.remove((peer, piece))

    def answer(self, peer: ConnectionId, info: bytes | None = None) -> None:
        """The peer answers all it was asked."""
        for asked, piece in list(self.open):
            if asked == peer:
                self.send(peer, piece, info)

    def run(self, **lies: bytes) -> None:
        """Peers answer at once; those in `lies`, named p1 and so on, with these bytes."""
        for _ in range(50):
            self.ask()
            if not self.open:
                break
            for peer in {peer for peer, _ in self.open}:
                self.answer(peer, lies.get(f"p{peer}"))


def test_one_peer_is_enough():
    stage = Stage(A)
    assert stage.ask() == [(A, 0), (A, 1)]
    assert stage.ask() == []
    stage.send(A, 1)
    assert stage.fetch.progress == 1 / PIECES
    assert stage.ask() == [(A, 2)]
    stage.run()
    assert stage.fetch.metadata == INFO
    assert stage.fetch.progress == 1.0
    assert stage.fetch.culprits() == {}
    assert stage.ask() == []


def test_the_pieces_are_spread_over_the_peers():
    stage = Stage(A, B)
    assert stage.ask() == [(A, 0), (B, 1), (A, 2), (B, 3)]
    stage.run()
    assert stage.fetch.metadata == INFO


def test_a_short_dictionary_is_asked_of_several_at_once():
    stage = Stage(A, B, C, D, info=b"de")
    assert stage.ask() == [(A, 0), (B, 0), (C, 0)]
    stage.send(C, 0)
    assert stage.fetch.metadata == b"de"


def test_without_peers_nothing_happens():
    stage = Stage()
    assert stage.ask() == []
    assert stage.fetch.progress == 0.0
    stage.fetch.remove_peer(A)
    stage.fetch.rejected(A, 0, 0.0)
    stage.send(A, 0)
    assert stage.fetch.culprits() == {}


def test_a_peer_that_goes_leaves_what_it_sent():
    stage = Stage(A)
    stage.ask()
    stage.send(A, 0)
    stage.fetch.remove_peer(A)
    stage.fetch.add_peer(B, SIZE)
    assert stage.ask() == [(B, 1), (B, 2)]
    stage.run()
    assert stage.fetch.metadata == INFO


def test_a_silent_peer_is_not_waited_for():
    stage = Stage(A, B)
    stage.ask()
    for _ in range(4):
        stage.answer(B)
        stage.ask()
    assert stage.fetch.metadata == INFO


def test_a_peer_that_is_silent_too_long_rests_but_its_answer_is_welcome():
    stage = Stage(A)
    stage.ask()
    assert stage.ask(TIMEOUT_SECONDS) == []
    assert stage.ask(BACKOFF_SECONDS - 0.1) == []
    stage.answer(A)
    assert stage.fetch.progress == 2 / PIECES
    assert stage.ask() == [(A, 2), (A, 3)]
    assert stage.fetch.culprits() == {}


def test_who_refuses_rests_and_others_are_asked():
    stage = Stage(A, B)
    stage.ask()
    stage.fetch.rejected(A, 0, stage.now)
    stage.fetch.rejected(A, 99, stage.now)
    stage.answer(B)
    assert [peer for peer, _ in stage.ask()] == [B, B]
    assert (A, 2) in stage.open  # the other request to A still counts
    stage.answer(B)
    stage.ask()
    stage.answer(B)
    assert stage.fetch.metadata == INFO


def test_a_peer_that_only_refuses_is_asked_less_and_less():
    stage = Stage(A)
    asked = 0
    for _ in range(600):
        for peer, piece in stage.ask(1.0):
            asked += 1
            stage.fetch.rejected(peer, piece, stage.now)
    assert 5 <= asked <= 2 * 15


def test_the_only_sender_of_nonsense_is_the_culprit():
    stage = Stage(A)
    stage.run(p1=BAD)
    assert "does not match the infohash" in stage.fetch.culprits()[A]
    assert stage.fetch.culprits() == {}
    stage.fetch.add_peer(B, SIZE)
    stage.run()
    assert stage.fetch.metadata == INFO
    assert stage.fetch.culprits() == {}


def test_among_several_the_culprit_is_found_by_fetching_from_each_alone():
    stage = Stage(A, B, C)
    stage.run(p2=BAD)
    assert stage.fetch.metadata == INFO
    assert list(stage.fetch.culprits()) == [B]


def test_one_bad_piece_suffices():
    stage = Stage(A, B)
    stage.ask()
    stage.send(A, 0, BAD)
    stage.run()
    assert stage.fetch.metadata == INFO
    assert list(stage.fetch.culprits()) == [A]


def test_a_culprit_that_left_is_nobody():
    stage = Stage(A, B)
    stage.ask()
    stage.send(A, 0, BAD)
    stage.fetch.remove_peer(A)
    stage.run()
    assert stage.fetch.metadata == INFO
    assert stage.fetch.culprits() == {}


def test_who_sent_all_of_it_is_the_culprit_though_others_were_asked():
    stage = Stage(A, B)
    stage.ask()
    for _ in range(2):
        stage.answer(A, BAD)
        stage.ask()
    stage.send(A, 1, BAD)
    assert list(stage.fetch.culprits()) == [A]
    stage.run()
    assert stage.fetch.metadata == INFO


def test_newcomers_of_a_size_in_doubt_are_asked_alone():
    stage = Stage(A, B)
    stage.ask()
    for _ in range(4):
        stage.answer(A, BAD)
        stage.answer(B, BAD)
        stage.ask()
    stage.fetch.remove_peer(A)
    stage.fetch.add_peer(C, SIZE)
    assert stage.fetch._sources[C].attempt.alone == C
    stage.fetch.remove_peer(B)
    stage.fetch.remove_peer(C)
    assert not stage.fetch._attempts
    assert not stage.fetch._mixed


def test_sizes_are_fetched_side_by_side():
    stage = Stage()
    stage.fetch.add_peer(A, 12)
    stage.fetch.add_peer(B, SIZE)
    assert stage.ask() == [(A, 0), (B, 0), (B, 1)]
    stage.run(p1=bytes(12))
    assert stage.fetch.metadata == INFO
    assert list(stage.fetch.culprits()) == [A]


def test_who_claimed_another_size_is_found_in_the_end():
    stage = Stage(B)
    stage.fetch.add_peer(A, SIZE + 1)
    stage.ask()
    for _ in range(5):
        stage.answer(B)
        stage.ask()
    assert "claimed metadata of" in stage.fetch.culprits()[A]
    stage.fetch.add_peer(C, SIZE)
    stage.fetch.add_peer(D, SIZE - 1)
    assert list(stage.fetch.culprits()) == [D]


@pytest.mark.parametrize("size", [-1, 0, MAX_METADATA_LENGTH + 1, 10**20])
def test_absurd_sizes(size):
    stage = Stage()
    stage.fetch.add_peer(A, size)
    assert list(stage.fetch.culprits()) == [A]
    assert stage.ask() == []


def test_the_largest_size_holds_nothing():
    stage = Stage()
    for number in range(100):
        stage.fetch.add_peer(ConnectionId(number), MAX_METADATA_LENGTH - number)
    assert len(stage.ask()) == MAX_ATTEMPTS * MAX_OUTSTANDING
    assert all(
        attempt.assembly is None or not attempt.assembly.senders
        for attempt in stage.fetch._attempts.values()
    )


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (MetadataData(3, SIZE, bytes(METADATA_PIECE_LENGTH)), "without being asked"),
        (MetadataData(10**19, SIZE, b""), "without being asked"),
        (MetadataData(0, SIZE + 1, bytes(METADATA_PIECE_LENGTH)), "and others"),
        (MetadataData(0, SIZE, b""), "sent 0 bytes"),
        (MetadataData(0, SIZE, bytes(7)), "sent 7 bytes"),
    ],
)
def test_answers_that_are_none(message, reason):
    stage = Stage(A)
    stage.ask()
    stage.fetch.data_received(A, message, 0.0)
    assert reason in stage.fetch.culprits()[A]
    assert stage.fetch.progress == 0.0
    stage.fetch.data_received(A, message, 0.0)
    assert stage.fetch.culprits() == {}


def test_the_same_answer_twice():
    stage = Stage(A, B)
    stage.ask()
    stage.send(A, 0)
    stage.send(A, 0)
    assert list(stage.fetch.culprits()) == [A]


def test_a_peer_may_claim_again():
    stage = Stage(A)
    stage.ask()
    stage.fetch.add_peer(A, SIZE)
    assert stage.ask() == []
    stage.fetch.add_peer(A, SIZE + 1)
    stage.send(A, 0)  # of what it was asked for before
    assert stage.fetch.culprits() == {}
    stage.fetch.add_peer(A, SIZE)
    stage.open.clear()
    stage.run()
    stage.run()
    assert stage.fetch.metadata == INFO


def test_a_late_answer_has_to_fit_the_new_claim():
    stage = Stage(A)
    stage.ask()
    stage.fetch.add_peer(A, METADATA_PIECE_LENGTH)
    stage.ask()
    stage.fetch.data_received(A, MetadataData(1, METADATA_PIECE_LENGTH, b""), 0.0)
    assert stage.fetch.culprits() == {}
    assert stage.fetch.progress == 0.0


def test_who_is_found_out_leaves_its_other_pieces_to_others():
    stage = Stage(A, B)
    stage.ask()
    stage.fetch.data_received(A, MetadataData(0, SIZE, b"short"), 0.0)
    assert stage.ask() == []
    stage.answer(B)
    assert stage.ask() == [(B, 0), (B, 2)]


def test_slow_liars_have_to_make_room():
    stage = Stage()
    liars = [ConnectionId(100 + n) for n in range(MAX_ATTEMPTS)]
    for liar in liars:
        stage.fetch.add_peer(liar, 40 * SIZE + liar)
    stage.ask()
    stage.fetch.add_peer(A, SIZE)
    assert all(peer != A for peer, _ in stage.ask())
    for _ in range(int(LEASE_SECONDS)):
        for liar in liars:
            pieces = [piece for peer, piece in stage.open if peer == liar]
            stage.send(liar, pieces[0], bytes(40 * SIZE + liar))
        stage.ask(1.0)
    stage.answer(A)
    stage.run()
    assert stage.fetch.metadata == INFO
    assert set(stage.fetch.culprits()) == set(liars)
