"""Targets for both sides of a tracker: its answers, and what is asked of it."""

from __future__ import annotations

import random
from contextlib import suppress

from millstream.errors import MalformedDataError, TrackerError
from millstream.protocol.bencode import decode, encode
from millstream.protocol.compact import PeerAddress, pack_peers
from millstream.protocol.infohash import InfoHash
from millstream.tracker import udp_packets as udp
from millstream.tracker.announce import AnnounceEvent, AnnounceRequest, ScrapeEntry
from millstream.tracker.announce_query import parse_announce_query, parse_scrape_query
from millstream.tracker.connection_id import ConnectionIds
from millstream.tracker.http_announce import MAX_PEERS, announce_url, parse_announce
from millstream.tracker.http_tracker import HttpTracker
from millstream.tracker.interval import MAX_INTERVAL, MIN_INTERVAL
from millstream.tracker.registry import Registry, RegistryConfig
from millstream.tracker.scrape import parse_scrape, scrape_url
from millstream.tracker.tracker_url import TrackerUrl
from millstream.tracker.udp_exchange import UdpConnections, UdpExchange
from millstream.tracker.udp_tracker import UdpTracker

from .target import Script, Target

HASH = InfoHash(bytes(20))
HOSTS = ("198.51.100.1", "198.51.100.2", "2001:db8::1", "::ffff:1.2.3.4", "10.0.0.1")
STATUSES = (200, 200, 200, 204, 301, 404, 500)
MAX_TRACKED = 8
ANNOUNCE = AnnounceRequest(
    info_hash=HASH,
    peer_id=b"-XX0001-abcdefghijkl",
    port=6881,
    uploaded=1,
    downloaded=2,
    left=3,
    event=AnnounceEvent.STARTED,
    key=0xABCDEF01,
)


def fuzz_http_response(data: bytes) -> None:
    """The body of an answer to an announce, and to a scrape."""
    for status in STATUSES[:3:2] + STATUSES[3:]:
        try:
            answer = parse_announce(data, status)
        except TrackerError as error:
            assert str(error).isprintable()
            assert len(str(error)) < 500
        else:
            assert MIN_INTERVAL <= answer.interval <= MAX_INTERVAL
            assert len(answer.peers) <= 2 * MAX_PEERS
            assert all(0 < peer.port <= 65535 for peer in answer.peers)
        with suppress(TrackerError):
            assert set(parse_scrape(data, [HASH], status)) <= {HASH}


def fuzz_udp_response(data: bytes) -> None:
    """A datagram by itself, and many in an exchange."""
    for ipv6 in (False, True):
        with suppress(MalformedDataError):
            udp.parse_response(data, ipv6=ipv6)
    script = Script(data)
    host = HOSTS[script.number(len(HOSTS))]
    exchange = UdpExchange(
        PeerAddress(host, 6969),
        lambda connection, transaction: udp.pack_announce_request(
            connection, transaction, ANNOUNCE, url_data=b"/announce"
        ),
        UdpConnections(),
        random.Random(1),
        retransmit=15,
    )
    now = 0.0
    with suppress(TrackerError):
        while script and exchange.answer is None:
            sent = exchange.datagram(now) or bytes(16)
            transaction = sent[12:16] if script.number(4) else script.take(4)
            action = bytes([0, 0, 0, script.number(5)])
            exchange.receive(action + transaction + script.chunk(), now)
            now += script.number()


def fuzz_http_request(data: bytes) -> None:
    """Queries, one a line, to a tracker that has little room."""
    tracker = HttpTracker(Registry(_small()), random.Random(1), allow_ip=True)
    with suppress(MalformedDataError):
        parse_announce_query(data)
    with suppress(MalformedDataError):
        parse_scrape_query(data)
    for number, query in enumerate(data.split(b"\n")):
        host = HOSTS[number % len(HOSTS)]
        for answer in (tracker.announce(query, host, number), tracker.scrape(query, host, number)):
            assert isinstance(decode(answer), dict)


