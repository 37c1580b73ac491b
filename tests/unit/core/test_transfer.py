from __future__ import annotations

import random

import pytest
from fakes import RecordingExtensions, RecordingPort, TorrentStage, pieces

from millstream.core.config import TransferConfig
from millstream.core.peer import Peer
from millstream.core.stealing import PATIENCE
from millstream.core.torrent import BEAT, TorrentMachine
from millstream.core.torrent_state import TorrentState
from millstream.errors import RemoteProtocolError
from millstream.protocol import messages
from millstream.protocol.bitfield import encode_bitfield, piece_bit
from millstream.protocol.messages import BLOCK_LENGTH
from millstream.storage.buffers import PieceBufferPool

B = BLOCK_LENGTH
HAVE_0_1 = messages.bitfield(b"\xc0")
TIMEOUT = TransferConfig().request_timeout


def told(peer: Peer) -> Peer:
    """The peer can be told of lost pieces."""
    peer.extensions = RecordingExtensions()
    return peer


# Greeting.


@pytest.mark.parametrize(
    ("have", "fast", "greeting"),
    [
        ("****", True, [("have_all",)]),
        ("    ", True, [("have_none",)]),
        ("** *", True, [("bitfield", b"\xd0")]),
        ("****", False, [("bitfield", b"\xf0")]),
        ("    ", False, []),
        ("** *", False, [("bitfield", b"\xd0")]),
    ],
)
def test_a_peer_is_greeted_with_what_we_have(have, fast, greeting):
    stage = TorrentStage(have=have)
    assert stage.sent(stage.peer(fast=fast)) == greeting


def test_interest_is_told_as_soon_as_there_is_any():
    stage = TorrentStage(have="**  ")
    peer = stage.peer(HAVE_0_1)
    assert ("interested",) not in stage.sent(peer)
    stage.says(peer, messages.have(2), messages.have(3))
    assert stage.sent(peer) == [("interested",)]


def test_interest_is_lost_with_the_last_piece_of_use():
    stage = TorrentStage(2, 1, have="* ")
    peer = stage.peer(messages.bitfield(b"\x40"), messages.UNCHOKE)
    stage.tick()
    stage.answer(peer)
    stage.tick()
    assert stage.disk_verifies() == [1]
    stage.tick(BEAT)
    assert ("not_interested",) in stage.sent(peer)


def test_a_peer_without_the_fast_extension_hears_at_once_that_no_bitfield_comes():
    stage = TorrentStage(have="    ")
    peer = stage.peer(fast=False)
    assert bytes(stage.links[peer.id].unread) == messages.KEEP_ALIVE


# Downloading.


def requested(stage: TorrentStage, peer: Peer) -> int:
    return sum(message[0] == "request" for message in stage.sent(peer))


def test_a_choke_without_fast_drops_the_requests():
    stage = TorrentStage(have="    ")
    alice = stage.peer(messages.bitfield(b"\xf0"), messages.UNCHOKE, fast=False)
    stage.tick()
    assert requested(stage, alice) == 8
    bob = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.says(alice, messages.CHOKE)
    assert alice.outstanding == 0
    stage.tick()
    assert requested(stage, bob) == 8


def test_a_block_on_its_way_during_a_choke_without_fast_is_welcome():
    stage = TorrentStage(1, 2, have=" ")
    alice = stage.peer(messages.bitfield(b"\x80"), messages.UNCHOKE, fast=False)
    stage.tick()
    stage.says(alice, messages.CHOKE, messages.UNCHOKE)
    stage.tick()
    # The first two requests were answered after all, and then the second two.
    assert stage.answer(alice) == 4
    assert stage.machine.wasted == 2 * B


def test_a_choke_with_fast_keeps_the_requests():
    stage = TorrentStage(1, 2, have=" ")
    alice = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    stage.says(alice, messages.CHOKE)
    assert alice.outstanding == 2
    assert stage.answer(alice) == 2
    stage.tick()
    assert stage.disk_verifies() == [0]


def test_rejects_after_a_choke_with_fast_free_the_requests():
    stage = TorrentStage(1, 2, have=" ")
    alice = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    bob = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    stage.says(alice, messages.CHOKE, messages.reject(0, 0, B), messages.reject(0, B, B))
    assert alice.outstanding == 0
    stage.tick(BEAT)
    assert requested(stage, bob) == 2


