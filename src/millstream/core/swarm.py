"""The peers a torrent knows of: which to try next, and which never again."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from heapq import nsmallest

from millstream.core.bans import Bans
from millstream.core.candidates import Candidates
from millstream.core.config import SwarmConfig
from millstream.core.host_kind import HostKind, host_kind
from millstream.core.known_peer import NAMED, PROVEN, KnownPeer, PeerSource, PeerState
from millstream.core.peer_priority import peer_priority
from millstream.protocol.compact import MAX_PORT, PeerAddress

__all__ = ["KnownPeer", "PeerSource", "PeerState", "Swarm"]

# When there is no room for a new peer, this share of the known ones goes at once, so that a flood
# of addresses does not sort all the known ones for each.
_EVICTED_SHARE = 50

# Who may name a host instead of its address: whoever else does could make us ask for names that
# only our own network resolves.
_MAY_NAME_HOSTS = NAMED | PeerSource.TRACKER

# Whoever says these was told so by the peer, lately: worth one more try of a peer given up.
_FRESH_NEWS = PeerSource.TRACKER | PeerSource.LSD | PeerSource.INCOMING

# Stands for the candidates of a torrent that never had any; nobody is ever added to it.
_NO_CANDIDATES = Candidates()


class Swarm:
    """Known peers by address, and bans.

    Args:
        config: the limits.
        rng: shuffles peers whose canonical priority (BEP 40) is unknown; without it they are tried
            in the order in which they became known, as the user's always are.
    """

    __slots__ = ("_bans", "_config", "_leeches", "_mentions", "_ours", "_peers", "_rng", "_seeds")

    def __init__(self, config: SwarmConfig | None = None, rng: random.Random | None = None) -> None:
        self._config = config or SwarmConfig()
        self._rng = rng
        self._peers: dict[PeerAddress, KnownPeer] = {}
        # Apart, so that who only uploads does not look through all that have everything.
        self._leeches = self._seeds = _NO_CANDIDATES
        self._ours: tuple[PeerAddress, ...] = ()  # of each family one
        self._bans: Bans | None = None
        self._mentions = 0

    def __len__(self) -> int:
        return len(self._peers)

    def __iter__(self) -> Iterator[KnownPeer]:
        """The known peers, in the order they became known; they are for reading."""
        return iter(self._peers.values())

    def find(self, address: PeerAddress) -> KnownPeer | None:
        """What is known of a peer."""
        return self._peers.get(address)

    def source(self, address: PeerAddress) -> PeerSource:
        """Who told of a peer; one that nobody mentioned came by itself."""
        peer = self._peers.get(address)
        return peer.source if peer is not None else PeerSource.INCOMING

    # Who is known.

    def add(
        self,
        address: PeerAddress,
        source: PeerSource = PeerSource.USER,
        *,
        is_seed: bool = False,
        supports_encryption: bool = False,
    ) -> bool:
        """Learn of a peer.

        Args:
            address: where it listens.
            source: who says so.
            is_seed: whether it is said to have everything.
            supports_encryption: whether it is said to speak MSE.

        Returns:
            Whether there is somebody new to try: False if it was known, is banned or ourselves, if
            nobody can be there, or if there is no room and nobody worse to forget for it.
        """
        self._mentions += 1
        peer = self._peers.get(address)
        if peer is not None:
            return self._heard_again(peer, source, supports_encryption=supports_encryption)
        if not self._is_acceptable(address, source) or not self._make_room():
            return False
        peer = self._peers[address] = KnownPeer(
            address,
            source,
            mention=self._mentions,
            priority=self.priority(address),
            is_seed=is_seed,
            supports_encryption=supports_encryption,
        )
        if self._rng is not None and not peer.is_named:
            peer.fallback_priority = self._rng.getrandbits(32)
        self._offer(peer)
        return True

    def forget(self, source: PeerSource) -> None:
        """Forget those of whom nobody else told, as a torrent must that turns out to be private."""
        for peer in list(self._peers.values()):
            self._withdraw(peer)
            peer.source &= ~source
            if peer.source or peer.state is not PeerState.IDLE:
                self._offer(peer)
            else:
                del self._peers[peer.address]

    def set_our_address(self, address: PeerAddress) -> None:
        """Learn where others reach us: it decides the priorities, and nobody else is there.

        Trackers and peers tell (BEP 24, `yourip` of BEP 10); whom of them to believe is decided
        elsewhere. There is one address of each family.
        """
        if address in self._ours:
            return
        others = [each for each in self._ours if each.is_ipv6 != address.is_ipv6]
        self._ours = (*others, address)
        if (ourselves := self._peers.get(address)) is not None:
            self._withdraw(ourselves)
            del self._peers[address]
        for peer in self._peers.values():
            if peer.address.is_ipv6 == address.is_ipv6:
                self._withdraw(peer)
                peer.priority = self.priority(peer.address)
                self._offer(peer)

    def priority(self, address: PeerAddress) -> int | None:
        """The canonical priority of a peer (BEP 40); None while our own address is unknown."""
        for ours in self._ours:
            if ours.is_ipv6 == address.is_ipv6:
                return peer_priority(ours, address)
        return None

    # Whom to try.

    def due(self, now: float, most: int, *, seeds: bool = True) -> list[PeerAddress]:
        """Peers to connect to now, the best first; they count as tried until `lost`.

        This costs nothing to speak of when none is due.

        Args:
            now: monotonic seconds.
            most: how many at most.
            seeds: whether peers that had everything when last met are of any use.
        """
        found: list[PeerAddress] = []
        while len(found) < most and (candidates := self._better(now, seeds=seeds)) is not None:
            peer = candidates.pop()
            peer.state = PeerState.CONNECTING
            peer.uses += 1
            peer.tried_at = now
            found.append(peer.address)
        return found

    def next_due(self, *, seeds: bool = True) -> float:
        """When `due` may have somebody, monotonic seconds; the past for now, infinity for never."""
        when = self._leeches.next_due()
        return min(when, self._seeds.next_due()) if seeds else when

    def has_candidates(self, *, seeds: bool = True) -> bool:
        """Whether some peer may be tried now or later."""
        return self.candidate_count(seeds=seeds) > 0

    def candidate_count(self, *, seeds: bool = True) -> int:
        """How many peers may be tried now or later."""
        return len(self._leeches) + (len(self._seeds) if seeds else 0)

    # How it went.

    def connected(self, address: PeerAddress, now: float, *, incoming: bool = False) -> None:
        """A handshake is done: `lost` will follow.

        Args:
            address: where the peer listens.
            now: monotonic seconds.
            incoming: whether it came to us, and so was not given out by `due`. It becomes known, if
                it was not, and is not tried as long as it is here.
        """
        if incoming:
            self.add(address, PeerSource.INCOMING)
        peer = self._peers.get(address)
        if peer is None:
            return
        if incoming:
            self._withdraw(peer)
            peer.uses += 1
        peer.state = PeerState.CONNECTED
        peer.last_seen = now

    def lost(
        self, address: PeerAddress, now: float, *, useful: bool, is_seed: bool = False
    ) -> None:
        """A try failed or a connection ended: when to try again.

        Args:
            address: where the peer was reached.
            now: monotonic seconds.
            useful: whether the connection had got as far as exchanging data.
            is_seed: whether the peer had every piece.
        """
        peer = self._released(address)
        if peer is None:
            return
        was_connected = peer.state is PeerState.CONNECTED
        self._withdraw(peer)
        peer.state = PeerState.IDLE
        if useful or was_connected or is_seed:
            peer.is_seed = is_seed  # a failed try says nothing about that
        if useful:
            peer.succeeded(now, self._config.min_reconnect_time)
        elif was_connected and now - peer.last_seen >= PROVEN:
            peer.held(now, self._config.min_reconnect_time)
        else:
            peer.failed(now)
        self._offer(peer)

    def put_back(self, address: PeerAddress) -> None:
        """A try was abandoned by us: nothing was learnt."""
        peer = self._released(address)
        if peer is not None and peer.state is PeerState.CONNECTING:
            peer.state = PeerState.IDLE
            self._offer(peer)

    # Encryption (MSE).

    def wants_encryption(self, address: PeerAddress) -> bool:
        """Whether the next connection to a peer shall begin with MSE, where that is preferred."""
        peer = self._peers.get(address)
        return peer is None or not peer.plaintext

    def plaintext_next(self, address: PeerAddress) -> bool:
        """A peer refused MSE: try it at once without, unless that has been done.

        Call it before or after `lost`. Returns whether the peer will be tried so.
        """
        peer = self._peers.get(address)
        if peer is None or peer.plaintext or peer.fell_back:
            return False
        peer.plaintext = peer.fell_back = True
        if peer.state is PeerState.IDLE:
            self._withdraw(peer)
            peer.failures = max(0, peer.failures - 1)
            peer.next_try = -math.inf
            self._offer(peer)
        else:
            peer.try_at_once = True
        return True

    # Bans.

    def ban(self, address: PeerAddress, *, incoming: bool) -> None:
        """Never again. A peer that came to us is known by its host alone: its port was random."""
        peer = self._peers.pop(address, None)
        if peer is not None:
            self._withdraw(peer)
        if self._bans is None:
            self._bans = Bans()
        self._bans.add(address, incoming=incoming)

    def is_banned(self, address: PeerAddress, *, incoming: bool) -> bool:
        """Whether the peer was banned."""
        return self._bans is not None and self._bans.has(address, incoming=incoming)

    # Inside.

    def _is_acceptable(self, address: PeerAddress, source: PeerSource) -> bool:
        if not 0 < address.port <= MAX_PORT or self.is_banned(address, incoming=False):
            return False
        if address in self._ours:
            return False
        kind = host_kind(address.host)
        return kind > HostKind.NAME or (kind is HostKind.NAME and bool(source & _MAY_NAME_HOSTS))

    def _heard_again(
        self, peer: KnownPeer, source: PeerSource, *, supports_encryption: bool
    ) -> bool:
        was_named = peer.is_named
        self._withdraw(peer)
        peer.source |= source
        peer.mention = self._mentions
        peer.supports_encryption |= supports_encryption
        chance = (peer.is_named and not was_named) or (
            self._is_given_up(peer) and bool(source & _FRESH_NEWS)
        )
        if peer.is_named and not was_named:
            peer.failures = 0
            peer.next_try = -math.inf
        elif chance:
            peer.failures -= 1  # and `next_try` stays
        self._offer(peer)
        return chance and peer.state is PeerState.IDLE

    def _make_room(self) -> bool:
        """Forget the worst, if there is no room for another."""
        excess = len(self._peers) - self._config.max_known_peers
        if excess < 0:
            return True
        spare = [
            peer
            for peer in self._peers.values()
            if peer.state is PeerState.IDLE and not peer.is_named
        ]
        most = excess + max(1, self._config.max_known_peers // _EVICTED_SHARE)
        for peer in nsmallest(most, spare, key=lambda peer: peer.worth):
            self._withdraw(peer)
            del self._peers[peer.address]
        return len(self._peers) < self._config.max_known_peers

    def _released(self, address: PeerAddress) -> KnownPeer | None:
        """A connection or attempt ended; the peer, if there is no other to it and it counts."""
        peer = self._peers.get(address)
        if peer is None:
            return None
        peer.uses = max(0, peer.uses - 1)
        if peer.uses:
            return None
        if not peer.source:  # forgotten meanwhile
            del self._peers[address]
            return None
        return peer

    def _is_given_up(self, peer: KnownPeer) -> bool:
        return not peer.is_named and peer.failures >= self._config.max_failures

    def _offer(self, peer: KnownPeer) -> None:
        """Let a peer be tried, if it is not in use and not given up."""
        if peer.state is not PeerState.IDLE or self._is_given_up(peer):
            return
        if self._leeches is _NO_CANDIDATES:
            self._leeches, self._seeds = Candidates(), Candidates()
        (self._seeds if peer.is_seed else self._leeches).add(peer)

    def _withdraw(self, peer: KnownPeer) -> None:
        """Let a peer not be tried; its place among the candidates may depend on what changes."""
        if not self._leeches.remove(peer):
            self._seeds.remove(peer)

    def _better(self, now: float, *, seeds: bool) -> Candidates | None:
        """The candidates that have the best peer that is due."""
        leech = self._leeches.best(now)
        seed = self._seeds.best(now) if seeds else None
        if leech is None:
            return None if seed is None else self._seeds
        return self._seeds if seed is not None and seed < leech else self._leeches
