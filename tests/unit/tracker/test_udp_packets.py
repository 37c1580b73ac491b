from __future__ import annotations

import struct

import pytest

from millstream.errors import LocalProtocolError, MalformedDataError
from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash
from millstream.tracker import udp_packets as udp
from millstream.tracker.announce import AnnounceEvent, AnnounceRequest, ScrapeEntry

HASH = InfoHash(bytes(range(20)))
ANNOUNCE = AnnounceRequest(
    info_hash=HASH,
    peer_id=b"-ML0100-abcdefghijkl",
    port=6881,
    uploaded=3,
    downloaded=1,
    left=2,
    event=AnnounceEvent.STARTED,
    key=0xDEADBEEF,
    want=-1,
)


def test_connect_request_as_in_bep_15():
    packet = udp.pack_connect_request(0x01020304)
    assert packet == bytes.fromhex("0000041727101980 00000000 01020304")
    assert udp.parse_request(packet) == udp.ConnectRequest(0x01020304)


def test_connect_response_as_in_bep_15():
    packet = udp.pack_connect_response(7, 2**64 - 2)
    assert packet == bytes.fromhex("00000000 00000007 fffffffffffffffe")
    assert udp.parse_response(packet + b"more", ipv6=False) == udp.ConnectResponse(7, 2**64 - 2)


def test_announce_request_as_in_bep_15():
    packet = udp.pack_announce_request(5, 6, ANNOUNCE)
    assert len(packet) == 98
    assert packet[:16] == struct.pack(">QII", 5, 1, 6)
    assert packet[16:36] == HASH
    assert packet[36:56] == ANNOUNCE.peer_id
    assert packet[56:80] == struct.pack(">QQQ", 1, 2, 3)
    assert packet[80:98] == struct.pack(">IIIiH", 2, 0, 0xDEADBEEF, -1, 6881)
    assert udp.parse_request(packet) == udp.AnnounceRequestPacket(5, 6, ANNOUNCE)


def test_announce_response_of_both_families():
    for ipv6, peers in (
        (False, (PeerAddress("1.2.3.4", 5), PeerAddress("6.7.8.9", 10))),
        (True, (PeerAddress("2001:db8::1", 5),)),
    ):
        packet = udp.pack_announce_response(
            9, interval=1800, leechers=1, seeders=2, peers=peers, ipv6=ipv6
        )
        assert len(packet) == 20 + len(peers) * (18 if ipv6 else 6)
        expected = udp.AnnounceResponsePacket(9, 1800, 1, 2, peers)
        assert udp.parse_response(packet, ipv6=ipv6) == expected
        # A rest that is no peer may be an extension; a peer without a port is none.
        assert udp.parse_response(packet + b"rest", ipv6=ipv6) == expected
        nobody = bytes(18 if ipv6 else 6)
        assert udp.parse_response(packet + nobody, ipv6=ipv6) == expected


def test_scrape_both_ways():
    hashes = (HASH, InfoHash(bytes(20)))
    packet = udp.pack_scrape_request(1, 2, hashes)
    assert len(packet) == 56
    assert udp.parse_request(packet) == udp.ScrapeRequestPacket(1, 2, hashes)
    entries = (ScrapeEntry(1, 2, 3), ScrapeEntry(4, 5, 6))
    answer = udp.pack_scrape_response(2, entries)
    assert answer == struct.pack(">IIIIIIII", 2, 2, 1, 2, 3, 4, 5, 6)
    assert udp.parse_response(answer + b"x", ipv6=True) == udp.ScrapeResponsePacket(2, entries)


def test_error():
    packet = udp.pack_error_response(3, "no such torrent")
    assert packet == struct.pack(">II", 3, 3) + b"no such torrent"
    assert udp.parse_response(packet, ipv6=False) == udp.ErrorResponse(3, "no such torrent")
    # Some trackers end it as C does.
    assert udp.parse_response(packet + b"\0", ipv6=False) == udp.ErrorResponse(3, "no such torrent")
    assert udp.parse_response(packet[:8] + b"\xff", ipv6=False) == udp.ErrorResponse(3, "\ufffd")