def test_no_suspect_piece_is_left_to_who_chokes_us():
    stage = TorrentStage(1, 4, have=" ")
    alice = stage.peer(messages.HAVE_ALL)
    bob = stage.peer(messages.HAVE_ALL)
    for peer in (alice, bob):
        peer.depth.depth = 2
        stage.says(peer, messages.UNCHOKE)
    stage.tick()
    stage.answer(alice)
    stage.answer(bob, corrupt=True)
    stage.machine.output()
    stage.port.written.clear()
    stage.machine.piece_mismatched(0)
    alice.depth.depth = 2
    alice.depth._growing = False
    alice.fresh_blocks = 0
    stage.machine.transfer.download.requester.request(alice, stage.now)
    assert stage.answer(alice) == 2
    stage.says(alice, messages.CHOKE)  # it owes nothing, so there is nothing to reject
    stage.tick(BEAT)
    assert requested(stage, bob) > 0


def test_requests_that_time_out_are_asked_of_somebody_else_in_the_same_tick():
    stage = TorrentStage(1, 2, have=" ")
    alice = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    bob = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    stage.sent(bob)
    stage.tick(TIMEOUT + 1)
    assert requested(stage, bob) == 2
    assert alice.outstanding == 0


def test_silent_peers_do_not_keep_a_block_from_one_that_would_send_it():
    # As many as may be asked for a block at a time and more, all of them here before the seed.
    stage = TorrentStage(1, 1, have=" ")
    for _ in range(5):
        stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    seed = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    for _ in range(4):
        for _ in range(int(TIMEOUT) + 1):
            stage.tick(1.0)
        stage.answer(seed)
        stage.tick()
    assert stage.disk_verifies() == [0]


def test_what_a_peer_owed_is_asked_of_another_when_it_goes():
    stage = TorrentStage(1, 2, have=" ")
    alice = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    bob = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    stage.machine.remove_peer(alice.id)
    stage.machine.remove_peer(alice.id)  # a second time means nothing
    stage.tick()
    assert requested(stage, bob) == 2


def test_a_starved_peer_is_asked_when_there_is_room():
    stage = TorrentStage(3, 2, have="   ", room=2 * B)
    alice = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    assert stage.answer(alice) == 2
    stage.tick()
    assert requested(stage, alice) == 0
    stage.disk_verifies()
    stage.tick()
    assert requested(stage, alice) == 2


def test_a_piece_that_the_disk_refused_is_fetched_again():
    stage = TorrentStage(1, 1, have=" ")
    alice = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    stage.answer(alice)
    stage.tick()
    stage.machine.piece_unwritten(0)
    assert stage.machine.wasted == B
    assert stage.pool.reserved_bytes == 0
    stage.tick(BEAT)
    assert requested(stage, alice) == 1


def test_corrupt_data_has_its_sender_banned():
    stage = TorrentStage(1, 2, have=" ")
    alice = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    stage.answer(alice, corrupt=True)
    stage.tick()
    stage.machine.piece_mismatched(0)
    assert stage.port.failed == [0]
    assert stage.port.banned == [alice.address]
    assert stage.machine.state is TorrentState.DOWNLOADING


def test_a_ban_that_drops_the_peer_at_once_is_no_trouble():
    class Banning(RecordingPort):
        def ban(self, address, reason):
            super().ban(address, reason)
            stage.machine.remove_peer(alice.id)

    stage = TorrentStage(1, 2, have=" ")
    stage.machine._port = Banning()
    alice = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    stage.answer(alice, corrupt=True)
    stage.tick()
    stage.machine.piece_mismatched(0)
    stage.tick(BEAT)
    assert not stage.machine.peers
    assert stage.pool.reserved_bytes == 0


# News of pieces.


def verify(stage: TorrentStage, *indexes: int) -> None:
    """These pieces come from a seed and are written."""
    seed = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    stage.answer(seed)
    stage.machine.output()
    stage.port.written.clear()
    for index in indexes:
        stage.machine.piece_written(index)


def test_haves_are_coalesced():
    stage = TorrentStage(have="    ")
    peer = stage.peer(messages.HAVE_NONE)
    verify(stage, 1, 3)
    stage.sent(peer)
    before = stage.links[peer.id].sends
    stage.tick()
    assert stage.links[peer.id].sends == before + 1
    assert stage.sent(peer) == [("have", 1), ("have", 3)]
    stage.tick()
    assert stage.sent(peer) == []