def fuzz_udp_request(data: bytes) -> None:
    """Datagrams to a tracker that has little room; none is answered by more than it proved."""
    script = Script(data)
    registry = Registry(_small())
    ids = ConnectionIds(b"secret")
    tracker = UdpTracker(registry, ids, random.Random(1), allow_ip=True)
    now = 0.0
    tracker.answer(data, HOSTS[0], now)
    while script:
        now += script.number()
        host = HOSTS[script.number(len(HOSTS))]
        proven = script.number(4) > 0
        connection = ids.issue(host, now) if proven else 0
        datagram = connection.to_bytes(8, "big") + bytes([0, 0, 0, script.number(4)])
        datagram += script.take(4) + script.chunk()
        answer = tracker.answer(datagram, host, now)
        assert proven or answer is None or len(answer) <= len(datagram)
        assert registry.peer_count <= MAX_TRACKED
        assert registry.swarm_count <= MAX_TRACKED


def fuzz_tracker_url(data: bytes) -> None:
    """What a torrent names as its trackers."""
    text = data.decode("utf-8", "surrogateescape")
    for url in (text, f"http://{text}", f"udp://{text}"):
        with suppress(TrackerError):
            parsed = TrackerUrl.parse(url)
            asked = announce_url(url, ANNOUNCE)
            assert not set(asked.encode()) & {*range(33), 127}
            with suppress(TrackerError):
                scrape_url(url, [HASH])
            assert parsed.host is not None
            assert parsed.address.port


def _small() -> RegistryConfig:
    return RegistryConfig(max_swarms=MAX_TRACKED, max_peers=MAX_TRACKED)


_ANSWER = encode(
    {
        b"interval": 1800,
        b"min interval": 60,
        b"complete": 1,
        b"incomplete": 2,
        b"external ip": b"\1\2\3\4",
        b"tracker id": b"x",
        b"peers": pack_peers([PeerAddress("1.2.3.4", 5)]),
        b"peers6": bytes(18),
    }
)
_PEERS: list[dict[bytes, bytes | int]] = [
    {b"ip": b"1.2.3.4", b"port": 5, b"peer id": bytes(20)},
    {b"ip": b"::1", b"port": 6},
    {b"ip": b"a.name", b"port": 7},
]
_QUERY = announce_url("http://t/", ANNOUNCE).partition("?")[2].encode()
_COUNTS = {b"complete": 1, b"downloaded": 2, b"incomplete": 3}

TARGETS = [
    Target(
        "http_response",
        "HTTP trackers' answers",
        fuzz_http_response,
        [
            _ANSWER,
            encode({b"interval": 60, b"peers": _PEERS, b"warning message": b"soon"}),
            encode({b"failure reason": b"no", b"retry in": b"never"}),
            encode({b"files": {bytes(HASH): _COUNTS}}),
            b"<html><body>503</body></html>",
        ],
    ),
    Target(
        "udp_response",
        "UDP trackers' answers",
        fuzz_udp_response,
        [
            udp.pack_connect_response(1, 2),
            udp.pack_announce_response(
                1, interval=60, leechers=1, seeders=2, peers=[PeerAddress("1.2.3.4", 5)], ipv6=False
            ),
            udp.pack_scrape_response(1, [ScrapeEntry(1, 2, 3)]),
            udp.pack_error_response(1, "no"),
        ],
    ),
    Target(
        "http_request",
        "queries to the tracker",
        fuzz_http_request,
        [_QUERY, _QUERY + b"&ip=1.2.3.4&compact=0", b"info_hash=" + b"%00" * 20],
    ),
    Target(
        "udp_request",
        "datagrams to the tracker",
        fuzz_udp_request,
        [
            udp.pack_connect_request(1),
            udp.pack_announce_request(1, 2, ANNOUNCE, url_data=b"/announce"),
            udp.pack_scrape_request(1, 2, [HASH, HASH]),
        ],
    ),
    Target(
        "tracker_url",
        "URLs of trackers",
        fuzz_tracker_url,
        [b"http://user:pass@t.example:80/a/announce?passkey=1#x", b"udp://[::1]:6969/announce"],
    ),
]
