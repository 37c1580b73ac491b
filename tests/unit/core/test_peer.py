from __future__ import annotations

import struct

import pytest
from fakes import RecordingEvents, make_geometry, make_peer, pieces

from millstream.core import peer as peer_module
from millstream.errors import RemoteProtocolError
from millstream.protocol import messages
from millstream.protocol.messages import BLOCK_LENGTH

GEOMETRY = make_geometry(4, 2, last_length=100)
SUGGEST_1 = struct.pack(">IBI", 5, 13, 1)
ALLOWED_FAST_1 = struct.pack(">IBI", 5, 17, 1)


def make(*, fast: bool = True):
    events = RecordingEvents()
    peer, link = make_peer(1, GEOMETRY, events, fast=fast)
    return peer, link, events.calls


def says(peer, *said: bytes, now: float = 0.0) -> None:
    for message in said:
        peer.data_received(memoryview(message), now)


def test_it_begins_as_bep_3_says():
    peer, link, _ = make()
    assert (peer.am_choking, peer.peer_choking) == (True, True)
    assert (peer.am_interested, peer.peer_interested) == (False, False)
    assert peer.pieces == 0
    assert link.read() == []


def test_only_changes_are_news():
    peer, _, calls = make()
    says(peer, messages.CHOKE, messages.NOT_INTERESTED, messages.HAVE_NONE)
    assert calls == []
    says(peer, messages.UNCHOKE, messages.UNCHOKE, messages.INTERESTED, messages.INTERESTED)
    assert calls == [("unchoked",), ("interest", True)]
    calls.clear()
    says(peer, messages.CHOKE, messages.CHOKE, messages.NOT_INTERESTED)
    assert calls == [("choked",), ("interest", False)]


def test_its_pieces_are_collected():
    peer, _, calls = make()
    says(peer, messages.bitfield(b"\x80"), messages.have(2), messages.have(2))
    assert peer.pieces == pieces("* * ")
    assert calls == [
        ("pieces", 0, pieces("*   ")),
        ("pieces", pieces("*   "), pieces("* * ")),
    ]
    assert not peer.is_seed
    says(peer, messages.have(1), messages.have(3))
    assert peer.is_seed


def test_have_all_and_have_none():
    peer, _, calls = make()
    says(peer, messages.HAVE_ALL)
    assert peer.is_seed
    says(peer, messages.HAVE_NONE)
    assert peer.pieces == 0
    assert len(calls) == 2


@pytest.mark.parametrize(
    "said",
    [
        messages.HAVE_ALL,
        messages.HAVE_NONE,
        messages.reject(0, 0, BLOCK_LENGTH),
        SUGGEST_1,
        ALLOWED_FAST_1,
    ],
)
def test_fast_messages_need_the_fast_extension(said):
    peer, _, _ = make(fast=False)
    with pytest.raises(RemoteProtocolError, match="without the Fast extension"):
        says(peer, said)
    says(make(fast=True)[0], said)


@pytest.mark.parametrize(
    "said",
    [
        messages.have(4),
        messages.have(2**32 - 1),
        messages.bitfield(b""),
        messages.bitfield(b"\x80\x00"),
        messages.bitfield(b"\x08"),
        messages.request(4, 0, 1),
        messages.request(0, 0, 0),
        messages.request(0, 0, BLOCK_LENGTH + 1),
        messages.request(3, 0, 101),
        messages.reject(4, 0, 1),
        struct.pack(">IBI", 5, 13, 4),
        struct.pack(">IBI", 5, 17, 4),
    ],
)
def test_what_the_torrent_has_no_place_for_is_an_offence(said):
    peer, _, calls = make()
    with pytest.raises(RemoteProtocolError):
        says(peer, said)
    assert calls == []


def test_requests_and_their_answers_are_passed_on():
    peer, _, calls = make()
    says(
        peer,
        messages.request(1, 0, BLOCK_LENGTH),
        messages.cancel(1, 0, BLOCK_LENGTH),
        messages.reject(2, 0, BLOCK_LENGTH),
        messages.piece_header(2, 0, 3) + b"abc",
    )
    assert calls == [
        ("request", 1, 0, BLOCK_LENGTH),
        ("cancelled", 1, 0, BLOCK_LENGTH),
        ("rejected", 2, 0, BLOCK_LENGTH),
        ("block", 2, 0, b"abc"),
    ]


def test_advice_is_not_taken():
    peer, link, calls = make()
    says(peer, SUGGEST_1, ALLOWED_FAST_1)
    assert calls == []
    assert link.read() == []


def test_the_time_of_the_latest_bytes_is_known():
    peer, _, _ = make()
    says(peer, messages.KEEP_ALIVE, now=5.0)
    assert peer.now == 5.0


def test_interest_is_told_once():
    peer, link, _ = make()
    for interested in (False, True, True, False):
        peer.set_interested(interested)
    assert link.read() == [("interested",), ("not_interested",)]


