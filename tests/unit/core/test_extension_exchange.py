"""The extension protocol between a torrent and its peers, over recording links."""

from __future__ import annotations

import hashlib
import random

import pytest
from fakes import RecordingLink

from millstream.core.extension_exchange import ExtensionExchange, ExtensionSide
from millstream.core.geometry import ConnectionId
from millstream.core.metadata_fetch import MetadataFetch
from millstream.errors import RemoteProtocolError
from millstream.protocol import lt_donthave, ut_metadata, ut_pex
from millstream.protocol.compact import PeerAddress
from millstream.protocol.extension import OUR_IDS, ExtensionHandshake
from millstream.protocol.infohash import InfoHash
from millstream.protocol.ut_metadata import MetadataData, MetadataReject, MetadataRequest
from millstream.protocol.ut_pex import PexFlag, PexMessage, PexPeer

INFO = b"d4:name3:abce" + b"x" * 20_000
# What the peers call the extensions; other numbers than ours.
THEIRS = {"ut_metadata": 11, "ut_pex": 12, "lt_donthave": 13, "upload_only": 14}


class RecordingPort:
    def __init__(self):
        self.handshakes = []
        self.found = []
        self.info = None
        self.lost = []

    def extension_handshake_received(self, connection, handshake):
        self.handshakes.append((connection, handshake))

    def peers_found(self, peers):
        self.found += peers

    def metadata_fetched(self, info):
        self.info = info

    def upload_only_changed(self, connection, *, upload_only):
        self.upload_only = (connection, upload_only)

    def dont_have_received(self, connection, index):
        self.lost.append((connection, index))


class Stage:
    def __init__(self, *, fetch=False, pex=True, info=None, private=False):
        self.port = RecordingPort()
        self.now = 0.0
        info_hash = InfoHash(hashlib.sha1(INFO).digest())
        fetching = MetadataFetch(info_hash, random.Random(1)) if fetch else None
        self.exchange = ExtensionExchange(self.port, fetching, pex=pex)
        if info is not None:
            self.exchange.metadata_known(info, private=private)
        self.links = {}

    def ours(self):
        return ExtensionHandshake(messages=self.exchange.our_messages(), client="us")

    def peer(self, number, *, incoming=False, **said):
        link = self.links[number] = RecordingLink()
        address = PeerAddress(f"198.51.100.{number}", 6881)
        connection = ConnectionId(number)
        side = ExtensionSide(connection, address, link, self.exchange, incoming=incoming)
        self.exchange.add(side, self.ours())
        handshake = ExtensionHandshake(messages=THEIRS, **said)
        self.says(side, 0, handshake.encode())
        return side

    def says(self, side, identity, payload):
        side.receive(identity, memoryview(payload), self.now)

    def sent(self, number, identity):
        return [m[2] for m in self.links[number].read() if m[:2] == ("extended", identity)]


def test_a_peer_is_greeted_with_what_we_take():
    stage = Stage()
    stage.peer(1)
    (greeting,) = stage.sent(1, 0)
    handshake = ExtensionHandshake.parse(greeting)
    assert handshake.messages == OUR_IDS
    assert handshake.client == "us"


def test_a_private_torrent_offers_no_peer_exchange_and_believes_none():
    stage = Stage(info=INFO, private=True)
    side = stage.peer(1)
    (greeting,) = stage.sent(1, 0)
    assert "ut_pex" not in ExtensionHandshake.parse(greeting).messages
    peer = PexPeer(PeerAddress("203.0.113.5", 1), PexFlag(0))
    stage.says(side, OUR_IDS["ut_pex"], ut_pex.encode(PexMessage((peer,), ())))
    assert stage.port.found == []
    for _ in range(200):
        stage.now += 1
        stage.exchange.tick(stage.now)
    assert stage.sent(1, THEIRS["ut_pex"]) == []


