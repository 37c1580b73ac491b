from __future__ import annotations

import pytest

from millstream.errors import LocalProtocolError, MalformedDataError
from millstream.protocol.compact import (
    PeerAddress,
    pack_peers,
    pack_peers6,
    unpack_peers,
    unpack_peers6,
)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("1.2.3.4:80", "1.2.3.4", 80),
        ("[::1]:1", "::1", 1),
        ("[2001:DB8:0:0::1]:65535", "2001:db8::1", 65535),
        ("[::ffff:1.2.3.4]:6881", "::ffff:1.2.3.4", 6881),
        ("localhost:6881", "localhost", 6881),
        ("Seed-1.example.ORG.:6881", "seed-1.example.org.", 6881),
        ("bücher.example:6881", "bücher.example", 6881),
    ],
)
def test_text_is_read(text, host, port):
    assert PeerAddress.parse(text) == (host, port)


@pytest.mark.parametrize("text", ["1.2.3.4:80", "[::1]:1", "[::ffff:1.2.3.4]:2", "host:3"])
def test_text_is_written_as_it_is_read(text):
    assert str(PeerAddress.parse(text)) == text


def test_only_ipv6_addresses_are_ipv6():
    assert PeerAddress("::1", 1).is_ipv6
    assert not PeerAddress("1.2.3.4", 1).is_ipv6
    assert not PeerAddress("host", 1).is_ipv6


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "1.2.3.4",
        "1.2.3.4:",
        ":80",
        "1.2.3.4:0",
        "1.2.3.4:65536",
        "1.2.3.4:-1",
        "1.2.3.4:+1",
        "1.2.3.4: 1",
        "1.2.3.4:1_0",
        "1.2.3.4:٣",
        "1.2.3.4:" + "9" * 5000,
        "1.2.3:80",
        "1.2.3.256:80",
        "01.2.3.4:80",
        "::1:80",
        "[::1]",
        "[]:80",
        "[1.2.3.4]:80",
        "[::1:80",
        "[::1]]:80",
        "a b:80",
        "a/b:80",
        "a..b:80",
        "a\n:80",
        "x" * 64 + ":80",
        "x." * 127 + ":80",
    ],
)
def test_other_text_is_refused(text):
    with pytest.raises(MalformedDataError):
        PeerAddress.parse(text)


def test_ipv4_peers_take_6_bytes_each():
    peers = [PeerAddress("1.2.3.4", 0x1AE1), PeerAddress("255.0.0.1", 65535)]
    data = b"\x01\x02\x03\x04\x1a\xe1\xff\x00\x00\x01\xff\xff"
    assert pack_peers(peers) == data
    assert unpack_peers(data) == peers
    assert unpack_peers(memoryview(data)) == peers


def test_ipv6_peers_take_18_bytes_each():
    peers = [PeerAddress("::1", 80), PeerAddress("2001:db8::ff", 6881)]
    data = bytes(15) + b"\x01\x00\x50" + bytes.fromhex("20010db8" + "00" * 11 + "ff" + "1ae1")
    assert pack_peers6(peers) == data
    assert unpack_peers6(data) == peers


def test_an_entry_without_a_port_keeps_its_place():
    # PEX sends flags in a second list, by position (BEP 11).
    peers = unpack_peers(b"\x01\x02\x03\x04\x00\x00" * 2)
    assert peers == [PeerAddress("1.2.3.4", 0)] * 2


def test_nothing_is_no_peers():
    assert pack_peers([]) == pack_peers6([]) == b""
    assert unpack_peers(b"") == unpack_peers6(b"") == []


@pytest.mark.parametrize("length", [1, 5, 7, 11, 17])
def test_broken_lengths_are_refused(length):
    with pytest.raises(MalformedDataError):
        unpack_peers(bytes(length))
    with pytest.raises(MalformedDataError):
        unpack_peers6(bytes(length))


@pytest.mark.parametrize("pack", [pack_peers, pack_peers6])
@pytest.mark.parametrize("peer", [PeerAddress("name", 80), PeerAddress("", 80)])
def test_names_cannot_be_packed(pack, peer):
    with pytest.raises(LocalProtocolError):
        pack([peer])


def test_families_and_ports_are_checked_when_packed():
    with pytest.raises(LocalProtocolError):
        pack_peers([PeerAddress("::1", 80)])
    with pytest.raises(LocalProtocolError):
        pack_peers6([PeerAddress("1.2.3.4", 80)])
    with pytest.raises(LocalProtocolError):
        pack_peers([PeerAddress("1.2.3.4", 65536)])
