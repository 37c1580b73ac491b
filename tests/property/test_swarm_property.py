from __future__ import annotations

import random

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from millstream.core.config import SwarmConfig
from millstream.core.swarm import PeerSource, PeerState, Swarm
from millstream.protocol.compact import PeerAddress

# A small world, so that peers meet again. Two hosts have two ports each; one is a network's.
ADDRESSES = [
    PeerAddress(host, port)
    for host in ("98.76.1.1", "98.76.1.2", "192.168.0.1", "2001:db8::1", "98.77.3.4")
    for port in (1, 2)
]
ADDRESS = st.sampled_from(ADDRESSES)
SOURCE = st.sampled_from(list(PeerSource))
MOST_KNOWN = 6


class SwarmMachine(RuleBasedStateMachine):
    """Whoever uses a swarm keeps account of what it was given."""

    @initialize(seed=st.none() | st.integers(0, 3))
    def begin(self, seed: int | None) -> None:
        config = SwarmConfig(max_known_peers=MOST_KNOWN, max_failures=3)
        self.swarm = Swarm(config, None if seed is None else random.Random(seed))
        self.now = 0.0
        self.ours: dict[bool, PeerAddress] = {}
        self.banned: set[PeerAddress] = set()
        self.given: list[PeerAddress] = []  # tries that are under way
        self.came: list[PeerAddress] = []  # connections of peers that came to us

    @rule(seconds=st.sampled_from([0.0, 0.5, 3.0, 70.0, 4000.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(address=ADDRESS, source=SOURCE, is_seed=st.booleans())
    def mention(self, address: PeerAddress, source: PeerSource, is_seed: bool) -> None:
        news = self.swarm.add(address, source, is_seed=is_seed)
        if news:
            assert self.swarm.has_candidates()
            assert address not in self.banned

    @rule(most=st.integers(0, 4), seeds=st.booleans())
    def ask(self, most: int, seeds: bool) -> None:
        next_due = self.swarm.next_due(seeds=seeds)
        found = self.swarm.due(self.now, most, seeds=seeds)
        assert len(found) <= most
        assert not found or next_due <= self.now
        assert found or not most or next_due > self.now
        for address in found:
            assert address not in self.given, "one try at a time"
            assert address not in self.came, "nobody who is here"
            assert address not in self.banned
            assert address not in self.ours.values()
            self.given.append(address)

    @rule(data=st.data(), useful=st.booleans(), is_seed=st.booleans(), shook=st.booleans())
    def try_ends(self, data: st.DataObject, useful: bool, is_seed: bool, shook: bool) -> None:
        if self.given:
            address = data.draw(st.sampled_from(self.given))
            self.given.remove(address)
            if shook:
                self.swarm.connected(address, self.now)
            self.swarm.lost(address, self.now, useful=useful, is_seed=is_seed)

    @rule(data=st.data())
    def try_is_abandoned(self, data: st.DataObject) -> None:
        if self.given:
            address = data.draw(st.sampled_from(self.given))
            self.given.remove(address)
            self.swarm.put_back(address)

    @rule(address=ADDRESS)
    def peer_comes(self, address: PeerAddress) -> None:
        if address not in self.came:
            self.swarm.connected(address, self.now, incoming=True)
            if self.swarm.find(address) is not None:
                self.came.append(address)

    @rule(data=st.data(), useful=st.booleans())
    def peer_leaves(self, data: st.DataObject, useful: bool) -> None:
        if self.came:
            address = data.draw(st.sampled_from(self.came))
            self.came.remove(address)
            self.swarm.lost(address, self.now, useful=useful)

    @rule(address=ADDRESS, incoming=st.booleans())
    def ban(self, address: PeerAddress, incoming: bool) -> None:
        self.swarm.ban(address, incoming=incoming)
        self.banned.add(address)

    @rule(address=ADDRESS)
    def encryption_is_refused(self, address: PeerAddress) -> None:
        if self.swarm.plaintext_next(address):
            assert not self.swarm.wants_encryption(address)
            assert not self.swarm.plaintext_next(address)

    @rule(source=SOURCE)
    def forget(self, source: PeerSource) -> None:
        self.swarm.forget(source)

    @rule(address=ADDRESS)
    def learn_our_address(self, address: PeerAddress) -> None:
        self.swarm.set_our_address(address)
        self.ours[address.is_ipv6] = address

    @invariant()
    def holds(self) -> None:
        known = list(self.swarm)
        assert len(known) == len(self.swarm) <= MOST_KNOWN
        for address in self.banned:
            assert self.swarm.is_banned(address, incoming=False)
            assert self.swarm.find(address) is None
        idle = [peer for peer in known if peer.state is PeerState.IDLE]
        assert self.swarm.candidate_count() <= len(idle)
        # Whoever is idle may be tried, unless it is given up.
        assert self.swarm.candidate_count() == sum(
            peer.is_named or peer.failures < 3 for peer in idle
        )
        for peer in known:
            assert (peer.uses > 0) == (peer.state is not PeerState.IDLE)
            assert peer.uses <= 2


@pytest.mark.slow
class TestSwarm(SwarmMachine.TestCase):
    pass
