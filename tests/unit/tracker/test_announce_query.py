from __future__ import annotations

import pytest

from millstream.errors import MalformedDataError
from millstream.tracker.announce import AnnounceEvent
from millstream.tracker.announce_query import (
    MAX_PARAMETERS,
    MAX_QUERY_LENGTH,
    MAX_SCRAPE,
    parse_announce_query,
    parse_scrape_query,
)

LEAST = b"info_hash=" + b"h" * 20 + b"&peer_id=" + b"p" * 20 + b"&port=6881"


def parsed(more=b""):
    return parse_announce_query(LEAST + more)


def test_all_there_is():
    query = (
        b"info_hash=%00%01%02%03%04%05%06%07%08%09%0a%0B%ff%26%3d%3D%25+%20~"
        b"&peer_id=-LT2110-6osc*(s)joTU&port=46693&uploaded=1&downloaded=2&left=16384&corrupt=0"
        b"&key=8AC7BBED&event=started&numwant=200&compact=1&no_peer_id=1&supportcrypto=1"
        b"&trackerid=%00x&ip=192.0.2.7"
    )
    asked = parse_announce_query(query)
    announce = asked.announce
    assert bytes(announce.info_hash) == bytes(range(12)) + b"\xff&==%+ ~"
    assert announce.peer_id == b"-LT2110-6osc*(s)joTU"
    assert (announce.port, announce.uploaded, announce.downloaded) == (46693, 1, 2)
    assert (announce.left, announce.key, announce.want) == (16384, 0x8AC7BBED, 200)
    assert announce.event is AnnounceEvent.STARTED
    assert announce.tracker_id == b"\0x"
    assert (asked.compact, asked.no_peer_id, asked.ip) == (True, True, "192.0.2.7")


def test_the_least_that_is_needed():
    asked = parsed()
    assert (asked.compact, asked.no_peer_id, asked.ip) == (True, False, None)
    announce = asked.announce
    assert (announce.uploaded, announce.downloaded, announce.left) == (0, 0, 1)
    assert (announce.key, announce.want, announce.event) == (0, -1, AnnounceEvent.NONE)


@pytest.mark.parametrize(
    ("more", "event"),
    [
        (b"&event=completed", AnnounceEvent.COMPLETED),
        (b"&event=stopped", AnnounceEvent.STOPPED),
        (b"&event=", AnnounceEvent.NONE),
        (b"&event=paused", AnnounceEvent.NONE),
        (b"&event=st%61rted", AnnounceEvent.STARTED),
    ],
)
def test_events(more, event):
    assert parsed(more).announce.event is event


def test_an_unknown_left_makes_a_leecher():
    assert parsed(b"&left=-1").announce.left == 1
    assert parsed(b"&left=").announce.left == 1
    assert parsed(b"&left=0").announce.left == 0


def test_keys_that_are_no_numbers_differ_nevertheless():
    keys = {parsed(b"&key=" + key).announce.key for key in (b"abcdefghi", b"zz", b"z", b"1")}
    assert len(keys) == 4
    assert all(0 < key < 1 << 32 for key in keys)


@pytest.mark.parametrize(
    ("ip", "read"),
    [
        (b"2001:DB8::0:1", "2001:db8::1"),
        (b"%66e80::1%25eth0", "fe80::1"),
        (b"victim.example", None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_claimed_addresses(ip, read):
    assert parsed(b"&ip=" + ip).ip == read


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (b"", "port is missing"),
        (b"port=1", "info_hash is missing"),
        (LEAST + b"&info_hash=" + b"x" * 20, "info_hash is ambiguous"),
        (LEAST.replace(b"hh", b"h"), "info_hash is not 20 bytes"),
        (LEAST.replace(b"hh", b"%zz"), "info_hash is not 20 bytes"),
        (LEAST.replace(b"peer_id=", b"peer=") + b"&peer_id", "peer_id is not 20 bytes"),
        (LEAST + b"1", "port is not 0 to 65535"),
        (LEAST.replace(b"=6881", b"=-1"), "port is not 0 to 65535"),
        (LEAST.replace(b"=6881", b"=6_1"), "port is no number"),
        (LEAST + b"&left=many", "left is no number"),
        (LEAST + b"&numwant=" + b"9" * 21, "numwant is no number"),
        (LEAST + b"&uploaded=\xd9\xa1", "uploaded is no number"),
        (LEAST + b"&" * MAX_PARAMETERS, "too many parameters"),
        (LEAST + b"&x=" + b"x" * MAX_QUERY_LENGTH, "too long"),
    ],
)
def test_what_cannot_be_answered(query, reason):
    with pytest.raises(MalformedDataError, match=reason):
        parse_announce_query(query)


def test_scrapes():
    first, second = b"a" * 20, b"\0" * 20
    query = b"info_hash=" + first + b"&x=y&info_hash=" + b"%00" * 20
    assert parse_scrape_query(query) == (first, second)
    most = b"&".join(b"info_hash=" + b"%00" * 20 for _ in range(MAX_SCRAPE))
    assert len(parse_scrape_query(most)) == MAX_SCRAPE
    for bad in (b"", b"info_hash=abc", most + b"&info_hash=" + first):
        with pytest.raises(MalformedDataError):
            parse_scrape_query(bad)
