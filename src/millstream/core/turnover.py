"""Which connected peers make room for others when there are as many as there may be.

A torrent that is full would never meet the peers that came after, good ones among them. So from
time to time it gives up its worst for peers that it has not tried (libtorrent's `peer_turnover`),
and lets a newcomer in for one that is of no use, or of lower canonical priority (BEP 40).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from millstream.core.config import SwarmConfig
from millstream.protocol.compact import PeerAddress

# A peer is not judged before it had the time to show its worth: a bitfield, interest, an unchoke.
MIN_STAY = 30.0

# With so few connections every one counts; libtorrent's turnover leaves torrents with less alone.
MIN_LIMIT = 6


class Moved(Protocol):
    """What was moved one way; `core.rates.RateMeter` is one.

    Attributes:
        total: bytes.
    """

    total: int


class StayingPeer(Protocol):
    """What is judged of a connected peer; `core.peer.Peer` is one.

    Attributes:
        address: where it is.
        am_interested: whether it has something that we want.
        peer_interested: whether it wants something of us.
        snubbed: whether it left requests unanswered.
        connected_at: since when it is here, monotonic seconds.
    """

    address: PeerAddress
    am_interested: bool
    peer_interested: bool
    snubbed: bool
    connected_at: float

    @property
    def is_seed(self) -> bool:
        """Whether it has every piece."""

    @property
    def downloaded(self) -> Moved:
        """What it sent us."""

    @property
    def uploaded(self) -> Moved:
        """What we sent it."""


P = TypeVar("P", bound=StayingPeer)


def is_useless(peer: StayingPeer, *, complete: bool) -> bool:
    """Whether neither side wants anything of the other."""
    if complete and peer.is_seed:
        return True
    return not peer.am_interested and not peer.peer_interested


def worst_first(peers: Iterable[P], now: float, *, complete: bool) -> list[P]:
    """Sort peers that stayed long enough to be judged.

    First come those of no use at all, then those that have nothing for us (unless nobody has: when
    we are complete), then those that snub us, then the slowest since they are here.

    Args:
        peers: the connected ones.
        now: monotonic seconds.
        complete: whether we want nothing of anyone.
    """

    def worth(peer: P) -> tuple[bool, bool, bool, float]:
        moved = (peer.uploaded if complete else peer.downloaded).total
        return (
            not is_useless(peer, complete=complete),
            peer.peer_interested if complete else peer.am_interested,
            not peer.snubbed,
            moved / (now - peer.connected_at),
        )

    return sorted((peer for peer in peers if now - peer.connected_at >= MIN_STAY), key=worth)


def replaceable(
    peers: Sequence[P],
    newcomer: PeerAddress | None,
    priority: Callable[[PeerAddress], int | None],
    now: float,
    *,
    complete: bool,
) -> P | None:
    """The peer that should go so that a newcomer can be let in, if there is one.

    One of no use goes for anybody. Of the others, the worse half is measured by canonical priority
    (BEP 40): whoever ranks lowest goes, if the newcomer ranks higher. The better half stays: what
    they give is known.

    Args:
        peers: the connected ones that may go; leave those out that the user named.
        newcomer: who would come; None if that is not known well enough to be ranked.
        priority: ranks an address; see `core.swarm.Swarm.priority`.
        now: monotonic seconds.
        complete: whether we want nothing of anyone.
    """
    judged = worst_first(peers, now, complete=complete)
    if judged and is_useless(judged[0], complete=complete):
        return judged[0]
    rank = None if newcomer is None else priority(newcomer)
    if rank is None:
        return None
    lowest: P | None = None
    for peer in judged[: (len(judged) + 1) // 2]:
        its_rank = priority(peer.address)
        if its_rank is not None and its_rank < rank:
            lowest, rank = peer, its_rank
    return lowest


class Turnover:
    """The turnover of one torrent."""

    __slots__ = ("_config", "_next")

    def __init__(self, config: SwarmConfig) -> None:
        self._config = config
        self._next = -math.inf

    def is_due(self, connected: int, limit: int, candidates: int, now: float) -> bool:
        """Whether `choose` may have somebody, of at most `connected` peers; costs nothing."""
        if now < self._next or not candidates:
            return False
        return self._next == -math.inf or connected >= limit * self._config.turnover_cutoff

    def choose(
        self, peers: Sequence[P], limit: int, candidates: int, now: float, *, complete: bool
    ) -> list[P]:
        """The peers to drop now; call it as often as you like.

        Args:
            peers: the connected ones that may go; leave those out that the user named.
            limit: how many connections there may be.
            candidates: how many others could be tried.
            now: monotonic seconds.
            complete: whether we want nothing of anyone.
        """
        config = self._config
        if now < self._next or not config.turnover_share or not candidates or limit < MIN_LIMIT:
            return []
        if self._next == -math.inf:
            self._next = now + config.turnover_interval  # the first ones get the time, too
            return []
        if len(peers) < limit * config.turnover_cutoff:
            return []
        self._next = now + config.turnover_interval
        most = min(max(1, int(len(peers) * config.turnover_share)), candidates)
        return worst_first(peers, now, complete=complete)[:most]