def test_choking_is_told_once_and_when_is_known():
    peer, link, _ = make()
    peer.set_choking(choking=True, now=1.0)
    assert peer.choke_changed_at == 0.0
    peer.set_choking(choking=False, now=2.0)
    peer.set_choking(choking=False, now=3.0)
    assert peer.choke_changed_at == 2.0
    assert link.read() == [("unchoke",)]


@pytest.mark.parametrize("fast", [True, False])
def test_a_choke_refuses_what_was_asked_for(fast):
    peer, link, _ = make(fast=fast)
    peer.set_choking(choking=False, now=0.0)
    peer.uploads.add(0, 0, BLOCK_LENGTH)
    peer.uploads.add(0, BLOCK_LENGTH, BLOCK_LENGTH)
    peer.set_choking(choking=True, now=1.0)
    rejects = [("reject", 0, 0, BLOCK_LENGTH), ("reject", 0, BLOCK_LENGTH, BLOCK_LENGTH)]
    assert link.read() == [("unchoke",), ("choke",), *(rejects if fast else [])]
    assert peer.uploads.requests == 0


def test_a_flood_of_requests_whose_answers_are_not_read_is_an_offence():
    peer, link, calls = make()
    request = messages.request(0, 0, BLOCK_LENGTH)

    def ask_and_refuse(times: int) -> None:
        for _ in range(times):
            says(peer, request)
            peer.refuse(0, 0, BLOCK_LENGTH)

    ask_and_refuse(10)  # all of them are read at once
    assert len(calls) == 10
    link.unsent_bytes = peer_module.MAX_UNSENT_BYTES
    ask_and_refuse(10)
    link.unsent_bytes += 1
    with pytest.raises(RemoteProtocolError, match="flood"):
        ask_and_refuse(10)


def test_who_is_asked_twice_may_answer_late_twice():
    peer, _, _ = make()
    peer.outstanding = 2
    peer.release(0, 0)
    peer.release(0, 0)
    assert [peer.answers_late(0, 0) for _ in range(3)] == [True, True, False]
    assert not peer.answers_late(1, 0)
    assert peer.released == {}


def test_requests_given_up_are_remembered_up_to_a_limit(monkeypatch):
    monkeypatch.setattr(peer_module, "MAX_RELEASED", 2)
    peer, _, _ = make()
    peer.outstanding = 3
    for begin in range(3):
        peer.release(0, begin)
    assert peer.outstanding == 0
    assert list(peer.released) == [(0, 1), (0, 2)]


# What is allowed, suggested and lost.


def test_what_it_allows_and_suggests_is_kept():
    peer, _, calls = make()
    says(peer, messages.allowed_fast(1), messages.allowed_fast(3), SUGGEST_1)
    assert peer.allowed_fast == pieces(" * *")
    assert list(peer.suggested) == [1]
    assert calls == []  # it need not have them
    assert peer.pieces == 0


def test_the_latest_suggestions_are_kept(monkeypatch):
    monkeypatch.setattr(peer_module, "MAX_SUGGESTED", 2)
    peer, _, _ = make()
    for index in (0, 1, 0, 2):
        says(peer, struct.pack(">IBI", 5, 13, index))
    assert list(peer.suggested) == [0, 2]


def test_what_it_lost_it_no_longer_has():
    peer, _, calls = make()
    says(peer, messages.HAVE_ALL)
    calls.clear()
    peer.receive_dont_have(2)
    peer.receive_dont_have(2)
    assert calls == [("pieces", pieces("****"), pieces("** *"))]
    with pytest.raises(RemoteProtocolError):
        peer.receive_dont_have(4)


def test_a_choke_keeps_what_it_may_have_nevertheless():
    peer, link, _ = make()
    peer.am_choking = False
    peer.offered_fast = {2: 0}
    for index in (0, 2):
        peer.uploads.add(index, 0, BLOCK_LENGTH)
    peer.set_choking(choking=True, now=1.0)
    assert link.read() == [("choke",), ("reject", 0, 0, BLOCK_LENGTH)]
    assert peer.uploads.requests == 1


def test_it_snubs_us_when_it_owes_blocks_and_sends_none_for_a_minute():
    peer, _, _ = make()
    says(peer, messages.HAVE_ALL, now=0.0)
    peer.set_interested(True)
    says(peer, messages.UNCHOKE, now=10.0)
    assert not peer.is_snubbing(1000.0)  # it was asked for nothing
    peer.outstanding = 1
    assert not peer.is_snubbing(10.0 + peer_module.SNUB_TIME)
    assert peer.is_snubbing(10.1 + peer_module.SNUB_TIME)
    peer.outstanding, peer.snubbed = 0, True  # its requests timed out
    assert peer.is_snubbing(10.1 + peer_module.SNUB_TIME)
    says(peer, messages.CHOKE, now=11.0)
    assert not peer.is_snubbing(1000.0)
