from __future__ import annotations

import random

import pytest
from fakes import RecordingLink, RecordingPort, make_geometry, make_peer, pieces

from millstream.core.choker import Choker
from millstream.core.config import TransferConfig
from millstream.core.newcomers import Newcomers
from millstream.core.peer import Peer
from millstream.core.upload import (
    LIMITED_RUN_LENGTH,
    MAX_RUN_LENGTH,
    MIN_SEND_WATERMARK,
    SEND_WATERMARK,
    Upload,
)
from millstream.core.upload_queue import Run
from millstream.protocol.messages import BLOCK_LENGTH

B = BLOCK_LENGTH


class Stage:
    def __init__(self, **settings) -> None:
        self.peers: dict[int, Peer] = {}
        self.links: dict[int, RecordingLink] = {}
        self.port = RecordingPort()
        config = TransferConfig(**settings)
        geometry = make_geometry(4, 512)
        self.upload = Upload(
            self.peers,
            self.port,
            config,
            Choker(config.upload_slots, geometry.piece_length, random.Random(1)),
            Newcomers(geometry, b"i" * 20, config.allowed_fast_set),
        )

    def peer(self, *, fast: bool = True, choking: bool = False) -> Peer:
        number = len(self.links) + 1
        peer, link = make_peer(number, make_geometry(4, 512), fast=fast)
        peer.am_choking = choking
        # It has taken 1 GB/s for a long time.
        peer.uploaded._rate, peer.uploaded._started = 1e9, -1000.0
        peer.peer_interested = True
        self.peers[peer.id] = peer
        self.links[peer.id] = link
        return peer

    def asks(self, peer: Peer, index: int, first: int, count: int = 1) -> None:
        for block in range(first, first + count):
            self.upload.request_received(peer, index, block * B, B)

    def runs(self) -> list[tuple[int, Run]]:
        """What was begun since the last call."""
        self.upload.serve(0.0)
        served = [(int(peer.id), run) for peer, run in self.port.served]
        self.port.served.clear()
        return served


def test_requests_are_served_as_runs():
    stage = Stage()
    peer = stage.peer()
    stage.asks(peer, 1, 0, 3)
    stage.asks(peer, 2, 7)
    assert stage.runs() == [(1, Run(1, 0, 3 * B, B)), (1, Run(2, 7 * B, 8 * B, B))]
    assert peer.serving == 4 * B
    assert not stage.upload.waiting
    assert stage.runs() == []


def test_what_was_served_is_counted():
    stage = Stage()
    peer = stage.peer()
    stage.asks(peer, 1, 0, 3)
    [(_, run)] = stage.runs()
    stage.upload.served(peer, run)
    assert (peer.serving, peer.uploaded.total) == (0, 3 * B)
    assert stage.links[1].read() == []


@pytest.mark.parametrize("fast", [True, False])
def test_requests_while_choked_are_refused(fast):
    stage = Stage()
    peer = stage.peer(fast=fast, choking=True)
    stage.asks(peer, 1, 2)
    assert stage.runs() == []
    assert stage.links[1].read() == ([("reject", 1, 2 * B, B)] if fast else [])


def test_no_more_requests_are_kept_than_the_limit():
    stage = Stage(max_peer_requests=3)
    peer = stage.peer()
    stage.asks(peer, 0, 0, 5)
    assert peer.uploads.requests == 3
    assert stage.links[1].read() == [("reject", 0, 3 * B, B), ("reject", 0, 4 * B, B)]


def test_a_cancelled_request_is_not_served_and_answered_with_a_reject():
    stage = Stage()
    peer = stage.peer()
    stage.asks(peer, 0, 0, 3)
    stage.upload.request_cancelled(peer, 0, B, B)
    assert stage.links[1].read() == [("reject", 0, B, B)]
    assert stage.runs() == [(1, Run(0, 0, B, B)), (1, Run(0, 2 * B, 3 * B, B))]


