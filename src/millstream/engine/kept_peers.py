"""Which of a torrent's peers to remember, and how they come back."""

from __future__ import annotations

from heapq import nlargest

from millstream.core.known_peer import KnownPeer, PeerSource, PeerState
from millstream.core.swarm import Swarm
from millstream.storage.resume_peers import MAX_KEPT_PEERS, KeptPeer

_BY_NAME = {str(source.name).lower(): source for source in PeerSource}


def peers_to_keep(swarm: Swarm, now: float, wall_time: float) -> list[KeptPeer]:
    """The best of the known peers.

    Args:
        swarm: knows them.
        now: the loop's time.
        wall_time: the same moment in seconds since the epoch.
    """
    worthy = [peer for peer in swarm if peer.is_named or not peer.failures]
    kept = []
    for peer in nlargest(MAX_KEPT_PEERS, worthy, key=_worth):
        ago = 0.0 if peer.state is PeerState.CONNECTED else now - peer.last_seen
        seen = None if ago == float("inf") else max(0, int(wall_time - ago))
        sources = [name for name, source in _BY_NAME.items() if source in peer.source]
        kept.append(KeptPeer(peer.address, tuple(sources), seen))
    return kept


def restore_peers(swarm: Swarm, peers: list[KeptPeer]) -> None:
    """Let the swarm know the peers of the last run, from whom it knew them then."""
    for peer in peers:
        source = PeerSource(0)
        for name in peer.sources:
            source |= _BY_NAME.get(name, PeerSource(0))
        swarm.add(peer.address, source or PeerSource.RESUME)


def _worth(peer: KnownPeer) -> tuple[bool, bool, bool, float, int]:
    return (
        peer.is_named,
        peer.state is PeerState.CONNECTED,
        peer.was_useful,
        peer.last_seen,
        peer.mention,
    )
