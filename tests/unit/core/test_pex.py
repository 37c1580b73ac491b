from __future__ import annotations

import pytest

from millstream.core.geometry import ConnectionId
from millstream.core.pex import FIRST_WAIT, INTERVAL, MAX_EARLY_MESSAGES, MAX_HEARD, PexExchange
from millstream.errors import RemoteProtocolError
from millstream.protocol.compact import PeerAddress
from millstream.protocol.ut_pex import (
    MAX_PEX_ADDED,
    MAX_PEX_DROPPED,
    PexFlag,
    PexMessage,
    PexPeer,
)

NONE = PexFlag(0)
ONE, TWO, THREE = (ConnectionId(number) for number in (1, 2, 3))


def public(number: int, port: int = 6881) -> PeerAddress:
    return PeerAddress(f"98.76.{number >> 8}.{number & 255}", port)


def added(*addresses: PeerAddress, flags: PexFlag = NONE) -> PexMessage:
    return PexMessage(tuple(PexPeer(address, flags) for address in addresses))


def addresses(message: PexMessage) -> list[PeerAddress]:
    return [peer.address for peer in message.added]


def exchange_of(*numbers: int, now: float = 0.0) -> PexExchange:
    """Connections with these numbers, all of whom take messages and listen."""
    exchange = PexExchange()
    for number in numbers:
        join(exchange, number, now)
    return exchange


def join(exchange: PexExchange, number: int, now: float = 0.0) -> None:
    exchange.add_peer(ConnectionId(number), now, public(number))
    exchange.connected(ConnectionId(number), public(number), PexFlag.OUTGOING)


# Telling.


def test_everybody_hears_of_the_others_and_not_of_itself():
    exchange = exchange_of(1, 2, 3)
    assert exchange.due(0.0) == []
    told = dict(exchange.due(FIRST_WAIT))
    assert told.keys() == {ONE, TWO, THREE}
    for number in (1, 2, 3):
        message = told[ConnectionId(number)]
        assert set(addresses(message)) == {public(other) for other in (1, 2, 3) if other != number}
        assert message.dropped == ()
        assert {peer.flags for peer in message.added} == {PexFlag.OUTGOING}
    assert exchange.due(1e6) == []


def test_who_has_nobody_to_hear_of_hears_when_somebody_comes():
    exchange = exchange_of(1)
    assert exchange.due(10.0) == []
    join(exchange, 2, now=20.0)
    assert exchange.due(20.0) == [(ONE, added(public(2), flags=PexFlag.OUTGOING))]
    assert exchange.due(20.0 + FIRST_WAIT) == [(TWO, added(public(1), flags=PexFlag.OUTGOING))]


def test_news_come_once_a_minute():
    exchange = exchange_of(1, 2)
    exchange.due(1.0)
    for number in range(3, 63):
        join(exchange, number, now=float(number))
        assert ONE not in dict(exchange.due(float(number) - 1))
    assert INTERVAL > 60
    message = dict(exchange.due(1.0 + INTERVAL))[ONE]
    assert len(message.added) == MAX_PEX_ADDED
    assert exchange.due(1.0 + INTERVAL) == []
    rest = dict(exchange.due(1.0 + 2 * INTERVAL))[ONE]
    assert {*addresses(message), *addresses(rest)} == {public(number) for number in range(3, 63)}


def test_who_left_is_dropped_and_who_came_and_went_is_not_mentioned():
    exchange = exchange_of(1, 2, 3)
    exchange.due(1.0)
    exchange.remove_peer(TWO)
    join(exchange, 4, now=5.0)
    exchange.remove_peer(ConnectionId(4))
    [(connection, message), (other, _)] = exchange.due(100.0)
    assert (connection, other) == (ONE, THREE)
    assert message == PexMessage((), (public(2),))


