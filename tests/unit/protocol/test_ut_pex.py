from __future__ import annotations

import pytest

from millstream.errors import LocalProtocolError, RemoteProtocolError
from millstream.protocol import bencode
from millstream.protocol.compact import PeerAddress
from millstream.protocol.ut_pex import MAX_PEX_READ, PexFlag, PexMessage, PexPeer, encode, parse

A = PeerAddress("192.0.2.1", 6881)
B = PeerAddress("192.0.2.2", 6882)
SIX = PeerAddress("2001:db8::1", 6883)
COMPACT_A = b"\xc0\0\2\1\x1a\xe1"
COMPACT_B = b"\xc0\0\2\2\x1a\xe2"


def read(**fields: object) -> PexMessage:
    return parse(
        bencode.encode({name.replace("_", ".").encode(): value for name, value in fields.items()})
    )


def test_how_it_looks():
    message = PexMessage((PexPeer(A, PexFlag.SEED | PexFlag.OUTGOING),), (B,))
    assert encode(message) == (
        b"d5:added6:" + COMPACT_A + b"7:added.f1:\x127:dropped6:" + COMPACT_B + b"e"
    )


def test_there_and_back_with_both_kinds_of_addresses():
    message = PexMessage((PexPeer(A), PexPeer(B, PexFlag.UTP), PexPeer(SIX, PexFlag.SEED)), (SIX,))
    assert parse(memoryview(encode(message))) == message


def test_a_message_has_at_least_one_field():
    assert encode(PexMessage()) == b"d5:added0:7:added.f0:e"
    assert parse(encode(PexMessage())) == PexMessage()
    assert parse(b"de") == PexMessage()


@pytest.mark.parametrize("flags", [{}, {"added_f": b""}, {"added_f": b"\1\1"}, {"added_f": 1}])
def test_flags_that_do_not_fit_count_as_none(flags):
    assert read(added=COMPACT_A, **flags).added == (PexPeer(A),)


def test_flags_that_are_not_known_are_left_out():
    assert read(added=COMPACT_A, added_f=b"\xe3").added == (
        PexPeer(A, PexFlag.ENCRYPTION | PexFlag.SEED),
    )


def test_nobody_is_there_twice_or_at_port_0():
    nowhere = b"\xc0\0\2\3\0\0"
    message = read(added=COMPACT_A + nowhere + COMPACT_A, dropped=COMPACT_B + COMPACT_B + nowhere)
    assert message == PexMessage((PexPeer(A),), (B,))


def test_a_flood_is_cut():
    many = b"".join(bytes([10, 0, n >> 8, n & 255, 1, 1]) for n in range(5000))
    message = read(added=many, dropped=many)
    assert len(message.added) == len(message.dropped) == MAX_PEX_READ
    assert message.dropped[-1] == PeerAddress("10.0.0.199", 257)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"le",
        b"<html>",
        b"d5:addedi1ee",
        b"d5:added5:aaaaae",
        b"d6:added66:aaaaaae",
        b"d7:droppedlee",
        b"d7:dropped7:aaaaaaae",
        b"d8:dropped61:ae",
    ],
)
def test_what_is_no_list_of_peers_is_refused(payload):
    with pytest.raises(RemoteProtocolError, match="ut_pex"):
        parse(payload)


def test_names_are_not_sent():
    with pytest.raises(LocalProtocolError):
        encode(PexMessage((PexPeer(PeerAddress("example.org", 1)),)))
