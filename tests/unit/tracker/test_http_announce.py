from __future__ import annotations

import dataclasses

import pytest

from millstream.errors import TrackerError
from millstream.protocol.bencode import encode
from millstream.protocol.compact import PeerAddress, pack_peers, pack_peers6
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import AnnounceEvent, AnnounceRequest
from millstream.tracker.http_announce import MAX_PEERS, announce_url, parse_announce
from millstream.tracker.interval import DEFAULT_INTERVAL, MAX_INTERVAL, MAX_MIN_INTERVAL

REQUEST = AnnounceRequest(
    # The infohash of the examples in the wild: some bytes stay, the others are quoted.
    info_hash=InfoHash(bytes.fromhex("123456789abcdef123456789abcdef123456789a")),
    peer_id=b"-ML0100-\x00\xff +/&=%?#z",
    port=6881,
    uploaded=1,
    downloaded=2,
    left=3,
    key=0xABC,
    want=50,
)


def test_the_url():
    assert announce_url("http://t.example:6969/announce", REQUEST) == (
        "http://t.example:6969/announce"
        "?info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A"
        "&peer_id=-ML0100-%00%FF%20%2B%2F%26%3D%25%3F%23z"
        "&port=6881&uploaded=1&downloaded=2&left=3&compact=1&no_peer_id=1&supportcrypto=1"
        "&numwant=50&key=00000ABC"
    )


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (AnnounceEvent.STARTED, "&event=started"),
        (AnnounceEvent.COMPLETED, "&event=completed"),
        (AnnounceEvent.STOPPED, "&event=stopped"),
    ],
)
def test_events_and_the_trackers_id(event, text):
    request = dataclasses.replace(REQUEST, event=event, tracker_id=b"a b")
    assert announce_url("http://t/", request).endswith(f"&key=00000ABC{text}&trackerid=a%20b")


def test_the_trackers_own_query_stays():
    url = announce_url("https://t/x?passkey=s3cret%2f", REQUEST)
    assert url.startswith("https://t/x?passkey=s3cret%2f&info_hash=")


def test_what_is_no_url():
    with pytest.raises(TrackerError):
        announce_url("announce", REQUEST)


def test_a_whole_answer():
    peers = [PeerAddress("1.2.3.4", 5), PeerAddress("6.7.8.9", 0)]
    peers6 = [PeerAddress("2001:db8::1", 6881)]
    response = parse_announce(
        encode(
            {
                b"interval": 900,
                b"min interval": 300,
                b"complete": 10,
                b"incomplete": 20,
                b"downloaded": 30,
                b"peers": pack_peers(peers) + b"rest",
                b"peers6": pack_peers6(peers6) + b"rest",
                b"external ip": bytes([9, 8, 7, 6]),
                b"tracker id": b"\x00id",
                b"warning message": b"be careful",
            }
        )
    )
    assert response.interval == 900
    assert response.min_interval == 300
    assert (response.seeders, response.leechers) == (10, 20)
    assert response.peers == (peers[0], *peers6)
    assert response.external_ip == "9.8.7.6"
    assert response.tracker_id == b"\x00id"
    assert response.warning == "be careful"


def test_peers_as_dictionaries():
    entries = [
        {b"ip": b"1.2.3.4", b"port": 5, b"peer id": bytes(20)},
        {b"ip": b"2001:DB8:0::1", b"port": 6},
        {b"ip": b"tracker.example", b"port": 7},  # no tracker gets us to ask a name server
        {b"ip": b"1.2.3.4", b"port": 0},
        {b"ip": b"1.2.3.4", b"port": 65536},
        {b"ip": b"1.2.3.4", b"port": b"5"},
        {b"ip": b"1.2.3.4"},
        {b"ip": b"\xff", b"port": 5},
        {b"ip": b"1" * 1000, b"port": 5},
        {b"ip": b"fe80::1%eth0", b"port": 5},
        {b"port": 5},
        b"1.2.3.4",
        5,
    ]
    response = parse_announce(encode({b"interval": 5, b"peers": entries}))
    assert response.peers == (PeerAddress("1.2.3.4", 5), PeerAddress("2001:db8::1", 6))


def test_the_number_of_peers_is_bounded():
    many = pack_peers([PeerAddress("1.2.3.4", 5)]) * (2 * MAX_PEERS)
    assert len(parse_announce(encode({b"peers": many})).peers) == MAX_PEERS
    entry = {b"ip": b"1.2.3.4", b"port": 5}
    assert len(parse_announce(encode({b"peers": [entry] * (2 * MAX_PEERS)})).peers) == MAX_PEERS


@pytest.mark.parametrize(
    ("value", "interval", "min_interval"),
    [
        (0, DEFAULT_INTERVAL, 0),
        (-5, DEFAULT_INTERVAL, 0),
        (b"60", DEFAULT_INTERVAL, 0),
        ([], DEFAULT_INTERVAL, 0),
        (10**18, MAX_INTERVAL, MAX_MIN_INTERVAL),
    ],
)
def test_odd_intervals(value, interval, min_interval):
    response = parse_announce(encode({b"interval": value, b"min interval": value}))
    assert (response.interval, response.min_interval) == (interval, min_interval)


def test_odd_fields_are_left_out():
    odd = parse_announce(
        encode(
            {
                b"complete": -1,
                b"incomplete": b"5",
                b"peers": 5,
                b"peers6": [],
                b"external ip": b"1.2.3.4.5",
                b"tracker id": b"x" * 1000,
                b"warning message": [b"x"],
            }
        )
    )
    assert odd == parse_announce(b"de")
    assert odd.peers == ()
    assert odd.external_ip is odd.tracker_id is odd.warning is odd.seeders is odd.leechers is None


def test_an_ipv6_external_address():
    address = bytes.fromhex("20010db8000000000000000000000001")
    assert parse_announce(encode({b"external ip": address})).external_ip == "2001:db8::1"


def test_a_refusal():
    with pytest.raises(TrackerError, match="refused: gone"):
        parse_announce(encode({b"failure reason": b"gone"}))
    with pytest.raises(TrackerError, match="a web page"):
        parse_announce(b"<html>", 200)