def test_who_came_back_is_no_news():
    exchange = exchange_of(1, 2, 3)
    exchange.due(1.0)
    exchange.remove_peer(TWO)
    join(exchange, 2, now=5.0)
    assert dict(exchange.due(100.0)).keys() == {TWO}  # to whom all is new


def test_no_message_is_longer_than_it_may_be():
    exchange = exchange_of(*range(1, 200))
    now = 1.0
    for _ in range(5):
        for _, message in exchange.due(now):
            assert len(message.added) <= MAX_PEX_ADDED
        now += INTERVAL
    for number in range(2, 200):
        exchange.remove_peer(ConnectionId(number))
    dropped: list[PeerAddress] = []
    for _ in range(4):
        message = dict(exchange.due(now))[ONE]
        assert len(message.dropped) <= MAX_PEX_DROPPED
        assert not message.added
        dropped += message.dropped
        now += INTERVAL
    assert len(dropped) == len(set(dropped)) == 198
    assert exchange.due(now) == []


def test_only_who_listens_is_told_of():
    exchange = exchange_of(1)
    exchange.add_peer(TWO, 0.0, public(2, port=50_000))  # came, and did not say where it listens
    assert [connection for connection, _ in exchange.due(1.0)] == [TWO]
    exchange.add_peer(TWO, 1.0, public(2))
    exchange.connected(TWO, public(2), NONE)  # now it has
    assert exchange.due(100.0) == [(ONE, added(public(2)))]


def test_a_peer_that_says_another_port_replaces_itself():
    exchange = exchange_of(1, 2)
    exchange.due(1.0)
    for port in range(1000, 1100):
        exchange.connected(TWO, public(2, port), NONE)
    assert len(exchange._live) == 2
    [(connection, message)] = exchange.due(100.0)
    assert connection == ONE
    assert message == PexMessage((PexPeer(public(2, 1099), NONE),), (public(2),))


def test_new_flags_are_told_to_those_who_come():
    exchange = exchange_of(1, 2)
    exchange.due(1.0)
    exchange.connected(TWO, public(2), PexFlag.SEED)
    join(exchange, 3, now=50.0)
    told = dict(exchange.due(100.0))
    assert told[ONE] == added(public(3), flags=PexFlag.OUTGOING)
    assert PexPeer(public(2), PexFlag.SEED) in told[THREE].added


def test_of_two_that_name_one_address_one_is_told_of():
    exchange = exchange_of(1, 2)
    exchange.connected(THREE, public(2), NONE)
    assert addresses(dict(exchange.due(1.0))[ONE]) == [public(2)]
    exchange.remove_peer(THREE)
    assert exchange.due(100.0) == []
    exchange.remove_peer(TWO)
    assert exchange.due(100.0) == [(ONE, PexMessage((), (public(2),)))]


def test_private_addresses_are_not_told_to_the_internet():
    exchange = exchange_of(1)
    exchange.add_peer(TWO, 0.0, PeerAddress("192.168.0.2", 6881))
    exchange.connected(TWO, PeerAddress("192.168.0.2", 6881), NONE)
    exchange.connected(THREE, PeerAddress("192.168.0.3", 6881), NONE)
    exchange.connected(ConnectionId(4), PeerAddress("name.example", 6881), NONE)
    told = dict(exchange.due(1.0))
    assert told.keys() == {TWO}
    assert set(addresses(told[TWO])) == {public(1), PeerAddress("192.168.0.3", 6881)}


def test_forgetting_a_stranger_means_nothing():
    exchange = exchange_of(1, 2)
    exchange.remove_peer(THREE)
    assert len(exchange.due(1.0)) == 2


# Being told.


def test_news_are_returned_once():
    exchange = exchange_of(1)
    message = added(public(8), public(9), flags=PexFlag.SEED)
    assert exchange.received(ONE, message, 0.0) == list(message.added)
    assert exchange.received(ONE, message, 60.0) == []
    assert exchange.received(ONE, PexMessage((), (public(8),)), 120.0) == []
    assert exchange.received(ONE, message, 180.0) == [PexPeer(public(8), PexFlag.SEED)]


