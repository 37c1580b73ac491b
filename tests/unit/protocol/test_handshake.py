from __future__ import annotations

import pytest

from millstream.errors import RemoteProtocolError
from millstream.protocol.handshake import (
    HANDSHAKE_LENGTH,
    Handshake,
    HandshakeDecoder,
    Reserved,
)
from millstream.protocol.infohash import InfoHash

INFO_HASH = InfoHash(bytes(range(20)))
PEER_ID = b"-ML0100-abcdefghijkl"
RAW = b"\x13BitTorrent protocol" + b"\0\0\0\0\0\0\0\x04" + INFO_HASH + PEER_ID


def test_it_is_encoded_as_bep_3_says():
    assert Handshake(INFO_HASH, PEER_ID, Reserved.FAST).encode() == RAW
    assert len(RAW) == HANDSHAKE_LENGTH


@pytest.mark.parametrize(
    ("flag", "byte", "bit"),
    [(Reserved.EXTENSION, 5, 0x10), (Reserved.DHT, 7, 0x01), (Reserved.FAST, 7, 0x04)],
)
def test_reserved_bits_are_where_the_beps_put_them(flag, byte, bit):
    reserved = Handshake(INFO_HASH, PEER_ID, flag).encode()[20:28]
    assert reserved[byte] == bit
    assert sum(reserved) == bit


def test_it_is_decoded():
    decoder = HandshakeDecoder()
    assert decoder.receive(RAW) == HANDSHAKE_LENGTH
    assert decoder.handshake == Handshake(INFO_HASH, PEER_ID, Reserved.FAST)
    assert decoder.info_hash == INFO_HASH


def test_what_follows_is_left_alone():
    decoder = HandshakeDecoder()
    assert decoder.receive(memoryview(RAW + b"\0\0\0\1\2")) == HANDSHAKE_LENGTH
    assert decoder.receive(b"\0\0\0\1\2") == 0
    assert decoder.handshake is not None


def test_the_infohash_is_known_before_the_peer_id():
    decoder = HandshakeDecoder()
    decoder.receive(RAW[:47])
    assert decoder.info_hash is None
    decoder.receive(RAW[47:48])
    assert decoder.info_hash == INFO_HASH
    assert decoder.handshake is None
    decoder.receive(RAW[48:67])
    assert decoder.handshake is None
    decoder.receive(RAW[67:])
    assert decoder.handshake is not None


def test_unknown_reserved_bits_are_kept():
    decoder = HandshakeDecoder()
    decoder.receive(RAW[:20] + b"\xff" * 8 + RAW[28:])
    assert decoder.handshake is not None
    assert decoder.handshake.reserved == (1 << 64) - 1


@pytest.mark.parametrize("at", [0, 1, 10, 19])
def test_a_wrong_byte_is_refused_as_soon_as_it_comes(at):
    decoder = HandshakeDecoder()
    assert decoder.receive(RAW[:at]) == at
    with pytest.raises(RemoteProtocolError, match="not a BitTorrent handshake"):
        decoder.receive(bytes([RAW[at] ^ 1]))


def test_http_is_refused():
    with pytest.raises(RemoteProtocolError):
        HandshakeDecoder().receive(b"GET / HTTP/1.1\r\n")
