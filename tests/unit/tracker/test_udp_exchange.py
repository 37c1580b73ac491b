from __future__ import annotations

import random
import struct

import pytest

from millstream.errors import TrackerError
from millstream.protocol.compact import PeerAddress
from millstream.tracker.announce import ScrapeEntry
from millstream.tracker.udp_exchange import MAX_CONNECTIONS, UdpConnections, UdpExchange
from millstream.tracker.udp_packets import (
    ConnectRequest,
    pack_announce_response,
    pack_connect_response,
    pack_error_response,
    pack_scrape_response,
    parse_request,
)

TRACKER = PeerAddress("1.2.3.4", 6969)
PEERS = (PeerAddress("5.6.7.8", 9),)


def pack(connection: int, transaction: int) -> bytes:
    return struct.pack(">QII", connection, 2, transaction)


def transaction_of(packet: bytes | None) -> int:
    assert packet is not None
    return int.from_bytes(packet[12:16], "big")


def connection_of(packet: bytes | None) -> int:
    assert packet is not None
    return int.from_bytes(packet[:8], "big")


def is_connect(packet: bytes | None) -> bool:
    assert packet is not None
    return isinstance(parse_request(packet), ConnectRequest)


@pytest.fixture
def connections() -> UdpConnections:
    return UdpConnections()


@pytest.fixture
def exchange(connections) -> UdpExchange:
    return UdpExchange(TRACKER, pack, connections, random.Random(1), retransmit=15)


def connect(exchange: UdpExchange, now: float, connection: int = 77) -> bytes:
    """Get through the connect; returns the request that follows."""
    packet = exchange.datagram(now)
    assert is_connect(packet)
    exchange.receive(pack_connect_response(transaction_of(packet), connection), now)
    request = exchange.datagram(now)
    assert connection_of(request) == connection
    assert request is not None
    return request


def announced(transaction: int) -> bytes:
    return pack_announce_response(
        transaction, interval=900, leechers=1, seeders=2, peers=PEERS, ipv6=False
    )


def test_connect_then_ask(exchange):
    request = connect(exchange, 0)
    assert exchange.datagram(0) is None
    exchange.receive(announced(transaction_of(request)), 1)
    assert exchange.answer is not None
    assert exchange.answer.peers == PEERS
    assert exchange.datagram(100) is None


def test_silence_is_met_with_doubling_waits(exchange):
    """BEP 15's example: connects at 0, 15, 45, 105 ..."""
    sent = []
    now = 0.0
    for _ in range(11):
        packet = exchange.datagram(now)
        assert is_connect(packet)
        sent.append(now)
        assert exchange.datagram(exchange.due - 0.001) is None
        now = exchange.due
    assert sent[:4] == [0, 15, 45, 105]
    # Never more than 15 * 2^8 seconds.
    assert sent[9] - sent[8] == sent[10] - sent[9] == 3840


def test_an_announce_is_sent_again_under_the_same_transaction(exchange):
    first = connect(exchange, 0)
    assert exchange.datagram(15) == first
    exchange.receive(announced(transaction_of(first)), 16)
    assert exchange.answer is not None


def test_an_expired_connection_is_made_anew(exchange):
    """BEP 15's example: announces at 2, 17, 47, and a connect at 107."""
    connect(exchange, 2)
    assert not is_connect(exchange.datagram(17))
    assert not is_connect(exchange.datagram(47))
    assert is_connect(exchange.datagram(107))


def test_a_connection_serves_several_exchanges(exchange, connections):
    connect(exchange, 0)
    second = UdpExchange(TRACKER, pack, connections, random.Random(2), retransmit=15)
    assert connection_of(second.datagram(59)) == 77
    other = UdpExchange(
        PeerAddress("1.2.3.5", 1), pack, connections, random.Random(2), retransmit=1
    )
    assert is_connect(other.datagram(59))
    third = UdpExchange(TRACKER, pack, connections, random.Random(2), retransmit=15)
    assert is_connect(third.datagram(60))


def test_a_refusal_names_the_trackers_words(exchange):
    request = connect(exchange, 0)
    with pytest.raises(TrackerError, match=r"refused: unregistered torrent$"):
        exchange.receive(pack_error_response(transaction_of(request), "unregistered\n torrent"), 1)


def test_a_refused_connect_is_a_refusal(exchange):
    packet = exchange.datagram(0)
    with pytest.raises(TrackerError, match="no reason given"):
        exchange.receive(pack_error_response(transaction_of(packet), ""), 1)


def test_a_refused_old_connection_is_made_anew_once(exchange, connections):
    connections.put(TRACKER, 5, 0)
    request = exchange.datagram(1)
    assert connection_of(request) == 5
    exchange.receive(pack_error_response(transaction_of(request), "bad connection id"), 2)
    request = connect(exchange, 2)
    with pytest.raises(TrackerError):
        exchange.receive(pack_error_response(transaction_of(request), "bad connection id"), 3)


def test_what_is_not_ours_is_ignored(exchange):
    packet = exchange.datagram(0)
    ours = transaction_of(packet)
    for data in (
        b"",
        b"\0" * 8,
        pack_connect_response(ours ^ 1, 1),
        pack_error_response(ours ^ 1, "no"),
        announced(ours),  # right transaction, but nothing of the kind was asked
        pack_scrape_response(ours, [ScrapeEntry(1, 2, 3)]),
        struct.pack(">II", 9, ours),
    ):
        exchange.receive(data, 0)
        assert exchange.answer is None
        assert exchange.datagram(0) is None
    exchange.receive(pack_connect_response(ours, 3), 1)
    # The same once more, as networks do, or with another id, as attackers do.
    request = exchange.datagram(1)
    exchange.receive(pack_connect_response(ours, 4), 1)
    assert exchange.datagram(1) is None
    exchange.receive(pack_connect_response(transaction_of(request), 4), 1)
    assert connection_of(request) == 3
    exchange.receive(announced(transaction_of(request) ^ 1), 1)
    assert exchange.answer is None
    exchange.receive(announced(transaction_of(request)), 1)
    assert exchange.answer is not None
    exchange.receive(pack_error_response(transaction_of(request), "too late"), 2)


def test_ipv6_peers_have_18_bytes(connections):
    exchange = UdpExchange(
        PeerAddress("2606:4700::1", 80), pack, connections, random.Random(1), retransmit=15
    )
    request = connect(exchange, 0)
    peers = (PeerAddress("2606:4700::2", 1),)
    exchange.receive(
        pack_announce_response(
            transaction_of(request), interval=1, leechers=0, seeders=0, peers=peers, ipv6=True
        ),
        0,
    )
    assert exchange.answer is not None
    assert exchange.answer.peers == peers


def test_connections_are_bounded(connections):
    for number in range(2 * MAX_CONNECTIONS):
        connections.put(PeerAddress("1.2.3.4", number), number, 0)
    assert len(connections._known) == MAX_CONNECTIONS
    assert connections.get(PeerAddress("1.2.3.4", 2 * MAX_CONNECTIONS - 1), 1) is not None
