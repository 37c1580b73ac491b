"""What a peer says before the metadata is known is heard again by the peer that takes over."""

from __future__ import annotations

import pytest
from fakes import RecordingEvents, RecordingLink, make_geometry

from millstream.core.config import TransferConfig
from millstream.core.geometry import ConnectionId
from millstream.core.metadata_peer import MAX_ALLOWED_FAST, MAX_LOST, MetadataPeer
from millstream.core.peer import MAX_UNSENT_BYTES
from millstream.errors import RemoteProtocolError
from millstream.protocol import messages
from millstream.protocol.compact import PeerAddress
from millstream.protocol.metainfo import MAX_PIECES


def early_peer(*said, fast=True):
    link = RecordingLink()
    peer = MetadataPeer(
        ConnectionId(1),
        PeerAddress("198.51.100.1", 6881),
        link,
        peer_id=b"-XX0000-000000000000",
        fast=fast,
        incoming=False,
        now=0.0,
    )
    for message in said:
        peer.data_received(memoryview(message), 1.0)
    return peer, link


def grown(early, count=10):
    peer = early.grow(RecordingEvents(), make_geometry(count), TransferConfig())
    early.replay(peer)
    return peer


def test_all_that_was_said_is_heard_again():
    early, _ = early_peer(messages.HAVE_ALL, messages.UNCHOKE, messages.INTERESTED)
    peer = grown(early)
    assert peer.is_seed
    assert not peer.peer_choking
    assert peer.peer_interested
    assert peer.link is early.link


def test_bitfield_and_haves_add_up():
    early, _ = early_peer(messages.bitfield(b"\x80\x00"), messages.haves([9]))
    assert grown(early).pieces == 0b1000000001


def test_haves_alone_are_a_bitfield():
    early, _ = early_peer(messages.haves([2]))
    assert grown(early).pieces == 0b0010000000


def test_a_piece_that_it_lost_is_not_there():
    early, _ = early_peer(messages.haves([2, 3]))
    early.receive_dont_have(3)
    early.receive_dont_have(70_000)
    assert grown(early).pieces == 0b0010000000


def test_what_was_taken_back_is_not_heard():
    early, _ = early_peer(
        messages.UNCHOKE, messages.CHOKE, messages.INTERESTED, messages.NOT_INTERESTED
    )
    peer = grown(early)
    assert peer.peer_choking
    assert not peer.peer_interested


def test_a_message_in_two_parts_goes_on_where_it_was():
    early, _ = early_peer(messages.haves([2])[:5])
    peer = grown(early)
    peer.data_received(memoryview(messages.haves([2])[5:]), 2.0)
    assert peer.pieces == 0b0010000000


@pytest.mark.parametrize(
    "said", [messages.bitfield(b"\x80\x00\x00"), messages.haves([16]), messages.bitfield(b"\0\1")]
)
def test_pieces_that_the_torrent_does_not_have_drop_the_peer(said):
    early, _ = early_peer(said)
    with pytest.raises(RemoteProtocolError):
        grown(early)


def test_no_torrent_has_so_many_pieces():
    with pytest.raises(RemoteProtocolError):
        early_peer(messages.haves([MAX_PIECES]))


def test_requests_are_rejected():
    _, link = early_peer(messages.requests(0, 16384, 0, 1))
    assert link.read() == [("reject", 0, 0, 16384)]


def test_a_block_was_not_requested():
    early, _ = early_peer()
    with pytest.raises(RemoteProtocolError, match="not requested"):
        early.receive_block(0, 0, memoryview(b"x"))


def test_allowed_fast_pieces_are_remembered_up_to_a_limit():
    early, _ = early_peer()
    for index in range(2 * MAX_ALLOWED_FAST):
        early.receive_allowed_fast(index)
    assert len(early._allowed_fast) == MAX_ALLOWED_FAST


def test_a_piece_that_a_seed_lost_is_not_there():
    early, _ = early_peer(messages.HAVE_ALL)
    early.receive_dont_have(3)
    early.receive_dont_have(4)
    early.receive_have(4)
    assert grown(early).pieces == 0b1110111111


def test_a_seed_that_lost_what_nobody_has_is_dropped():
    early, _ = early_peer(messages.HAVE_ALL)
    early.receive_dont_have(10)
    with pytest.raises(RemoteProtocolError):
        grown(early)


def test_a_seed_cannot_lose_pieces_without_end():
    early, _ = early_peer(messages.HAVE_ALL)
    for index in range(MAX_LOST):
        early.receive_dont_have(index)
    with pytest.raises(RemoteProtocolError, match="lost over 1024 pieces"):
        early.receive_dont_have(MAX_LOST)


def test_who_does_not_read_the_refusals_is_dropped():
    early, link = early_peer()
    link.unsent_bytes = MAX_UNSENT_BYTES + 1
    with pytest.raises(RemoteProtocolError, match="flood of requests"):
        early.data_received(memoryview(messages.requests(0, 16384, 0, 1)), 2.0)
