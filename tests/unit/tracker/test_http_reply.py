from __future__ import annotations

import math

import pytest

from millstream.errors import TrackerError
from millstream.protocol.bencode import decode
from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import AnnounceResponse, ScrapeEntry
from millstream.tracker.http_reply import encode_announce, encode_failure, encode_scrape

PEERS = (PeerAddress("192.0.2.1", 258), PeerAddress("2001:db8::1", 1))


def test_compact_peers_of_both_families():
    response = AnnounceResponse(
        interval=1800,
        min_interval=60,
        seeders=1,
        leechers=2,
        peers=PEERS,
        warning="slöw",
        external_ip="2001:db8::2",
        tracker_id=b"\xff",
    )
    assert decode(encode_announce(response)) == {
        b"interval": 1800,
        b"min interval": 60,
        b"complete": 1,
        b"incomplete": 2,
        b"peers": bytes((192, 0, 2, 1, 1, 2)),
        b"peers6": bytes.fromhex("20010db8000000000000000000000001") + b"\0\1",
        b"warning message": "slöw".encode(),
        b"external ip": bytes.fromhex("20010db8000000000000000000000002"),
        b"tracker id": b"\xff",
    }


def test_what_is_not_known_is_not_said():
    response = AnnounceResponse(interval=5, external_ip="a name")
    assert encode_announce(response) == b"d8:intervali5e5:peers0:e"
    assert encode_announce(response, compact=False) == b"d8:intervali5e5:peerslee"


def test_dictionaries_with_and_without_peer_ids():
    response = AnnounceResponse(interval=5, peers=PEERS)
    listed = [
        {b"ip": b"192.0.2.1", b"port": 258},
        {b"ip": b"2001:db8::1", b"port": 1},
    ]
    assert decode(encode_announce(response, compact=False)) == {b"interval": 5, b"peers": listed}
    ids = [b"1" * 20, b"2" * 20]
    answer = decode(encode_announce(response, compact=False, peer_ids=ids))
    assert [peer[b"peer id"] for peer in answer[b"peers"]] == ids


def test_scrape():
    answer = encode_scrape([(InfoHash(b"x" * 20), ScrapeEntry(11, 13772, 19))])
    assert answer == (
        b"d5:filesd20:xxxxxxxxxxxxxxxxxxxxd8:completei11e10:downloadedi13772e10:incompletei19eeee"
    )


@pytest.mark.parametrize(
    ("retry_in", "written"),
    [
        (None, b""),
        (math.inf, b"8:retry in5:never"),
        (1800.0, b"8:retry ini30e"),
        (61.0, b"8:retry ini2e"),
        (0.0, b"8:retry ini1e"),
    ],
)
def test_failures(retry_in, written):
    error = TrackerError("no ☂", retry_in)
    assert encode_failure(error) == b"d14:failure reason6:no \xe2\x98\x82" + written + b"e"
