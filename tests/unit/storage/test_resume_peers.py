import pytest

from millstream.protocol import bencode
from millstream.protocol.compact import PeerAddress
from millstream.storage.resume_peers import (
    MAX_KEPT_PEERS,
    KeptPeer,
    decode_peers,
    encode_peers,
)

PEERS = [
    KeptPeer(PeerAddress("1.2.3.4", 5), ("user", "tracker"), 1_700_000_000),
    KeptPeer(PeerAddress("::1", 65535)),
    KeptPeer(PeerAddress("name.example", 80), ("magnet",)),
]


def test_peers_come_back_in_order():
    assert decode_peers(encode_peers(PEERS)) == PEERS
    assert decode_peers(encode_peers([])) == []


def test_there_are_not_too_many():
    many = [KeptPeer(PeerAddress("1.2.3.4", n)) for n in range(1, MAX_KEPT_PEERS + 9)]
    assert decode_peers(encode_peers(many)) == many[:MAX_KEPT_PEERS]


@pytest.mark.parametrize(
    "data",
    [None, b"", b"x", b"i1e", b"de", bencode.encode({b"version": 2, b"peers": []}),
     bencode.encode({b"version": 1, b"peers": b"x"})],
)  # fmt: skip
def test_what_is_none_has_none(data):
    assert decode_peers(data) == []


def test_what_cannot_be_read_is_left_out():
    entries = [
        7,
        {},
        {b"address": 1},
        {b"address": b"\xff:1"},
        {b"address": b"1.2.3.4"},
        {b"address": b"1.2.3.4:0"},
        {b"address": b"1.2.3.4:9", b"sources": [1, b"user", b"\xff"], b"last seen": -1},
        {b"address": b"1.2.3.5:9", b"sources": b"user", b"last seen": b"1"},
    ]
    data = bencode.encode({b"version": 1, b"peers": entries})
    assert decode_peers(data) == [
        KeptPeer(PeerAddress("1.2.3.4", 9), ("user", "\ufffd")),
        KeptPeer(PeerAddress("1.2.3.5", 9)),
    ]