@pytest.mark.parametrize(
    ("teller", "told", "believed"),
    [
        ("98.76.54.32", "8.8.8.8", True),
        ("98.76.54.32", "2001:db8::1", True),
        ("98.76.54.32", "192.168.0.1", False),
        ("98.76.54.32", "127.0.0.1", False),
        ("98.76.54.32", "fe80::1", False),
        ("98.76.54.32", "::ffff:10.0.0.1", False),
        ("192.168.0.7", "192.168.0.1", True),
        ("192.168.0.7", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "8.8.8.8", True),
        ("192.168.0.7", "224.0.0.1", False),
        ("192.168.0.7", "0.0.0.0", False),  # noqa: S104 - nothing is bound
        ("192.168.0.7", "255.255.255.255", False),
        ("192.168.0.7", "router.local", False),
    ],
)
def test_nobody_turns_us_against_hosts_it_cannot_reach(teller, told, believed):
    exchange = PexExchange()
    exchange.add_peer(ONE, 0.0, PeerAddress(teller, 6881))
    assert bool(exchange.received(ONE, added(PeerAddress(told, 80)), 0.0)) is believed


def test_port_zero_is_nobody():
    assert exchange_of(1).received(ONE, added(public(8, port=0)), 0.0) == []


def test_of_a_host_in_the_internet_one_port_is_believed():
    exchange = exchange_of(1)
    ports = [public(8, port) for port in range(1, 50)]
    assert [peer.address for peer in exchange.received(ONE, added(*ports), 0.0)] == ports[:1]
    neighbours = [PeerAddress("127.0.0.1", port) for port in (1, 2, 3)]
    exchange.add_peer(TWO, 0.0, PeerAddress("127.0.0.1", 4))
    assert len(exchange.received(TWO, added(*neighbours), 0.0)) == 3


def test_one_peer_is_not_believed_without_end():
    exchange = exchange_of(1)
    found = 0
    for minute in range(10):
        news = [public(1000 + 60 * minute + at) for at in range(60)]
        found += len(exchange.received(ONE, added(*news), 120.0 * minute))
    assert found == MAX_HEARD
    assert len(exchange._partners[ONE].heard) == MAX_HEARD


def test_a_message_a_minute_is_fine_for_ever():
    exchange = exchange_of(1)
    for minute in range(1000):
        exchange.received(ONE, PexMessage(), 59.0 * minute)


def test_some_may_come_together_but_not_many():
    exchange = exchange_of(1)
    for _ in range(MAX_EARLY_MESSAGES):
        exchange.received(ONE, PexMessage(), 1000.0)
    with pytest.raises(RemoteProtocolError, match="flood of ut_pex"):
        exchange.received(ONE, PexMessage(), 1000.0)


def test_who_sends_twice_too_often_is_found_out():
    exchange = exchange_of(1)
    for at in range(11):
        exchange.received(ONE, PexMessage(), 25.0 * at)
    with pytest.raises(RemoteProtocolError, match="flood of ut_pex"):
        exchange.received(ONE, PexMessage(), 25.0 * 11)


def test_messages_that_are_too_long_count_twice_but_the_first():
    exchange = exchange_of(1)
    long = added(*(public(1000 + at) for at in range(MAX_PEX_ADDED + 1)))
    assert len(exchange.received(ONE, long, 0.0)) == MAX_PEX_ADDED
    for at in range(1, 7):
        exchange.received(ONE, long, 60.0 * at)
    with pytest.raises(RemoteProtocolError, match="flood of ut_pex"):
        exchange.received(ONE, long, 60.0 * 7)


def test_who_does_not_take_messages_is_not_heard():
    exchange = PexExchange()
    for _ in range(100):
        assert exchange.received(ONE, added(public(8)), 0.0) == []
