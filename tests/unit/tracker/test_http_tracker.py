from __future__ import annotations

import random

from millstream.protocol.bencode import decode
from millstream.tracker.http_tracker import HttpTracker
from millstream.tracker.registry import Registry, RegistryConfig


def query(number=1, more=b""):
    return b"info_hash=%s&peer_id=%020d&port=%d%s" % (b"h" * 20, number, number, more)


def tracker(*, allow_ip=False, **config):
    return HttpTracker(Registry(RegistryConfig(**config)), random.Random(1), allow_ip=allow_ip)


def test_peers_are_compact_unless_dictionaries_are_asked_for():
    http = tracker()
    http.announce(query(1), "192.0.2.1", 0.0)
    compact = decode(http.announce(query(2), "192.0.2.2", 0.0))
    assert compact[b"peers"] == bytes((192, 0, 2, 1, 0, 1))
    assert compact[b"external ip"] == bytes((192, 0, 2, 2))
    listed = decode(http.announce(query(2, b"&compact=0"), "192.0.2.2", 0.0))
    assert listed[b"peers"] == [{b"ip": b"192.0.2.1", b"port": 1, b"peer id": b"%020d" % 1}]
    bare = decode(http.announce(query(2, b"&compact=0&no_peer_id=1"), "192.0.2.2", 0.0))
    assert bare[b"peers"] == [{b"ip": b"192.0.2.1", b"port": 1}]
    assert (http.announces, http.scrapes, http.refused) == (4, 0, 0)


def test_ipv6():
    http = tracker()
    http.announce(query(1), "2001:db8::1", 0.0)
    answer = decode(http.announce(query(2), "2001:db8::2", 0.0))
    assert answer[b"peers"] == b""
    assert answer[b"peers6"] == bytes.fromhex("20010db8000000000000000000000001") + b"\0\1"


def test_a_claimed_address_counts_only_where_it_is_allowed():
    for allow_ip, host in ((False, b"192.0.2.1"), (True, b"198.51.100.1")):
        http = tracker(allow_ip=allow_ip)
        first = decode(http.announce(query(1, b"&ip=198.51.100.1"), "192.0.2.1", 0.0))
        assert first[b"external ip"] == bytes((192, 0, 2, 1))
        answer = decode(http.announce(query(2, b"&compact=0"), "192.0.2.2", 0.0))
        assert answer[b"peers"][0][b"ip"] == host


def test_scrape():
    http = tracker()
    http.announce(query(1, b"&left=0"), "192.0.2.1", 0.0)
    answer = http.scrape(b"info_hash=" + b"h" * 20, "192.0.2.9", 0.0)
    counts = {b"complete": 1, b"downloaded": 0, b"incomplete": 0}
    assert decode(answer) == {b"files": {b"h" * 20: counts}}
    assert http.scrapes == 1


def test_failures_have_a_reason():
    http = tracker(max_peers=1)
    assert (
        http.announce(b"port=1", "192.0.2.1", 0.0) == b"d14:failure reason20:info_hash is missinge"
    )
    assert b"failure reason" in http.scrape(b"", "192.0.2.1", 0.0)
    http.announce(query(1), "192.0.2.1", 0.0)
    full = decode(http.announce(query(2), "192.0.2.2", 0.0))
    assert full == {
        b"failure reason": b"this tracker has no room for more peers",
        b"retry in": 30,
    }
    assert (http.announces, http.refused) == (1, 3)
