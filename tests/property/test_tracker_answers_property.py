"""Whatever a tracker sends is an answer or a TrackerError, and bounded."""

from __future__ import annotations

import contextlib
import random

from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import MalformedDataError, TrackerError
from millstream.protocol.address_scope import is_global
from millstream.protocol.bencode import encode
from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash
from millstream.protocol.percent import quote
from millstream.tracker.announce import AnnounceEvent, AnnounceRequest, AnnounceResponse
from millstream.tracker.http_announce import MAX_PEERS, announce_url, parse_announce
from millstream.tracker.http_answer import MAX_WORDS
from millstream.tracker.interval import (
    MAX_INTERVAL,
    MAX_MIN_INTERVAL,
    MIN_INTERVAL,
    sane_interval,
    sane_min_interval,
)
from millstream.tracker.scrape import parse_scrape, scrape_url
from millstream.tracker.tracker_url import TrackerUrl
from millstream.tracker.udp_exchange import UdpConnections, UdpExchange
from millstream.tracker.udp_packets import (
    MAX_SCRAPE,
    MAX_URL_DATA,
    AnnounceRequestPacket,
    ScrapeRequestPacket,
    pack_announce_request,
    parse_request,
    parse_response,
)

HASH = InfoHash(bytes(20))
INTEGERS = st.integers(-(10**19), 10**19)
LEAVES = INTEGERS | st.binary(max_size=40) | st.sampled_from([b"never", bytes(12), bytes(36)])
KEYS = st.sampled_from(
    [
        *(b"interval", b"min interval", b"complete", b"incomplete", b"downloaded", b"peers"),
        *(b"peers6", b"external ip", b"tracker id", b"warning message", b"retry in", b"files"),
        *(b"ip", b"port", b"peer id", bytes(20)),
    ]
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=20,
)
ANSWERS = st.dictionaries(KEYS | st.just(b"failure reason"), VALUES, max_size=12).map(encode)
BODIES = (
    st.binary(max_size=200) | ANSWERS | st.builds(bytes.__add__, ANSWERS, st.binary(max_size=3))
)
STATUSES = st.sampled_from([200, 200, 200, 204, 404, 500])


def check_announce(response: AnnounceResponse) -> None:
    assert MIN_INTERVAL <= response.interval <= MAX_INTERVAL
    assert 0 <= response.min_interval <= MAX_MIN_INTERVAL
    for count in (response.seeders, response.leechers):
        assert count is None or 0 <= count < 2**32
    assert len(response.peers) <= 2 * MAX_PEERS
    for peer in response.peers:
        assert 0 < peer.port <= 65535
        assert peer == PeerAddress.parse(str(peer))
    assert response.warning is None or response.warning.isprintable()
    assert len(response.warning or "") <= MAX_WORDS


def check_error(error: TrackerError) -> None:
    assert str(error).isprintable()
    assert len(str(error)) < 500
    assert error.retry_in is None or error.retry_in > 0


@given(BODIES, STATUSES)
def test_any_body_of_an_announce(body, status):
    try:
        check_announce(parse_announce(body, status))
    except TrackerError as refused:
        check_error(refused)


@given(BODIES, STATUSES)
def test_any_body_of_a_scrape(body, status):
    try:
        found = parse_scrape(body, [HASH], status)
    except TrackerError:
        return
    assert set(found) <= {HASH}
    for entry in found.values():
        assert min(entry.seeders, entry.completed, entry.leechers) >= 0


@given(st.none() | VALUES)
def test_any_interval(value):
    assert MIN_INTERVAL <= sane_interval(value) <= MAX_INTERVAL
    assert 0 <= sane_min_interval(value) <= MAX_MIN_INTERVAL


@given(st.binary(max_size=200) | st.binary(min_size=98, max_size=98 + 600))
def test_any_datagram_to_a_tracker(data):
    for start in (b"", b"\0\0\4\x17\x27\x10\x19\x80", bytes(11) + b"\1", bytes(11) + b"\2"):
        try:
            parsed = parse_request(start + data)
        except MalformedDataError:
            continue
        if isinstance(parsed, AnnounceRequestPacket):
            assert len(parsed.url_data or b"") <= MAX_URL_DATA
        elif isinstance(parsed, ScrapeRequestPacket):
            assert len(parsed.info_hashes) <= MAX_SCRAPE


@given(st.integers(0, 5), st.binary(max_size=200), st.booleans())
def test_any_datagram_of_a_tracker(action, data, ipv6):
    for datagram in (data, bytes([0, 0, 0, action]) + data):
        try:
            parse_response(memoryview(datagram), ipv6=ipv6)
        except MalformedDataError:
            continue


ANNOUNCES = st.builds(
    AnnounceRequest,
    info_hash=st.binary(min_size=20, max_size=20).map(InfoHash),
    peer_id=st.binary(min_size=20, max_size=20),
    port=st.integers(0, 65535),
    uploaded=st.integers(0, 2**63 - 1),
    downloaded=st.integers(0, 2**63 - 1),
    left=st.integers(0, 2**63 - 1),
    event=st.sampled_from(AnnounceEvent),
    key=st.integers(0, 2**32 - 1),
    want=st.integers(-1, 1000),
)


@given(ANNOUNCES, st.binary(max_size=MAX_URL_DATA), st.integers(0, 2**64 - 1))
def test_an_announce_by_udp_arrives_as_it_was(announce, url_data, connection):
    packet = pack_announce_request(connection, 7, announce, url_data=url_data)
    expected = AnnounceRequestPacket(connection, 7, announce, 0, url_data or None)
    assert parse_request(packet) == expected


@given(ANNOUNCES)
def test_an_announce_by_http_is_printable_and_has_its_bytes(announce):
    url = announce_url("http://t.example/announce", announce)
    assert url.isascii()
    assert url.isprintable()
    assert " " not in url
    assert f"?info_hash={quote(announce.info_hash)}&" in url


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 1, 2, 3, 9]), st.booleans(), st.binary(max_size=40)),
        max_size=20,
    )
)
def test_any_datagrams_in_an_exchange(datagrams):
    """Whoever does not know the transaction achieves nothing."""
    exchange = UdpExchange(
        PeerAddress("1.2.3.4", 5),
        lambda _connection, _transaction: bytes(16),
        UdpConnections(),
        random.Random(1),
        retransmit=15,
    )
    now = 0.0
    for action, is_ours, rest in datagrams:
        sent = exchange.datagram(now)
        transaction = (sent or bytes(16))[12:16] if is_ours else b"\xff\xff\xff\xff"
        try:
            exchange.receive(bytes([0, 0, 0, action]) + transaction + rest, now)
        except TrackerError:
            assert is_ours
            return
        now += 7


@given(st.text(max_size=60) | st.text(":/?#[]@.%&= ahnot1", max_size=40))
def test_any_text_as_a_trackers_url(text):
    for url in (text, f"http://{text}", f"udp://{text}", f"http://t/{text}"):
        try:
            parsed = TrackerUrl.parse(url)
        except TrackerError:
            continue
        assert parsed.authority
        assert TrackerUrl.parse(parsed.with_parameters("p=1")).query is not None
        with contextlib.suppress(TrackerError):
            assert parsed.address.port
        with contextlib.suppress(TrackerError):
            scrape_url(url, [HASH])


@given(st.text(max_size=50) | st.ip_addresses().map(str))
def test_any_text_as_an_address(text):
    assert is_global(text) in {True, False}


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_as_global_as_what_it_stands_for(address):
    assert is_global(f"::ffff:{address}") == is_global(str(address))
    # Never more than the standard library says, whose lists grew over time.
    assert address.is_global or not is_global(str(address))
