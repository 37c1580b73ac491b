"""What a tracker remembers: swarms, and who is in them (BEP 3, BEP 7, BEP 48).

A client is recognised by its peer id together with its `key`, a secret that it tells nobody but
trackers; so nobody who merely learned a peer id can take another client out of a swarm. Where it
announces from is where it is: no address is taken from what a request says. One address has one
client: a program that was started anew replaces what it was before.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from millstream.config_ranges import check_ranges
from millstream.errors import TrackerError
from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import (
    AnnounceEvent,
    AnnounceRequest,
    AnnounceResponse,
    ScrapeEntry,
)
from millstream.tracker.tracked_swarm import ClientKey, TrackedPeer, TrackedSwarm

# Peers in one answer, whatever was asked for, as with opentracker: they fit a datagram of IPv4.
MAX_PEERS_IN_ANSWER = 200

# Peers in an answer to who does not say how many: BEP 3's "numwant" has 50 by habit.
DEFAULT_PEERS_IN_ANSWER = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryConfig:
    """How much a tracker remembers, and for how long. A peer takes about 1 KB.

    Attributes:
        interval: seconds between a client's announces; it is forgotten after twice that. BEP 3
            gives none, trackers' habit is 1800. Range 1 to 86400.
        min_interval: seconds before which a client is asked not to announce again. Range 0 to
            `interval`.
        max_swarms: torrents with somebody in them, or whose `completed` is remembered.
            Range 1 to 10 million.
        max_swarm_peers: peers of one torrent. Range 1 to 10 million.
        max_peers: peers in all. Range 1 to 100 million.
        allowed: the only torrents that are tracked; None for any.
    """

    interval: int = 1800
    min_interval: int = 60
    max_swarms: int = 10_000
    max_swarm_peers: int = 50_000
    max_peers: int = 100_000
    allowed: frozenset[InfoHash] | None = None

    def __post_init__(self) -> None:
        ranges = {
            "interval": (1, 86_400),
            "min_interval": (0, self.interval),
            "max_swarms": (1, 10_000_000),
            "max_swarm_peers": (1, 10_000_000),
            "max_peers": (1, 100_000_000),
        }
        check_ranges("registry", self, ranges)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAnswer(AnnounceResponse):
    """An answer to an announce, with what only the HTTP dictionaries of BEP 3 tell.

    Attributes:
        peer_ids: of `peers`, in the same order.
    """

    peer_ids: tuple[bytes, ...] = ()


class Registry:
    """Swarms by infohash.

    Args:
        config: limits and times; None for the defaults.
    """

    def __init__(self, config: RegistryConfig | None = None) -> None:
        self.config = config or RegistryConfig()
        self._swarms: dict[InfoHash, TrackedSwarm] = {}
        # Swarms without peers whose `completed` is worth keeping while there is room.
        self._empty: OrderedDict[InfoHash, None] = OrderedDict()
        # Peers with their torrents and the times they are forgotten. Each announce puts its peer
        # at the end, and all wait equally long: the first is always the next to go.
        self._expiries: OrderedDict[TrackedPeer, tuple[InfoHash, float]] = OrderedDict()

    @property
    def swarm_count(self) -> int:
        """Torrents with somebody in them."""
        return len(self._swarms) - len(self._empty)

    @property
    def peer_count(self) -> int:
        """Peers in all swarms."""
        return len(self._expiries)

    def announce(
        self, request: AnnounceRequest, host: str, now: float, rng: random.Random
    ) -> RegistryAnswer:
        """Take an announce and answer it.

        Args:
            request: what was announced. MAX_PEERS_IN_ANSWER are given at most; a negative `want`
                leaves the number to us.
            host: where it came from, an IPv4 or IPv6 address in canonical text.
            now: seconds, monotonic.
            rng: draws the peers.

        Raises:
            TrackerError: the torrent is not tracked here, or there is no room.
        """
        self.expire(now)
        info_hash = request.info_hash
        if self.config.allowed is not None and info_hash not in self.config.allowed:
            raise TrackerError("this tracker does not track this torrent")
        address = PeerAddress(host, request.port)
        key: ClientKey = (request.peer_id, request.key or host)
        if request.event is AnnounceEvent.STOPPED:
            leaving = self._find(info_hash, key, is_ipv6=address.is_ipv6)
            if leaving is not None:
                self._forget(info_hash, leaving)
            return self._answer(info_hash, host, [])
        peer = self._enter(info_hash, request, key, address)
        self._expiries[peer] = (info_hash, now + 2 * self.config.interval)
        self._expiries.move_to_end(peer)
        want = DEFAULT_PEERS_IN_ANSWER if request.want < 0 else request.want
        want = min(want, MAX_PEERS_IN_ANSWER)
        # Who says it has everything and moved nothing yet may be a client that lacks the metadata, and
        # with it the size of what is left: aria2 does so.
        moved = request.uploaded or request.downloaded
        chosen = peer.swarm.choose(peer, want, rng, wants_seeds=not moved)
        return self._answer(info_hash, host, chosen)

    def scrape(self, info_hashes: Iterable[InfoHash], now: float) -> list[ScrapeEntry]:
        """Count, in the order asked for; a torrent that is not known has zeros (BEP 15, BEP 48)."""
        self.expire(now)
        return [_counts(self._swarms.get(info_hash)) for info_hash in info_hashes]

    def swarms(self) -> Iterator[tuple[InfoHash, ScrapeEntry]]:
        """Every torrent with somebody in it."""
        for info_hash, swarm in self._swarms.items():
            if swarm.peer_count:
                yield info_hash, _counts(swarm)

    def expire(self, now: float) -> None:
        """Forget the peers that have not announced for twice the interval."""
        while self._expiries:
            peer, (info_hash, time) = next(iter(self._expiries.items()))
            if time > now:
                return
            self._forget(info_hash, peer)

    def _enter(
        self, info_hash: InfoHash, request: AnnounceRequest, key: ClientKey, address: PeerAddress
    ) -> TrackedPeer:
        """The announcing peer, put where it belongs."""
        is_seed = request.left == 0
        peer = self._find(info_hash, key, is_ipv6=address.is_ipv6)
        swarm = self._swarms.get(info_hash)
        former = None if swarm is None else swarm.at(address)
        if former is not None and former is not peer:
            self._forget(info_hash, former)
        was_seed = swarm is not None and swarm.is_known_seed(key)
        if peer is None:
            swarm = self._make_room(info_hash)
            peer = swarm.admit(key, request.peer_id, address, is_seed=is_seed)
        else:
            swarm = peer.swarm
            if peer.address != address:
                swarm.move(peer, address)
            swarm.set_seed(peer.client, is_seed=is_seed)
        # A client tells it from each of its addresses; it counts once.
        if request.event is AnnounceEvent.COMPLETED and is_seed and not was_seed:
            swarm.completed += 1
        return peer

    def _make_room(self, info_hash: InfoHash) -> TrackedSwarm:
        """The swarm, with room for one peer more; raises TrackerError."""
        config = self.config
        swarm = self._swarms.get(info_hash)
        peers = swarm.peer_count if swarm else 0
        if len(self._expiries) >= config.max_peers or peers >= config.max_swarm_peers:
            raise TrackerError("this tracker has no room for more peers", config.interval)
        if swarm is None:
            if len(self._swarms) >= config.max_swarms:
                if not self._empty:
                    raise TrackerError(
                        "this tracker has no room for more torrents", config.interval
                    )
                oldest, _ = self._empty.popitem(last=False)
                del self._swarms[oldest]
            swarm = self._swarms[info_hash] = TrackedSwarm()
        self._empty.pop(info_hash, None)
        return swarm

    def _find(self, info_hash: InfoHash, key: ClientKey, *, is_ipv6: bool) -> TrackedPeer | None:
        swarm = self._swarms.get(info_hash)
        return None if swarm is None else swarm.find(key, is_ipv6=is_ipv6)

    def _forget(self, info_hash: InfoHash, peer: TrackedPeer) -> None:
        swarm = peer.swarm
        swarm.remove(peer)
        del self._expiries[peer]
        if swarm.peer_count:
            return
        if swarm.completed:
            self._empty[info_hash] = None
        else:
            del self._swarms[info_hash]

    def _answer(self, info_hash: InfoHash, host: str, chosen: list[TrackedPeer]) -> RegistryAnswer:
        counts = _counts(self._swarms.get(info_hash))
        return RegistryAnswer(
            interval=self.config.interval,
            min_interval=self.config.min_interval,
            seeders=counts.seeders,
            leechers=counts.leechers,
            peers=tuple(peer.address for peer in chosen),
            peer_ids=tuple(peer.client.peer_id for peer in chosen),
            external_ip=host,
        )


def _counts(swarm: TrackedSwarm | None) -> ScrapeEntry:
    if swarm is None:
        return ScrapeEntry(0, 0, 0)
    return ScrapeEntry(swarm.seeders, swarm.completed, swarm.leechers)
