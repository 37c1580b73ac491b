"""A tracker's registry against a list of what was announced."""

from __future__ import annotations

import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import AnnounceEvent, AnnounceRequest
from millstream.tracker.registry import Registry, RegistryConfig

INTERVAL = 10
TORRENTS = [InfoHash(bytes([number]) * 20) for number in range(3)]
HOSTS = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8::2"]


class RegistryMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.registry = Registry(RegistryConfig(interval=INTERVAL, min_interval=0))
        self.rng = random.Random(1)
        self.now = 0.0
        # (torrent, peer id, key or host, is IPv6) -> [address, deadline]; who is a seed besides.
        self.peers = {}
        self.seeds = set()

    def alive(self, torrent):
        return {key: value for key, value in self.peers.items() if key[0] == torrent}

    def clients(self, torrent):
        return {key[:3] for key in self.alive(torrent)}

    def forget(self, key):
        del self.peers[key]
        if not any(other[:3] == key[:3] for other in self.peers):
            self.seeds.discard(key[:3])

    @rule(
        torrent=st.sampled_from(TORRENTS),
        number=st.integers(1, 4),
        keyed=st.booleans(),
        host=st.sampled_from(HOSTS),
        port=st.integers(0, 2),
        left=st.integers(0, 1),
        event=st.sampled_from(AnnounceEvent),
        want=st.integers(-1, 4),
        moved=st.integers(0, 1),
    )
    def announce(self, torrent, number, keyed, host, port, left, event, want, moved):
        request = AnnounceRequest(
            info_hash=torrent,
            peer_id=bytes([number]) * 20,
            port=port,
            uploaded=moved,
            downloaded=0,
            left=left,
            event=event,
            key=number if keyed else 0,
            want=want,
        )
        answer = self.registry.announce(request, host, self.now, self.rng)
        address = PeerAddress(host, port)
        key = (torrent, request.peer_id, number if keyed else host, address.is_ipv6)
        if event is AnnounceEvent.STOPPED:
            if key in self.peers:
                self.forget(key)
            assert answer.peers == ()
            return
        for other in list(self.alive(torrent)):
            if port and other != key and self.peers[other][0] == address:
                self.forget(other)
        self.peers[key] = [address, self.now + 2 * INTERVAL]
        (self.seeds.discard if left else self.seeds.add)(key[:3])
        candidates = {
            value[0]
            for other, value in self.alive(torrent).items()
            if other[3] == key[3]
            and other[:3] != key[:3]
            and value[0].port
            and (left or not moved or other[:3] not in self.seeds)
        }
        assert set(answer.peers) <= candidates
        wanted = 50 if want < 0 else want
        assert len(set(answer.peers)) == len(answer.peers) == min(wanted, len(candidates))

    @rule(seconds=st.integers(1, 25))
    def wait(self, seconds):
        self.now += seconds
        self.registry.expire(self.now)
        for key, (_, deadline) in list(self.peers.items()):
            if deadline <= self.now:
                self.forget(key)

    @precondition(lambda self: self.peers)
    @rule()
    def everybody_goes(self):
        self.wait(2 * INTERVAL)
        assert self.registry.swarm_count == self.registry.peer_count == 0

    @invariant()
    def the_counts_are_right(self):
        assert self.registry.peer_count == len(self.peers)
        for torrent, entry in zip(TORRENTS, self.registry.scrape(TORRENTS, self.now), strict=True):
            clients = self.clients(torrent)
            seeds = len(clients & self.seeds)
            assert (entry.seeders, entry.leechers) == (seeds, len(clients) - seeds)
        assert self.registry.swarm_count == len({key[0] for key in self.peers})


TestRegistry = RegistryMachine.TestCase
TestRegistry.settings = settings(derandomize=True, deadline=None)
