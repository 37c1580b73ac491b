from __future__ import annotations

import random

import pytest

from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import AnnounceEvent, AnnounceRequest, ScrapeEntry
from millstream.tracker.connection_id import ConnectionIds
from millstream.tracker.registry import Registry, RegistryConfig
from millstream.tracker.udp_packets import (
    ErrorResponse,
    pack_announce_request,
    pack_connect_request,
    pack_scrape_request,
    parse_response,
)
from millstream.tracker.udp_tracker import MAX_PEERS6_IN_DATAGRAM, UdpTracker

TORRENT = InfoHash(b"t" * 20)


class Clients:
    """Clients of a UDP tracker."""

    def __init__(self, *, allow_ip=False, **config):
        registry = Registry(RegistryConfig(**config))
        ids = ConnectionIds(b"s" * 32)
        self.tracker = UdpTracker(registry, ids, random.Random(1), allow_ip=allow_ip)
        self.now = 0.0

    def send(self, data, host="192.0.2.1"):
        answer = self.tracker.answer(data, host, self.now)
        return answer and parse_response(answer, ipv6=":" in host)

    def connect(self, host="192.0.2.1"):
        return self.send(pack_connect_request(7), host).connection

    def announce(self, number=1, host="192.0.2.1", *, want=-1, ip=0, event=AnnounceEvent.STARTED):
        request = AnnounceRequest(
            info_hash=TORRENT,
            peer_id=b"%020d" % number,
            port=6881,
            uploaded=0,
            downloaded=0,
            left=1,
            event=event,
            key=number,
            want=want,
        )
        return self.send(pack_announce_request(self.connect(host), 9, request, ip=ip), host)


def test_two_clients_find_each_other():
    clients = Clients()
    first = clients.announce(1, "192.0.2.1")
    assert (first.transaction, first.interval, first.peers) == (9, 1800, ())
    second = clients.announce(2, "192.0.2.2")
    assert second.peers == (PeerAddress("192.0.2.1", 6881),)
    assert (second.seeders, second.leechers) == (0, 2)
    assert clients.announce(3, "2001:db8::3").peers == ()
    assert clients.announce(4, "2001:db8::4").peers == (PeerAddress("2001:db8::3", 6881),)
    assert clients.tracker.announces == 4


def test_ipv6_answers_fit_a_packet():
    clients = Clients()
    for number in range(1, 80):
        clients.announce(number, f"2001:db8::{number:x}", want=0)
    answer = clients.announce(100, "2001:db8::ffff", want=200)
    assert len(answer.peers) == MAX_PEERS6_IN_DATAGRAM
    assert 40 + 8 + 20 + 18 * len(answer.peers) <= 1280


def test_scrape():
    clients = Clients()
    clients.announce()
    answer = clients.send(pack_scrape_request(clients.connect(), 5, [InfoHash(bytes(20)), TORRENT]))
    assert answer.entries == (ScrapeEntry(0, 0, 0), ScrapeEntry(0, 0, 1))
    assert clients.tracker.scrapes == 1


def test_a_claimed_address_counts_only_where_it_is_allowed():
    for allow_ip, host in ((False, "192.0.2.1"), (True, "198.51.100.1")):
        clients = Clients(allow_ip=allow_ip)
        clients.announce(1, "192.0.2.1", ip=0xC6336401)
        assert clients.announce(2, "192.0.2.2").peers == (PeerAddress(host, 6881),)
        # It has no meaning by IPv6.
        clients.announce(3, "2001:db8::3", ip=0xC6336401)
        assert clients.announce(4, "2001:db8::4").peers == (PeerAddress("2001:db8::3", 6881),)


def test_who_has_not_proved_its_address_gets_nothing():
    clients = Clients()
    stolen = clients.connect("192.0.2.1")
    request = pack_scrape_request(stolen, 5, [TORRENT])
    assert clients.send(request, "192.0.2.66") is None
    assert clients.send(pack_scrape_request(stolen ^ 1, 5, [TORRENT])) is None
    clients.now = 500.0
    assert clients.send(request, "192.0.2.1") is None
    assert clients.tracker.ignored == 3


@pytest.mark.parametrize(
    "data",
    [b"", b"x" * 15, b"x" * 16, bytes(16), bytes(98), b"GET / HTTP/1.1\r\n\r\n", bytes(65507)],
)
def test_what_is_no_request_gets_nothing(data):
    clients = Clients()
    assert clients.send(data) is None
    assert clients.tracker.ignored == 1


def test_refusals_are_said():
    clients = Clients(max_peers=1)
    clients.announce(1)
    answer = clients.announce(2, "192.0.2.2")
    assert answer == ErrorResponse(9, "this tracker has no room for more peers")
    assert clients.tracker.refused == 1


def test_a_connect_is_answered_by_no_more_than_was_sent():
    request = pack_connect_request(7)
    assert len(Clients().tracker.answer(request, "192.0.2.1", 0.0)) == len(request)
