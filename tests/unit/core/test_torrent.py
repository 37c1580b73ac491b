from __future__ import annotations

import gc
from collections import Counter

import pytest
from fakes import RecordingExtensions, TorrentStage, block_data, pieces

from millstream.core.config import TransferConfig
from millstream.core.file_priority import PiecePriorities
from millstream.core.geometry import ConnectionId
from millstream.core.need import Need
from millstream.core.torrent import BEAT, TorrentMachine
from millstream.core.torrent_state import TorrentState
from millstream.errors import LocalProtocolError, RemoteProtocolError
from millstream.protocol import messages
from millstream.protocol.messages import BLOCK_LENGTH

B = BLOCK_LENGTH
HAVE_0_1 = messages.bitfield(b"\xc0")
TIMEOUT = TransferConfig().request_timeout


# States.


def test_what_was_checked_decides_what_is_done():
    assert TorrentStage(have="****").machine.state is TorrentState.SEEDING
    assert TorrentStage(have="*** ").machine.state is TorrentState.DOWNLOADING


def test_a_way_that_there_is_not_is_refused():
    with pytest.raises(LocalProtocolError):
        TorrentStage(have="    ").machine.set_state(TorrentState.FETCHING_METADATA)


def test_the_same_state_is_no_news():
    stage = TorrentStage(have="    ")
    stage.machine.set_state(TorrentState.DOWNLOADING)
    assert stage.port.states == [TorrentState.CHECKING, TorrentState.DOWNLOADING]


@pytest.mark.parametrize("state", [TorrentState.STOPPED, TorrentState.ERROR])
def test_a_stop_drops_peers_and_partial_pieces(state):
    stage = TorrentStage(have="    ")
    peer = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    assert stage.pool.reserved_bytes
    stage.machine.set_state(state)
    assert stage.links[peer.id].closed == f"torrent is {state.value}"
    assert stage.pool.reserved_bytes == 0


def test_a_stopped_torrent_still_takes_the_disk_s_answers():
    stage = TorrentStage(1, 1, have=" ")
    peer = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    stage.answer(peer)
    stage.tick()
    stage.machine.set_state(TorrentState.STOPPED)
    assert stage.disk_verifies() == [0]
    assert stage.machine.is_complete
    assert stage.machine.state is TorrentState.STOPPED
    assert stage.pool.reserved_bytes == 0


def test_beats_come_at_their_pace():
    stage = TorrentStage(have="    ")
    assert stage.machine.process(0.0)
    assert not stage.machine.process(BEAT / 2)
    assert stage.machine.process(BEAT)
    assert stage.machine.need.have == pieces("    ")


# Downloading.


def test_a_whole_download():
    stage = TorrentStage(3, 2, last_length=B + 5, have="   ")
    peer = stage.peer(messages.HAVE_ALL)
    stage.tick()
    assert [name for name, *_ in stage.sent(peer)] == ["have_none", "interested"]
    stage.says(peer, messages.UNCHOKE)
    stage.tick()
    assert stage.answer(peer) == 6
    stage.tick()
    assert sorted(stage.disk_verifies()) == [0, 1, 2]
    assert sorted(stage.port.verified) == [0, 1, 2]
    assert stage.machine.state is TorrentState.SEEDING
    stage.tick(BEAT)
    assert stage.links[peer.id].closed == "both are seeds"
    assert stage.pool.reserved_bytes == 0


def test_nothing_is_asked_before_the_files_are_checked():
    stage = TorrentStage()
    stage.machine.set_state(TorrentState.CHECKING)
    peer = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    assert not [message for message in stage.sent(peer) if message[0] == "request"]


# Other wishes.


def want(stage: TorrentStage, *classes: str) -> None:
    found = tuple(pieces(each) for each in classes)
    stage.machine.set_priorities(PiecePriorities(sum(found), found))


def test_with_nothing_left_that_is_wanted_it_seeds():
    stage = TorrentStage(have="**  ")
    peer = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    stage.sent(peer)
    want(stage, "**  ")
    assert stage.machine.state is TorrentState.SEEDING
    names = [name for name, *_ in stage.sent(peer)]
    assert names[:4] == ["cancel"] * 4
    assert "not_interested" in names
    assert peer.outstanding == stage.pool.reserved_bytes == 0