def test_haves_are_not_sent_to_seeds():
    stage = TorrentStage(have="    ")
    peer = stage.peer(messages.bitfield(b"\x40"))
    seed = stage.peer(messages.HAVE_ALL)
    verify(stage, 1, 3)
    for somebody in (peer, seed):
        stage.sent(somebody)
    stage.tick()
    assert stage.sent(peer) == [("have", 1), ("have", 3)]
    assert ("have", 1) not in stage.sent(seed)


# Uploading.


def test_requests_for_what_we_have_are_served():
    stage = TorrentStage(have="****")
    peer = stage.peer(messages.HAVE_NONE, messages.INTERESTED)
    stage.tick()
    assert stage.sent(peer) == [("have_all",), ("unchoke",)]
    stage.says(peer, messages.requests(2, 2 * B, 0, 2))
    stage.tick()
    [(served, run)] = stage.port.served
    assert served is peer
    assert (run.index, run.begin, run.end) == (2, 0, 2 * B)


def test_requests_for_what_we_lack_are_refused():
    stage = TorrentStage(have="*** ")
    fast, plain = stage.peer(messages.INTERESTED), stage.peer(messages.INTERESTED, fast=False)
    stage.tick()
    stage.sent(fast)
    stage.says(fast, messages.request(3, 0, B))
    assert stage.sent(fast) == [("reject", 3, 0, B)]
    with pytest.raises(RemoteProtocolError, match="do not have"):
        stage.says(plain, messages.request(3, 0, B))


def test_a_cancelled_request_is_not_served():
    stage = TorrentStage(have="****")
    peer = stage.peer(messages.HAVE_NONE, messages.INTERESTED)
    stage.tick()
    stage.says(peer, messages.request(2, 0, B), messages.cancel(2, 0, B))
    stage.tick()
    assert stage.port.served == []


def test_slots_are_assigned_when_interest_changes_and_when_a_peer_goes():
    stage = TorrentStage(have="****", config=TransferConfig(upload_slots=1))
    alice, bob = (stage.peer(messages.HAVE_NONE, messages.INTERESTED) for _ in range(2))
    stage.tick()
    assert [alice.am_choking, bob.am_choking] == [False, True]
    stage.says(alice, messages.NOT_INTERESTED)
    stage.tick()
    assert [alice.am_choking, bob.am_choking] == [True, False]
    stage.says(alice, messages.INTERESTED)
    stage.machine.remove_peer(bob.id)
    stage.tick()
    assert not alice.am_choking


def test_seeds_stay_together_only_while_one_may_be_of_use():
    stage = TorrentStage(have="****")
    seed, leech = stage.peer(messages.HAVE_ALL), stage.peer(messages.HAVE_NONE)
    stage.tick(BEAT)
    assert stage.links[seed.id].closed == "both are seeds"
    assert stage.links[leech.id].closed is None


def test_who_only_watches_keeps_the_seeds():
    stage = TorrentStage(have="****")
    stage.machine.need.keep_seeds = True
    seed = stage.peer(messages.HAVE_ALL)
    stage.tick(BEAT)
    assert stage.links[seed.id].closed is None


# Books.


def test_pieces_are_counted_as_peers_come_change_and_go():
    stage = TorrentStage(have="    ")
    alice = stage.peer(HAVE_0_1, messages.have(3))
    stage.peer(messages.HAVE_ALL)
    counts = [stage.machine.transfer.download.availability.of(piece) for piece in range(4)]
    assert counts == [2, 2, 1, 2]
    stage.says(alice, messages.HAVE_NONE)
    stage.machine.remove_peer(alice.id)
    counts = [stage.machine.transfer.download.availability.of(piece) for piece in range(4)]
    assert counts == [1, 1, 1, 1]


# The Fast extension, and pieces that are lost.


def test_a_newcomer_that_is_choked_is_allowed_a_few_pieces():
    config = TransferConfig(upload_slots=1, allowed_fast_set=3)
    stage = TorrentStage(20, 2, have="*" * 19 + " ", config=config)
    stage.machine = TorrentMachine(
        stage.geometry,
        stage.port,
        PieceBufferPool(1 << 24),
        config,
        random.Random(1),
        info_hash=b"i" * 20,
    )
    stage.machine.set_state(TorrentState.CHECKING)
    stage.machine.checked(pieces("*" * 19 + " "))
    stage.peer(messages.HAVE_NONE, messages.INTERESTED)  # has the only slot
    stage.tick()
    newcomer = stage.peer(messages.HAVE_NONE, messages.INTERESTED)
    veteran = stage.peer(
        messages.bitfield(encode_bitfield(pieces("****" + " " * 16), 20)), messages.INTERESTED
    )
    stage.tick()
    allowed = [message[1] for message in stage.sent(newcomer) if message[0] == "allowed_fast"]
    assert len(allowed) == 3
    assert not [message for message in stage.sent(veteran) if message[0] == "allowed_fast"]
    index = next(index for index in allowed if index != 19)
    stage.says(newcomer, messages.request(index, 0, B))
    stage.says(newcomer, messages.request(next(i for i in range(19) if i not in allowed), 0, B))
    stage.says(veteran, messages.request(index, 0, B))
    stage.tick()
    assert [(peer, run.index) for peer, run in stage.port.served] == [(newcomer, index)]
    assert [message[0] for message in stage.sent(newcomer)] == ["reject"]
    assert [message[0] for message in stage.sent(veteran)] == ["reject"]