def test_a_cancel_that_comes_too_late_changes_nothing():
    stage = Stage()
    peer = stage.peer()
    stage.asks(peer, 0, 0)
    stage.runs()
    stage.upload.request_cancelled(peer, 0, 0, B)
    assert stage.links[1].read() == []


def test_runs_are_cut():
    stage = Stage()
    peer = stage.peer()
    stage.asks(peer, 0, 0, MAX_RUN_LENGTH // B + 1)
    assert [run.length for _, run in stage.runs()] == [MAX_RUN_LENGTH, B]
    assert peer.serving == MAX_RUN_LENGTH + B


def test_no_more_is_begun_than_the_link_can_take():
    stage = Stage()
    peer = stage.peer()
    stage.asks(peer, 0, 0, 3 * SEND_WATERMARK // B)
    begun = stage.runs()
    assert SEND_WATERMARK <= peer.serving < SEND_WATERMARK + MAX_RUN_LENGTH
    assert stage.runs() == []
    # Read and sent, but not yet taken by the network.
    for _, run in begun:
        stage.upload.served(peer, run)
    stage.links[1].unsent_bytes = SEND_WATERMARK
    assert stage.runs() == []
    assert stage.upload.waiting
    stage.links[1].unsent_bytes = 0
    assert stage.runs() != []


def test_small_blocks_have_little_on_their_way():
    # Each takes a message and a buffer, whatever its length.
    stage = Stage()
    peer = stage.peer()
    for begin in range(0, 3000, 2):
        stage.upload.request_received(peer, 0, begin, 1)
    stage.runs()
    assert 0 < peer.serving <= SEND_WATERMARK // B
    assert peer.uploads.requests > 0


def test_a_slow_link_has_half_a_second_s_worth_on_its_way():
    stage = Stage()
    peer = stage.peer()
    stage.asks(peer, 0, 0, 64)
    peer.uploaded._rate = 2 * 10 * B  # a second
    assert sum(run.length for _, run in stage.runs()) == 10 * B
    stage = Stage()
    peer = stage.peer()
    stage.asks(peer, 0, 0, 64)
    peer.uploaded._rate = 0.0
    assert sum(run.length for _, run in stage.runs()) == MIN_SEND_WATERMARK


def test_a_slow_link_does_not_keep_others_waiting():
    stage = Stage()
    slow, fast = stage.peer(), stage.peer()
    stage.links[slow.id].unsent_bytes = SEND_WATERMARK
    stage.asks(slow, 0, 0)
    stage.asks(fast, 0, 0)
    assert stage.runs() == [(2, Run(0, 0, B, B))]


def test_a_run_that_cannot_be_read_is_refused():
    stage = Stage()
    peer = stage.peer()
    stage.asks(peer, 1, 0, 2)
    [(_, run)] = stage.runs()
    stage.upload.refused(peer, run)
    assert peer.serving == 0
    assert peer.uploaded.total == 0
    assert stage.links[1].read() == [("reject", 1, 0, B), ("reject", 1, B, B)]


def test_who_went_is_not_served():
    stage = Stage()
    peer = stage.peer()
    stage.asks(peer, 0, 0)
    stage.upload.peer_gone(peer)
    assert not stage.upload.waiting
    assert stage.runs() == []


def test_slots_are_given():
    stage = Stage(upload_slots=1)
    first, second = stage.peer(choking=True), stage.peer(choking=True)
    stage.upload.assign_slots(0.0, seeding=True)
    assert [first.am_choking, second.am_choking] == [False, True]
    stage.asks(first, 0, 0)
    stage.upload.assign_slots(30.0, seeding=True)
    assert [first.am_choking, second.am_choking] == [True, False]
    assert stage.links[1].read() == [("unchoke",), ("choke",), ("reject", 0, 0, B)]
    assert stage.links[2].read() == [("unchoke",)]
    assert stage.runs() == []


# Newcomers.


@pytest.mark.parametrize("fast", [True, False])
def test_who_asks_and_is_choked_is_given_a_start(fast):
    stage = Stage(upload_slots=0)
    peer = stage.peer(choking=True, fast=fast)
    stage.upload.interest_changed(peer)
    stage.upload.assign_slots(0.0, seeding=False)
    allowed = [message[1] for message in stage.links[1].read()]
    assert sorted(allowed) == ([0, 1, 2, 3] if fast else [])
    stage.asks(peer, 2, 0)
    assert stage.runs() == ([(1, Run(2, 0, B, B))] if fast else [])


def test_a_choke_refuses_all_but_what_a_newcomer_may_have():
    stage = Stage(upload_slots=0)
    peer = stage.peer()
    peer.offered_fast = {1: 0}
    stage.asks(peer, 0, 0, 2)
    stage.asks(peer, 1, 5)
    peer.peer_interested = False
    stage.upload.assign_slots(0.0, seeding=False)
    assert stage.links[1].read() == [("choke",), ("reject", 0, 0, B), ("reject", 0, B, B)]
    assert stage.runs() == [(1, Run(1, 5 * B, 6 * B, B))]


# Under a limit.


class Bucket:
    def __init__(self, tokens: int) -> None:
        self.tokens = tokens

    def allowance(self, now: float) -> int:
        return self.tokens

    def spent(self, length: int) -> None:
        self.tokens -= length


def test_no_more_is_sent_than_allowed_but_whole_blocks():
    stage = Stage()
    peer = stage.peer()
    stage.asks(peer, 0, 0, 8)
    bucket = stage.upload.limiter = Bucket(2 * B + 5)
    assert stage.runs() == [(1, Run(0, 0, 2 * B, B)), (1, Run(0, 2 * B, 3 * B, B))]
    assert bucket.tokens == 5 - B
    assert stage.runs() == []
    assert stage.upload.waiting
    bucket.tokens = 1
    assert stage.runs() == [(1, Run(0, 3 * B, 4 * B, B))]


def test_under_a_limit_peers_take_turns():
    stage = Stage()
    peers = [stage.peer() for _ in range(3)]
    for peer in peers:
        stage.asks(peer, 0, 0, 3 * LIMITED_RUN_LENGTH // B)
    bucket = stage.upload.limiter = Bucket(0)
    order = []
    for _ in range(9):
        bucket.tokens += LIMITED_RUN_LENGTH
        order += [number for number, _ in stage.runs()]
    assert order == [1, 2, 3] * 3
    bucket.tokens += 1
    assert stage.runs() == []
    assert not stage.upload.waiting


def test_under_a_limit_a_full_link_does_not_keep_others_waiting():
    stage = Stage()
    slow, fast = stage.peer(), stage.peer()
    stage.links[slow.id].unsent_bytes = SEND_WATERMARK
    stage.asks(slow, 0, 0)
    stage.asks(fast, 0, 0)
    stage.upload.limiter = Bucket(1 << 30)
    assert stage.runs() == [(2, Run(0, 0, B, B))]
    assert list(stage.upload.waiting) == [slow.id]


@pytest.mark.parametrize("fast", [True, False])
def test_what_waits_for_a_lost_piece_is_refused(fast):
    stage = Stage()
    alice, bob = stage.peer(fast=fast), stage.peer()
    stage.asks(alice, 1, 0, 2)
    stage.asks(alice, 2, 5)
    stage.asks(alice, 0, 3)
    stage.asks(bob, 3, 0)
    stage.upload.pieces_lost(pieces(" *  "))
    refused = [("reject", 1, 0, B), ("reject", 1, B, B)] if fast else []
    assert stage.links[alice.id].read() == refused
    assert (alice.uploads.requests, alice.uploads.bytes) == (2, 2 * B)
    assert [(number, run.index) for number, run in stage.runs()] == [(1, 2), (1, 0), (2, 3)]
