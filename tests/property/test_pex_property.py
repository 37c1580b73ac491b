from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from millstream.core.geometry import ConnectionId
from millstream.core.pex import INTERVAL, MAX_HEARD, PexExchange
from millstream.errors import RemoteProtocolError
from millstream.protocol.compact import PeerAddress, unpack_peers, unpack_peers6
from millstream.protocol.ut_pex import (
    MAX_PEX_ADDED,
    MAX_PEX_DROPPED,
    PexFlag,
    PexMessage,
    PexPeer,
)

LISTENING = [PeerAddress(f"98.76.54.{number}", 6881) for number in range(70)]
ONE = ConnectionId(1)


class PexMachine(RuleBasedStateMachine):
    """What every peer was told adds up to who is there."""

    @initialize()
    def begin(self) -> None:
        self.exchange = PexExchange()
        self.now = 0.0
        self.here: dict[ConnectionId, PeerAddress] = {}
        self.told: dict[ConnectionId, set[PeerAddress]] = {}
        self.told_at: dict[ConnectionId, float] = {}

    @rule(number=st.integers(0, 69), count=st.integers(1, 60))
    def come(self, number: int, count: int) -> None:
        for at in range(number, min(number + count, 70)):
            connection = ConnectionId(at)
            if connection not in self.here:
                self.here[connection] = LISTENING[at]
                self.told[connection] = set()
                self.exchange.add_peer(connection, self.now, LISTENING[at])
                self.exchange.connected(connection, LISTENING[at], PexFlag(0))

    @rule(number=st.integers(0, 69), count=st.integers(1, 60))
    def leave(self, number: int, count: int) -> None:
        for at in range(number, min(number + count, 70)):
            connection = ConnectionId(at)
            self.exchange.remove_peer(connection)
            for known in (self.here, self.told, self.told_at):
                known.pop(connection, None)

    @rule(seconds=st.sampled_from([0.0, 1.0, 30.0, 61.0]))
    def tell(self, seconds: float) -> None:
        self.now += seconds
        for connection, message in self.exchange.due(self.now):
            assert self.now - self.told_at.get(connection, -INTERVAL) >= INTERVAL
            self.told_at[connection] = self.now
            news = [peer.address for peer in message.added]
            assert news or message.dropped
            assert len(news) == len(set(news)) <= MAX_PEX_ADDED
            assert len(message.dropped) == len(set(message.dropped)) <= MAX_PEX_DROPPED
            told = self.told[connection]
            assert not told.intersection(news)
            assert told.issuperset(message.dropped)
            told.difference_update(message.dropped)
            told.update(news)
            assert self.here[connection] not in told

    @invariant()
    def everybody_knows_in_the_end(self) -> None:
        live = set(self.here.values())
        for connection, told in self.told.items():
            partner = self.exchange._partners[connection]
            assert set(partner.told) == told
            if partner.next_at < self.now and self.exchange._next_at > self.now:
                assert told == live - {self.here[connection]}


@pytest.mark.slow
class TestPex(PexMachine.TestCase):
    pass


ANY = st.one_of(
    st.binary(min_size=6, max_size=6).map(lambda data: unpack_peers(data)[0]),
    st.binary(min_size=18, max_size=18).map(lambda data: unpack_peers6(data)[0]),
    st.sampled_from([PeerAddress("127.0.0.1", 22), PeerAddress("10.0.0.1", 80)]),
)


@given(
    teller=ANY,
    messages=st.lists(st.tuples(st.lists(ANY, max_size=60), st.lists(ANY, max_size=9)), max_size=9),
    seconds=st.floats(0, 100),
)
def test_whatever_is_told_is_a_flood_or_news(teller, messages, seconds):
    exchange = PexExchange()
    exchange.add_peer(ONE, 0.0, teller)
    for at, (added, dropped) in enumerate(messages):
        message = PexMessage(tuple(PexPeer(address) for address in added), tuple(dropped))
        try:
            found = exchange.received(ONE, message, at * seconds)
        except RemoteProtocolError:
            break
        assert len(found) == len(set(found)) <= MAX_PEX_ADDED
        assert {peer.address for peer in found} <= set(added)
        assert len(exchange._partners[ONE].heard) <= MAX_HEARD