def test_what_a_choking_peer_allows_is_asked_for():
    stage = TorrentStage(have="    ")
    peer = stage.peer(messages.HAVE_ALL, messages.allowed_fast(2))
    stage.tick()
    assert [m[:2] for m in stage.sent(peer) if m[0] == "request"] == [("request", 2)] * 2
    stage.answer(peer)
    assert peer.outstanding == 2
    # The unchoke opens the rest, the choke that follows refuses all but the allowed piece.
    stage.says(peer, messages.UNCHOKE)
    stage.tick()
    assert peer.outstanding == 8


@pytest.mark.parametrize("fast", [True, False])
def test_what_a_peer_lost_is_asked_of_another(fast):
    stage = TorrentStage(2, 2, have="  ")
    alice = stage.peer(messages.bitfield(b"\xc0"), messages.UNCHOKE, fast=fast)
    stage.tick()
    bob = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    assert (alice.outstanding, bob.outstanding) == (4, 0)
    alice.receive_dont_have(1)
    assert stage.machine.transfer.download.availability.of(1) == 1
    stage.tick()
    assert (alice.outstanding, bob.outstanding) == (2, 2)
    if fast:
        stage.says(alice, messages.reject(1, 0, B), messages.reject(1, B, B))
    alice.receive_dont_have(0)
    stage.tick(BEAT)
    assert (alice.outstanding, bob.outstanding) == (0, 4)
    assert ("not_interested",) in stage.sent(alice)


# Bad peers.


def test_a_peer_that_sends_a_byte_a_second_stalls_nobody():
    stage = TorrentStage(2, 4, have="  ")
    loris = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    stage.says(loris, messages.piece_header(0, 0, B))
    good = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    while not stage.machine.is_complete and stage.now < 60:
        stage.says(loris, b"x")
        stage.answer(good)
        stage.tick(1.0)
        stage.disk_verifies()
    assert stage.now < 5


def test_a_peer_that_vanishes_from_a_fast_swarm_is_noticed_soon():
    config = TransferConfig(max_request_depth=2)
    stage = TorrentStage(100, 2, have=" " * 100, config=config)
    gone, other = (stage.peer(messages.HAVE_ALL, messages.UNCHOKE) for _ in range(2))
    while stage.now < 20:
        stage.answer(gone)
        stage.answer(other)
        stage.tick(0.5)
        stage.disk_verifies()
    assert not stage.machine.is_complete
    assert gone.outstanding
    while not gone.snubbed:
        stage.answer(other)
        stage.tick(0.5)
        stage.disk_verifies()
    assert stage.now <= 25


def test_a_fast_peer_takes_over_what_slow_peers_hold():
    stage = TorrentStage(2, 4, have="  ")
    slow = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    assert slow.outstanding == 8
    fast = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    fast.downloaded.total = 100 * B
    stage.tick(PATIENCE + BEAT)
    assert fast.outstanding == 8
    assert stage.answer(fast) == 8
    assert slow.outstanding == 0
    assert [message[0] for message in stage.sent(slow)].count("cancel") == 8
    stage.tick()
    assert sorted(stage.disk_verifies()) == [0, 1]


# Pieces of ours that are lost.


@pytest.mark.parametrize("fast", [True, False])
def test_requests_for_a_lost_piece_are_refused(fast):
    stage = TorrentStage(have="****")
    peer = told(stage.peer(messages.INTERESTED, fast=fast))
    stage.tick()
    stage.says(peer, messages.request(0, 0, B), messages.request(1, 0, B))
    stage.sent(peer)
    stage.machine.lose(pieces("*   "))
    # This one was sent before the peer knew: no offence, with or without a way to refuse it.
    stage.says(peer, messages.request(0, B, B))
    refused = [("reject", 0, 0, B), ("reject", 0, B, B)] if fast else []
    assert [message for message in stage.sent(peer) if message[0] == "reject"] == refused
    stage.tick()
    assert [run.index for _, run in stage.port.served] == [1]
    if not fast:
        stage.machine.need.have = 0
        with pytest.raises(RemoteProtocolError):
            stage.says(peer, messages.request(1, 0, B))


