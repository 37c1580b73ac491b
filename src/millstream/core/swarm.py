"""The peers a torrent knows of: which to try next, and which never again."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from millstream.protocol.compact import PeerAddress

# Libtorrent's `max_peerlist_size`.
MAX_KNOWN_PEERS = 3000

# The first retry, and the longest wait between tries of a peer that a user named: it is worth more
# patience than one that a swarm mentioned.
FIRST_RETRY = 1.0
LONGEST_RETRY = 30.0


class _State(enum.Enum):
    IDLE = 0
    TRIED = 1
    BANNED = 2


@dataclass(slots=True)
class _KnownPeer:
    state: _State = _State.IDLE
    failures: int = 0
    next_try: float = 0.0
    is_seed: bool = False


class Swarm:
    """Known peers by address, in the order they became known."""

    def __init__(self) -> None:
        self._peers: dict[PeerAddress, _KnownPeer] = {}
        self._banned_hosts: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._peers)

    def add(self, address: PeerAddress) -> bool:
        """Learn of a peer; False if it was known or there is no room for more."""
        if address in self._peers or len(self._peers) >= MAX_KNOWN_PEERS:
            return False
        self._peers[address] = _KnownPeer()
        return True

    def due(self, now: float, most: int, *, seeds: bool = True) -> list[PeerAddress]:
        """Peers to connect to now, at most so many; they count as tried until `lost`.

        Args:
            now: monotonic seconds.
            most: how many at most.
            seeds: whether peers that had everything when last met are of any use.
        """
        found: list[PeerAddress] = []
        for address, peer in self._peers.items():
            if len(found) >= most:
                break
            if peer.state is _State.IDLE and peer.next_try <= now and (seeds or not peer.is_seed):
                peer.state = _State.TRIED
                found.append(address)
        return found

    def has_candidates(self) -> bool:
        """Whether some peer may be tried now or later."""
        return any(peer.state is _State.IDLE for peer in self._peers.values())

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
        peer = self._peers.get(address)
        if peer is None or peer.state is _State.BANNED:
            return
        peer.state = _State.IDLE
        peer.is_seed = is_seed
        peer.failures = 0 if useful else peer.failures + 1
        peer.next_try = now + min(
            FIRST_RETRY * 2 ** min(max(0, peer.failures - 1), 10), LONGEST_RETRY
        )

    def ban(self, address: PeerAddress, *, incoming: bool) -> None:
        """Never again. A peer that came to us is known by its host alone: its port was random."""
        self._peers.setdefault(address, _KnownPeer()).state = _State.BANNED
        if incoming:
            self._banned_hosts[address.host] = None

    def is_banned(self, address: PeerAddress, *, incoming: bool) -> bool:
        """Whether the peer was banned."""
        if incoming and address.host in self._banned_hosts:
            return True
        peer = self._peers.get(address)
        return peer is not None and peer.state is _State.BANNED