def test_the_metadata_is_fetched_from_several_peers():
    stage = Stage(fetch=True)
    sides = [stage.peer(n, metadata_size=len(INFO)) for n in (1, 2)]
    answered = 0
    while stage.port.info is None:
        for number, side in enumerate(sides, 1):
            for payload in stage.sent(number, THEIRS["ut_metadata"]):
                request = ut_metadata.parse(payload)
                assert isinstance(request, MetadataRequest)
                begin = request.piece * 16384
                data = MetadataData(request.piece, len(INFO), INFO[begin : begin + 16384])
                stage.says(side, OUR_IDS["ut_metadata"], ut_metadata.encode(data))
                answered += 1
        stage.now += 1
        stage.exchange.tick(stage.now)
        assert stage.now < 100
    assert stage.port.info == INFO
    assert answered >= 2


def test_a_peer_that_sends_wrong_metadata_is_dropped():
    stage = Stage(fetch=True)
    side = stage.peer(1, metadata_size=100)
    (payload,) = stage.sent(1, THEIRS["ut_metadata"])
    assert ut_metadata.parse(payload) == MetadataRequest(0)
    data = MetadataData(0, 100, b"y" * 100)
    stage.says(side, OUR_IDS["ut_metadata"], ut_metadata.encode(data))
    assert stage.links[1].closed
    assert stage.port.info is None


def test_the_metadata_is_served_once_it_is_known():
    stage = Stage(info=INFO)
    side = stage.peer(1)
    request = ut_metadata.encode(MetadataRequest(1))
    stage.says(side, OUR_IDS["ut_metadata"], request)
    (payload,) = stage.sent(1, THEIRS["ut_metadata"])
    assert ut_metadata.parse(payload) == MetadataData(1, len(INFO), INFO[16384:])


def test_before_it_is_known_requests_are_rejected():
    stage = Stage(fetch=True)
    side = stage.peer(1)
    stage.says(side, OUR_IDS["ut_metadata"], ut_metadata.encode(MetadataRequest(0)))
    (payload,) = stage.sent(1, THEIRS["ut_metadata"])
    assert ut_metadata.parse(payload) == MetadataReject(0)


def test_requests_wait_while_the_link_is_full():
    stage = Stage(info=INFO)
    side = stage.peer(1)
    stage.links[1].unsent_bytes = 1 << 20
    stage.says(side, OUR_IDS["ut_metadata"], ut_metadata.encode(MetadataRequest(0)))
    assert stage.sent(1, THEIRS["ut_metadata"]) == []
    stage.links[1].unsent_bytes = 0
    stage.exchange.drained(stage.now)
    assert len(stage.sent(1, THEIRS["ut_metadata"])) == 1


def test_peers_hear_of_each_other_at_the_ports_where_they_listen():
    stage = Stage()
    stage.peer(1)
    stage.peer(2, incoming=True, port=7000)
    stage.peer(3, incoming=True)
    told = []
    for _ in range(70):
        stage.now += 1
        stage.exchange.tick(stage.now)
        told += stage.sent(1, THEIRS["ut_pex"])
    added = [peer for payload in told for peer in ut_pex.parse(payload).added]
    assert [peer.address for peer in added] == [PeerAddress("198.51.100.2", 7000)]


def test_told_peers_are_found():
    stage = Stage()
    side = stage.peer(1)
    peer = PexPeer(PeerAddress("203.0.113.5", 1), PexFlag.SEED)
    stage.says(side, OUR_IDS["ut_pex"], ut_pex.encode(PexMessage((peer,), ())))
    assert stage.port.found == [peer]


def test_who_is_gone_is_asked_and_told_nothing():
    stage = Stage(fetch=True)
    stage.peer(1, metadata_size=100)
    stage.exchange.remove(ConnectionId(1), stage.now)
    stage.links[1].read()
    for _ in range(100):
        stage.now += 1
        stage.exchange.tick(stage.now)
    assert stage.links[1].read() == []
    assert not stage.exchange.has_peers


def test_a_lost_piece_is_passed_on():
    stage = Stage()
    side = stage.peer(1)
    stage.says(side, OUR_IDS["lt_donthave"], lt_donthave.encode(7))
    assert stage.port.lost == [(1, 7)]