def test_with_more_that_is_wanted_it_downloads_at_once():
    stage = TorrentStage(have="**  ")
    want(stage, "**  ")
    peer = stage.peer(messages.bitfield(b"\x70"), messages.UNCHOKE)
    stage.tick()
    stage.sent(peer)
    want(stage, "   *", "**  ")
    assert stage.machine.state is TorrentState.DOWNLOADING
    stage.tick()
    assert [message[:2] for message in stage.sent(peer)] == [
        ("interested",),
        ("request", 3),
        ("request", 3),
    ]


def test_what_is_wanted_most_is_fetched_first():
    stage = TorrentStage(8, 2, have=" " * 8, config=TransferConfig(max_request_depth=4))
    want(stage, "     ** ", "*****  *")
    peer = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    asked = {message[1] for message in stage.sent(peer) if message[0] == "request"}
    assert asked == {5, 6}


@pytest.mark.parametrize("state", [TorrentState.STOPPED, TorrentState.CHECKING])
def test_wishes_do_not_wake_a_torrent(state):
    stage = TorrentStage(have="    ")
    stage.machine.set_state(state)
    want(stage, "   *")
    assert stage.machine.lose(pieces("****")) == 0
    assert stage.machine.state is state


def test_a_stop_and_a_start_lose_no_block():
    stage = TorrentStage(1, 2, have=" ", config=TransferConfig(max_request_depth=1))
    peer = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    assert stage.answer(peer) == 1
    kept = stage.machine.partial_pieces(1 << 20)
    stage.machine.set_state(TorrentState.STOPPED)
    stage.machine.remove_peer(peer.id)
    stage.machine.set_state(TorrentState.CHECKING)
    stage.machine.checked(0, kept)
    assert stage.machine.state is TorrentState.DOWNLOADING
    peer = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    assert stage.answer(peer) == 1
    stage.tick()
    assert stage.disk_verifies() == [0]


# Pieces of ours that are lost.


def test_a_seed_that_loses_a_piece_fetches_it_again():
    stage = TorrentStage(have="****")
    peer = stage.peer(messages.bitfield(b"\x40"), messages.UNCHOKE)
    peer.extensions = RecordingExtensions()
    stage.sent(peer)
    assert stage.machine.lose(pieces(" *  ")) == pieces(" *  ")
    assert peer.extensions.sent == [("lt_donthave", b"\0\0\0\1")]
    assert stage.machine.state is TorrentState.DOWNLOADING
    stage.tick()
    assert stage.sent(peer)[0] == ("interested",)
    assert stage.links[peer.id].closed is None
    assert stage.machine.transfer.download.active.taken == pieces(" *  ")
    for block in range(2):
        data = block_data(stage.geometry, 1, block)
        stage.says(peer, messages.piece_header(1, block * B, B) + data)
    stage.tick()
    assert stage.disk_verifies() == [1]
    assert stage.machine.state is TorrentState.SEEDING


def test_what_is_lost_and_not_wanted_is_not_fetched():
    stage = TorrentStage(have="****")
    want(stage, "*** ")
    assert stage.machine.lose(pieces("  **")) == pieces("  **")
    assert stage.machine.state is TorrentState.DOWNLOADING
    stage = TorrentStage(have="****")
    want(stage, "*** ")
    assert stage.machine.lose(pieces("   *")) == pieces("   *")
    assert stage.machine.state is TorrentState.SEEDING


def test_only_what_we_had_can_be_lost():
    stage = TorrentStage(have="*   ")
    peer = stage.peer(messages.HAVE_NONE)
    peer.extensions = RecordingExtensions()
    assert stage.machine.lose(pieces("  **")) == 0
    assert peer.extensions.sent == []
    assert stage.machine.lose(pieces("*  *")) == pieces("*   ")
    assert stage.machine.need.have == 0


# Alone: what it takes to transfer pieces is made when somebody comes.


def made_of(machine: TorrentMachine, *shared: object) -> Counter[type]:
    """What the cycle collector has to follow because of a torrent, by type."""
    found: dict[int, object] = {}
    left: list[object] = [machine]
    known = {id(each) for each in (*shared, machine.state)}
    while left:
        each = left.pop()
        if gc.is_tracked(each) and id(each) not in known and not isinstance(each, type):
            known.add(id(each))
            found[id(each)] = each
            left += gc.get_referents(each)
    return Counter(map(type, found.values()))


