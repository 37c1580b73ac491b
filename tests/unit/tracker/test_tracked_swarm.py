from __future__ import annotations

import random
from collections import Counter

import pytest

from millstream.protocol.compact import PeerAddress
from millstream.tracker.tracked_swarm import PeerPool, TrackedClient, TrackedPeer, TrackedSwarm


def enter(swarm, number, *, is_seed=False, host=None, port=6881):
    peer_id = b"%020d" % number
    return swarm.admit(
        (peer_id, number + 1),
        peer_id,
        PeerAddress(host or f"192.0.2.{number}", port),
        is_seed=is_seed,
    )


def chosen(swarm, peer, want, seed=0):
    return [other.address.host for other in swarm.choose(peer, want, random.Random(seed))]


def test_a_pool_keeps_positions_right_in_any_order_of_removal():
    rng = random.Random(1)
    swarm = TrackedSwarm()
    client = TrackedClient((b"", 1), b"", is_seed=False)
    pool = PeerPool()
    peers = [TrackedPeer(PeerAddress("192.0.2.1", port), client, swarm) for port in range(1, 50)]
    for peer in peers:
        pool.add(peer)
    rng.shuffle(peers)
    while peers:
        pool.remove(peers.pop())
        assert len(pool) == len(peers)
        assert all(pool[peer.position] is peer for peer in peers)


def test_peers_of_the_same_family_and_never_the_client_itself():
    swarm = TrackedSwarm()
    first = enter(swarm, 1)
    enter(swarm, 2)
    enter(swarm, 3, host="2001:db8::3")
    # The first client's other address.
    both = swarm.admit(
        first.client.key, first.client.peer_id, PeerAddress("2001:db8::1", 1), is_seed=False
    )
    assert both.client is first.client
    assert chosen(swarm, first, 50) == ["192.0.2.2"]
    assert chosen(swarm, both, 50) == ["2001:db8::3"]
    assert (swarm.leechers, swarm.seeders, swarm.peer_count) == (3, 0, 4)


def test_seeds_are_given_leechers_only():
    swarm = TrackedSwarm()
    seed = enter(swarm, 1, is_seed=True)
    enter(swarm, 2, is_seed=True)
    leecher = enter(swarm, 3)
    assert chosen(swarm, seed, 50) == ["192.0.2.3"]
    assert sorted(chosen(swarm, leecher, 50)) == ["192.0.2.1", "192.0.2.2"]


def test_who_wants_seeds_gets_them_though_it_says_it_is_one():
    swarm = TrackedSwarm()
    asking = enter(swarm, 1, is_seed=True)
    seed = enter(swarm, 2, is_seed=True)
    assert swarm.choose(asking, 50, random.Random(1), wants_seeds=True) == [seed]


@pytest.mark.parametrize("want", [0, -1])
def test_none_are_given_to_who_wants_none(want):
    swarm = TrackedSwarm()
    enter(swarm, 1)
    assert chosen(swarm, enter(swarm, 2), want) == []


def test_every_peer_is_chosen_as_often_as_every_other():
    swarm = TrackedSwarm()
    asking = enter(swarm, 0)
    for number in range(1, 11):
        enter(swarm, number, is_seed=number > 5)
    rng = random.Random(3)
    times = Counter(peer.address.host for _ in range(600) for peer in swarm.choose(asking, 3, rng))
    assert len(times) == 10
    assert sum(times.values()) == 1800
    assert max(times.values()) < 1.4 * min(times.values())


def test_a_choice_costs_what_is_wanted_not_what_is_there():
    class Counting(PeerPool):
        __slots__ = ("looks",)

        def __getitem__(self, position):
            self.looks = getattr(self, "looks", 0) + 1
            return super().__getitem__(position)

    swarm = TrackedSwarm()
    swarm._pools[False, False] = pool = Counting()
    for number in range(256):
        asking = enter(swarm, number)
    assert len(swarm.choose(asking, 5, random.Random(1))) == 5
    assert pool.looks <= 6


def test_a_seed_has_all_its_addresses_among_the_seeds_and_counts_once():
    swarm = TrackedSwarm()
    peer = enter(swarm, 1)
    other = swarm.admit(
        peer.client.key, peer.client.peer_id, PeerAddress("2001:db8::1", 1), is_seed=True
    )
    seed, seed6 = enter(swarm, 2, is_seed=True), enter(swarm, 2, is_seed=True, host="2001:db8::2")
    assert (swarm.seeders, swarm.leechers) == (2, 0)
    assert swarm.choose(seed, 9, random.Random(1)) == swarm.choose(seed6, 9, random.Random(1)) == []
    swarm.set_seed(peer.client, is_seed=False)
    assert swarm.choose(seed, 9, random.Random(1)) == [peer]
    assert swarm.choose(seed6, 9, random.Random(1)) == [other]
    assert (swarm.seeders, swarm.leechers) == (1, 1)


def test_port_0_is_counted_and_not_given():
    swarm = TrackedSwarm()
    deaf = enter(swarm, 1, port=0)
    also = enter(swarm, 2, port=0)
    peer = enter(swarm, 3)
    assert swarm.leechers == 3
    assert chosen(swarm, peer, 9) == []
    assert chosen(swarm, deaf, 9) == ["192.0.2.3"]
    swarm.move(deaf, PeerAddress("192.0.2.1", 7))
    assert chosen(swarm, peer, 9) == ["192.0.2.1"]
    for gone in (deaf, also, peer):
        swarm.remove(gone)
    assert (swarm.leechers, swarm.seeders, swarm.peer_count) == (0, 0, 0)


def test_a_client_is_gone_with_its_last_address():
    swarm = TrackedSwarm()
    peer = enter(swarm, 1, is_seed=True)
    other = enter(swarm, 1, is_seed=True, host="2001:db8::1")
    swarm.remove(peer)
    assert swarm.seeders == 1
    assert swarm.find(peer.client.key, is_ipv6=False) is None
    assert swarm.find(peer.client.key, is_ipv6=True) is other
    assert swarm.is_known_seed(peer.client.key)
    swarm.remove(other)
    assert swarm.seeders == 0
    assert swarm.at(other.address) is None
    assert not swarm.is_known_seed(peer.client.key)
