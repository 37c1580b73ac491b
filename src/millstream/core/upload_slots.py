"""Whom to unchoke: everyone who asks, up to a limit, and then by turns.

A minimal and honest choker: no peer is preferred. When more are interested than there are slots,
the one that was served longest makes room for the one that waited longest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

# A turn is as long as libtorrent's `optimistic_unchoke_interval`.
TURN = 30.0


class Candidate(Protocol):
    """What the decision needs to know of a peer.

    Attributes:
        am_choking: whether we choke it.
        peer_interested: whether it wants to be served.
        choke_changed_at: when it was last unchoked or choked, or when it came.
    """

    am_choking: bool
    peer_interested: bool
    choke_changed_at: float


C = TypeVar("C", bound=Candidate)


def choose_slots(peers: Iterable[C], slots: int, now: float) -> tuple[list[C], list[C]]:
    """Decide once.

    Returns:
        (peers to unchoke, peers to choke).
    """
    served: list[C] = []
    waiting: list[C] = []
    choke: list[C] = []
    for peer in peers:
        if peer.peer_interested:
            (waiting if peer.am_choking else served).append(peer)
        elif not peer.am_choking:
            choke.append(peer)
    waiting.sort(key=lambda peer: peer.choke_changed_at)
    served.sort(key=lambda peer: peer.choke_changed_at)
    free = max(0, slots - len(served))
    unchoke = waiting[:free]
    for peer in waiting[free:]:
        if not served or now - served[0].choke_changed_at < TURN:
            break
        choke.append(served.pop(0))
        unchoke.append(peer)
    return unchoke, choke