@pytest.mark.parametrize("length", [0, 1, 12, 254, 255, 256, 510, 600, udp.MAX_URL_DATA])
def test_url_data(length):
    data = bytes(97 + at % 26 for at in range(length))
    packet = udp.pack_announce_request(5, 6, ANNOUNCE, url_data=data)
    parsed = udp.parse_request(packet)
    assert isinstance(parsed, udp.AnnounceRequestPacket)
    assert parsed.url_data == (data or None)


@pytest.mark.parametrize(
    ("options", "data"),
    [
        ("020c" + b"/dir?a=b&c=d".hex(), b"/dir?a=b&c=d"),
        ("020c" + b"/dir?a=b&c=d".hex() + "010100", b"/dir?a=b&c=d"),
        ("0200", b""),
        ("00020161", None),
        ("0102016103ff", b"a"),
        ("0703616263020161", b"a"),
        ("02016102016200020163", b"ab"),
        ("02", None),
        ("0205616263", None),
        ("", None),
    ],
)
def test_the_options_of_bep_41(options, data):
    packet = udp.pack_announce_request(5, 6, ANNOUNCE) + bytes.fromhex(options)
    parsed = udp.parse_request(packet)
    assert isinstance(parsed, udp.AnnounceRequestPacket)
    assert parsed.url_data == data


def test_numbers_out_of_range_are_clipped():
    big = AnnounceRequest(
        info_hash=HASH,
        peer_id=bytes(20),
        port=0,
        uploaded=2**80,
        downloaded=-5,
        left=2**63,
        want=2**40,
        key=2**40 + 1,
    )
    parsed = udp.parse_request(udp.pack_announce_request(0, 0, big))
    assert isinstance(parsed, udp.AnnounceRequestPacket)
    said = parsed.announce
    assert (said.uploaded, said.downloaded, said.left) == (2**63 - 1, 0, 2**63 - 1)
    assert (said.want, said.key) == (2**31 - 1, 1)
    packet = udp.pack_announce_response(
        0, interval=2**40, leechers=-1, seeders=0, peers=(), ipv6=False
    )
    assert packet[8:16] == b"\xff\xff\xff\xff\0\0\0\0"


def test_an_unknown_event_is_none():
    packet = bytearray(udp.pack_announce_request(5, 6, ANNOUNCE))
    packet[80:84] = b"\0\0\0\x09"
    parsed = udp.parse_request(bytes(packet))
    assert isinstance(parsed, udp.AnnounceRequestPacket)
    assert parsed.announce.event is AnnounceEvent.NONE


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(15),
        bytes(16),  # a connect request without the magic number
        struct.pack(">QII", 5, 1, 6) + bytes(81),
        struct.pack(">QII", 5, 3, 6),
        struct.pack(">QII", 5, 99, 6),
    ],
)
def test_malformed_requests(data):
    with pytest.raises(MalformedDataError):
        udp.parse_request(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(7),
        bytes(15),
        struct.pack(">II", 1, 0) + bytes(11),
        struct.pack(">II", 4, 0),
    ],
)
def test_malformed_responses(data):
    with pytest.raises(MalformedDataError):
        udp.parse_response(data, ipv6=False)


def test_what_cannot_be_packed():
    with pytest.raises(LocalProtocolError):
        udp.pack_scrape_request(0, 0, [])
    with pytest.raises(LocalProtocolError):
        udp.pack_scrape_request(0, 0, [HASH] * (udp.MAX_SCRAPE + 1))
    with pytest.raises(LocalProtocolError):
        udp.pack_announce_request(0, 0, ANNOUNCE, url_data=bytes(udp.MAX_URL_DATA + 1))


def test_a_scrape_of_too_many_is_cut():
    packet = udp.pack_scrape_request(1, 2, [HASH]) + HASH * udp.MAX_SCRAPE + b"rest"
    parsed = udp.parse_request(memoryview(packet))
    assert isinstance(parsed, udp.ScrapeRequestPacket)
    assert len(parsed.info_hashes) == udp.MAX_SCRAPE