def idle(have: str = "****") -> TorrentStage:
    """A torrent that lived through everything there is for one without peers."""
    stage = TorrentStage(have=have)
    for _ in range(5):
        stage.tick(BEAT)
    want(stage, "**  ", "  * ")
    stage.machine.lose(pieces("***"))
    want(stage, "****")
    stage.machine.super_seeding = False
    stage.machine.is_paused = True
    stage.machine.remove_peer(ConnectionId(1))
    assert len(stage.machine.active) == stage.machine.at_disk_count == stage.machine.wasted == 0
    assert not stage.machine.is_paused
    assert stage.machine.partial_pieces(1 << 20) == list(stage.machine.active) == []
    stage.machine.set_state(TorrentState.STOPPED)
    stage.tick(BEAT)
    stage.machine.set_state(TorrentState.CHECKING)
    stage.machine.checked(pieces(have), [])
    stage.tick(BEAT)
    return stage


@pytest.mark.parametrize("have", ["****", " ** "])
def test_a_torrent_that_is_alone_has_nothing_to_transfer_pieces_with(have):
    stage = idle(have)
    assert stage.port.transfers == []
    made = made_of(stage.machine, stage.geometry, stage.port, stage.pool, stage.config, stage.rng)
    made.pop(dict, None)  # tracked when they are empty by some Pythons only
    assert made == {TorrentMachine: 1, Need: 1}


def test_it_is_made_once_for_all_that_come():
    stage = idle()
    stage.peer(messages.HAVE_NONE)
    stage.peer(messages.HAVE_NONE)
    assert stage.port.transfers == [stage.machine.transfer]


def test_a_seed_that_was_alone_serves_who_comes():
    stage = idle()
    peer = stage.peer(messages.HAVE_NONE, messages.INTERESTED)
    stage.tick()
    assert stage.sent(peer) == [("have_all",), ("unchoke",)]
    stage.says(peer, messages.request(2, 0, B))
    stage.tick()
    assert [run.index for _, run in stage.port.served] == [2]


def test_a_download_that_was_alone_fetches_from_who_comes():
    stage = idle(" ** ")
    peer = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    assert stage.answer(peer) == 4
    stage.tick()
    assert sorted(stage.disk_verifies()) == [0, 3]
    assert stage.machine.state is TorrentState.SEEDING


def test_what_was_lost_while_nobody_was_there_is_fetched_and_not_given():
    stage = TorrentStage(have="****")
    stage.machine.lose(pieces(" *  "))
    peer = stage.peer(messages.HAVE_ALL, messages.UNCHOKE, messages.INTERESTED, fast=True)
    other = stage.peer(fast=False)
    assert stage.sent(peer)[0] == stage.sent(other)[0] == ("bitfield", b"\xb0")
    with pytest.raises(RemoteProtocolError):
        stage.says(other, messages.request(1, 0, B))
    stage.tick()
    assert {message[1] for message in stage.sent(peer) if message[0] == "request"} == {1}


def test_wishes_from_before_anybody_came_hold():
    stage = TorrentStage(8, 2, have=" " * 8, config=TransferConfig(max_request_depth=4))
    want(stage, "     ** ", "***    *")
    first = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.machine.need.sequential = True
    stage.tick()
    asked = [message[1] for message in stage.sent(first) if message[0] == "request"]
    assert asked == [5, 5, 6, 6]
    second = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    asked = [message[1] for message in stage.sent(second) if message[0] == "request"]
    assert asked == [0, 0, 1, 1]


def test_super_seeding_begins_with_the_first_who_comes():
    stage = idle()
    stage.machine.super_seeding = True
    assert stage.machine.super_seeding
    peer = stage.peer()
    stage.tick()
    assert [name for name, *_ in stage.sent(peer)] == ["have_none", "have"]


def test_parts_of_pieces_come_back_before_anybody_does():
    before = TorrentStage(2, 2, have="  ", config=TransferConfig(max_request_depth=1))
    peer = before.peer(messages.HAVE_ALL, messages.UNCHOKE)
    before.tick()
    before.answer(peer)
    [kept] = before.machine.partial_pieces(1 << 20)
    stage = TorrentStage(2, 2)
    stage.machine.set_state(TorrentState.CHECKING)
    stage.machine.checked(0, [kept])
    assert stage.port.transfers
    assert [piece.index for piece in stage.machine.active] == [kept.index]
    peer = stage.peer(messages.HAVE_ALL, messages.UNCHOKE)
    stage.tick()
    assert stage.answer(peer) == 3