def test_several_messages_leave_at_once():
    stage = Stage()
    side = stage.peer(1)
    stage.links[1].read()
    sends = stage.links[1].sends
    side.send("ut_metadata", b"one", b"two")
    assert stage.sent(1, THEIRS["ut_metadata"]) == [b"one", b"two"]
    assert stage.links[1].sends == sends + 1
    side.send("ut_never", b"one")
    assert stage.links[1].sends == sends + 1


def test_a_peer_that_wants_nothing_any_more_is_passed_on():
    stage = Stage()
    side = stage.peer(1)
    stage.says(side, OUR_IDS["upload_only"], b"\x01")
    assert stage.port.upload_only == (1, True)


def test_a_later_handshake_adds_to_the_earlier():
    stage = Stage()
    side = stage.peer(1)
    stage.says(side, 0, ExtensionHandshake(messages={"ut_pex": 0}).encode())
    assert side.supports("ut_metadata")
    assert not side.supports("ut_pex")
    assert len(stage.port.handshakes) == 2


@pytest.mark.parametrize("identity", [0, *OUR_IDS.values()])
def test_nonsense_drops_the_peer(identity):
    stage = Stage()
    side = stage.peer(1)
    with pytest.raises(RemoteProtocolError):
        stage.says(side, identity, b"\xffnonsense")


def test_an_unknown_extension_means_nothing():
    stage = Stage()
    side = stage.peer(1)
    stage.says(side, 99, b"anything")


def test_a_peer_that_was_dropped_is_not_heard_again():
    """What it was dropped for may stand in the middle of the bytes that came."""
    stage = Stage(fetch=True)
    side = stage.peer(1, metadata_size=len(INFO))
    unasked = ut_metadata.encode(MetadataData(9, len(INFO), b"x"))
    stage.says(side, OUR_IDS["ut_metadata"], unasked)
    assert "without being asked" in stage.links[1].closed
    stage.exchange.remove(side.connection, stage.now)
    heard = len(stage.port.handshakes)
    stage.says(side, 0, ExtensionHandshake(messages=THEIRS, metadata_size=5).encode())
    stage.says(side, OUR_IDS["ut_metadata"], ut_metadata.encode(MetadataRequest(0)))
    stage.says(side, OUR_IDS["lt_donthave"], lt_donthave.encode(1))
    assert len(stage.port.handshakes) == heard
    assert stage.port.lost == []
    stage.now += 100
    stage.exchange.tick(stage.now)
    stage.exchange.drained(stage.now)


def test_a_torrent_that_turns_out_private_takes_its_offer_back():
    stage = Stage(fetch=True)
    side = stage.peer(1)
    stage.exchange.metadata_known(INFO, private=True)
    stage.exchange.tell(stage.ours())
    first, second = map(ExtensionHandshake.parse, stage.sent(1, 0))
    assert first.messages["ut_pex"] == OUR_IDS["ut_pex"]
    assert second.messages["ut_pex"] == 0
    found = PexPeer(PeerAddress("203.0.113.5", 1), PexFlag(0))
    stage.says(side, OUR_IDS["ut_pex"], ut_pex.encode(PexMessage((found,), ())))
    assert stage.port.found == []
    stage.peer(2)
    [greeting] = map(ExtensionHandshake.parse, stage.sent(2, 0))
    assert "ut_pex" not in greeting.messages


def test_later_handshakes_add_to_the_first():
    stage = Stage()
    side = stage.peer(1, client="them", request_queue=77, upload_only=True)
    stage.says(side, 0, ExtensionHandshake(messages={"ut_pex": 0}, metadata_size=9).encode())
    assert side.handshake.client == "them"
    assert side.handshake.request_queue == 77
    assert side.handshake.metadata_size == 9
    assert not side.handshake.upload_only
    assert side.supports("ut_metadata")
    assert not side.supports("ut_pex")


def test_who_becomes_a_seed_is_told_to_be_one():
    stage = Stage()
    side = stage.peer(1)
    assert PexFlag.SEED not in side.pex_flags
    stage.says(side, OUR_IDS["upload_only"], b"\1")
    assert PexFlag.SEED in side.pex_flags
    assert side.handshake.messages == THEIRS
