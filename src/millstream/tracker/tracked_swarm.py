"""One swarm as its tracker knows it: who is in it, and a fair choice among them.

A *client* is one running program; a *peer* is one address of it, IPv4 or IPv6, for a client
announces each of its addresses by itself (BEP 7). Clients are counted once, peers are handed out.

Nothing here costs more for a large swarm than for a small one: peers lie in pools from which any
can be taken by its position.
"""

from __future__ import annotations

import random

from millstream.protocol.compact import PeerAddress

ClientKey = tuple[bytes, int | str]
"""A peer id with the client's secret `key`, or with its host if it sent no key (BEP 7)."""


class TrackedClient:
    """One running program.

    Attributes:
        key: what it is recognised by.
        peer_id: 20 bytes.
        is_seed: whether it has everything.
        peers: its addresses, by whether they are IPv6.
    """

    __slots__ = ("is_seed", "key", "peer_id", "peers")

    def __init__(self, key: ClientKey, peer_id: bytes, *, is_seed: bool) -> None:
        self.key = key
        self.peer_id = peer_id
        self.is_seed = is_seed
        self.peers: dict[bool, TrackedPeer] = {}


class TrackedPeer:
    """One address of a client.

    Attributes:
        address: where it listens; port 0: nowhere, it is counted and never handed out.
        client: whose it is.
        swarm: in which swarm.
        position: where it lies in its pool.
    """

    __slots__ = ("address", "client", "position", "swarm")

    def __init__(self, address: PeerAddress, client: TrackedClient, swarm: TrackedSwarm) -> None:
        self.address = address
        self.client = client
        self.swarm = swarm
        self.position = -1


class PeerPool:
    """Peers that are alike, each reached by its position at once."""

    __slots__ = ("_peers",)

    def __init__(self) -> None:
        self._peers: list[TrackedPeer] = []

    def __len__(self) -> int:
        return len(self._peers)

    def __getitem__(self, position: int) -> TrackedPeer:
        return self._peers[position]

    def add(self, peer: TrackedPeer) -> None:
        """Put a peer in."""
        peer.position = len(self._peers)
        self._peers.append(peer)

    def remove(self, peer: TrackedPeer) -> None:
        """Take a peer out: the last one moves to its place."""
        last = self._peers.pop()
        if last is not peer:
            self._peers[peer.position] = last
            last.position = peer.position
        peer.position = -1


class TrackedSwarm:
    """The clients of one torrent.

    Attributes:
        completed: how many clients ever finished the torrent.
        seeders: clients with everything.
        peer_count: addresses of all of them.
    """

    __slots__ = ("_by_address", "_clients", "_pools", "completed", "peer_count", "seeders")

    def __init__(self) -> None:
        self.completed = 0
        self.seeders = 0
        self.peer_count = 0
        self._clients: dict[ClientKey, TrackedClient] = {}
        self._by_address: dict[PeerAddress, TrackedPeer] = {}
        self._pools = {
            (is_ipv6, is_seed): PeerPool() for is_ipv6 in (False, True) for is_seed in (False, True)
        }

    @property
    def leechers(self) -> int:
        """Clients that lack something."""
        return len(self._clients) - self.seeders

    def find(self, key: ClientKey, *, is_ipv6: bool) -> TrackedPeer | None:
        """The client's peer of that family."""
        client = self._clients.get(key)
        return None if client is None else client.peers.get(is_ipv6)

    def at(self, address: PeerAddress) -> TrackedPeer | None:
        """The peer that listens there."""
        return self._by_address.get(address)

    def is_known_seed(self, key: ClientKey) -> bool:
        """Whether this client was a seed when it last announced, from either address."""
        client = self._clients.get(key)
        return client is not None and client.is_seed

    def admit(
        self, key: ClientKey, peer_id: bytes, address: PeerAddress, *, is_seed: bool
    ) -> TrackedPeer:
        """Add a peer; the client has none of that family, and nobody else has the address."""
        client = self._clients.get(key)
        if client is None:
            client = self._clients[key] = TrackedClient(key, peer_id, is_seed=is_seed)
            self.seeders += is_seed
        peer = TrackedPeer(address, client, self)
        client.peers[address.is_ipv6] = peer
        self.peer_count += 1
        self._offer(peer)
        self.set_seed(client, is_seed=is_seed)
        return peer

    def move(self, peer: TrackedPeer, address: PeerAddress) -> None:
        """The client listens elsewhere now, in the same family; nobody else has the address."""
        self._withdraw(peer)
        peer.address = address
        self._offer(peer)

    def set_seed(self, client: TrackedClient, *, is_seed: bool) -> None:
        """Note whether the client has everything."""
        if client.is_seed is is_seed:
            return
        for peer in client.peers.values():
            self._withdraw(peer)
        client.is_seed = is_seed
        self.seeders += 1 if is_seed else -1
        for peer in client.peers.values():
            self._offer(peer)

    def remove(self, peer: TrackedPeer) -> None:
        """Forget a peer, and its client with the last one."""
        self._withdraw(peer)
        client = peer.client
        del client.peers[peer.address.is_ipv6]
        self.peer_count -= 1
        if not client.peers:
            del self._clients[client.key]
            self.seeders -= client.is_seed

    def choose(
        self, asking: TrackedPeer, want: int, rng: random.Random, *, wants_seeds: bool = False
    ) -> list[TrackedPeer]:
        """Draw peers of the asking one's family: `want`, or as many as there are.

        Never the client itself; for a seed no seeds, of which it has no use, unless it `wants_seeds`.
        """
        is_ipv6 = asking.address.is_ipv6
        leechers, seeds = self._pools[is_ipv6, False], self._pools[is_ipv6, True]
        first_seed = len(leechers)
        leave_out_seeds = asking.client.is_seed and not wants_seeds
        total = first_seed if leave_out_seeds else first_seed + len(seeds)
        # One more than wanted, for the client itself may be among them.
        drawn = rng.sample(range(total), min(want + 1, total)) if want > 0 else []
        peers = [
            leechers[number] if number < first_seed else seeds[number - first_seed]
            for number in drawn
        ]
        return [peer for peer in peers if peer.client is not asking.client][:want]

    def _offer(self, peer: TrackedPeer) -> None:
        if peer.address.port:
            self._pools[peer.address.is_ipv6, peer.client.is_seed].add(peer)
            self._by_address[peer.address] = peer

    def _withdraw(self, peer: TrackedPeer) -> None:
        if peer.address.port:
            self._pools[peer.address.is_ipv6, peer.client.is_seed].remove(peer)
            del self._by_address[peer.address]