def test_who_cannot_be_told_of_a_loss_is_disconnected():
    stage = TorrentStage(have="*** ")
    peer = stage.peer(messages.bitfield(b"\x90"))
    stage.machine.lose(pieces(" *  "))
    assert stage.links[peer.id].closed == "we lost pieces that it takes us to have"


def test_a_piece_that_is_lost_before_it_was_told_of_is_not_told():
    stage = TorrentStage(1, 1, have=" ")
    peer = told(stage.peer(messages.HAVE_ALL, messages.UNCHOKE))
    other = told(stage.peer(messages.HAVE_NONE))
    stage.tick()
    stage.answer(peer)
    stage.tick()
    assert stage.disk_verifies() == [0]
    stage.machine.lose(pieces("*"))
    stage.tick()
    assert "have" not in [name for name, *_ in stage.sent(other)]
    assert stage.machine.state is TorrentState.DOWNLOADING


# Super seeding.


def super_stage() -> TorrentStage:
    stage = TorrentStage(have="****")
    stage.machine.super_seeding = True
    return stage


def shown(stage: TorrentStage, peer: Peer) -> list[int]:
    stage.tick()
    return [message[1] for message in stage.sent(peer) if message[0] == "have"]


def test_a_super_seed_shows_single_pieces_and_serves_no_others():
    stage = super_stage()
    alice = stage.peer(messages.HAVE_NONE)
    bob = stage.peer(fast=False)
    [first] = shown(stage, alice)
    [second] = shown(stage, bob)
    assert first != second
    stage.says(alice, messages.INTERESTED)
    stage.tick()
    assert ("unchoke",) in stage.sent(alice)
    stage.says(alice, messages.request(second, 0, B), messages.request(first, 0, B))
    assert stage.sent(alice) == [("reject", second, 0, B)]
    stage.tick()
    assert [run.index for _, run in stage.port.served] == [first]
    with pytest.raises(RemoteProtocolError):
        stage.says(bob, messages.request(first, 0, B))
    stage.machine.remove_peer(bob.id)
    stage.says(alice, messages.have(first))
    assert len(shown(stage, alice)) == 1


def test_super_seeding_ends_with_the_second_seed():
    stage = super_stage()
    alice = stage.peer(messages.HAVE_NONE)
    [first] = shown(stage, alice)
    stage.peer(messages.HAVE_ALL)
    assert not stage.machine.super_seeding
    assert sorted([*shown(stage, alice), first]) == [0, 1, 2, 3]
    assert stage.sent(stage.peer(messages.HAVE_NONE)) == [("have_all",)]


def test_super_seeding_can_be_turned_off_and_does_not_hide_from_who_knows():
    stage = TorrentStage(have="****")
    early = stage.peer(messages.HAVE_NONE)
    stage.machine.super_seeding = True
    late = stage.peer(messages.HAVE_NONE)
    [first] = shown(stage, late)
    stage.says(early, messages.INTERESTED)
    stage.tick()
    stage.says(early, messages.request(3, 0, B))
    stage.tick()
    assert len(stage.port.served) == 1
    stage.machine.super_seeding = False
    assert sorted([*shown(stage, late), first]) == [0, 1, 2, 3]


def test_who_still_downloads_hides_nothing():
    stage = TorrentStage(have="*** ")
    stage.machine.super_seeding = True
    assert stage.sent(stage.peer(messages.HAVE_ALL)) == [("bitfield", b"\xe0"), ("interested",)]
    assert stage.machine.super_seeding


def test_super_seeding_ends_with_the_first_piece_that_is_lost():
    stage = super_stage()
    alice = told(stage.peer(messages.HAVE_NONE))
    [first] = shown(stage, alice)
    lost = (first + 1) % 4
    stage.machine.lose(piece_bit(lost, 4))
    assert not stage.machine.super_seeding
    assert sorted([*shown(stage, alice), first, lost]) == [0, 1, 2, 3]
    assert alice.extensions.sent == [("lt_donthave", bytes([0, 0, 0, lost]))]
