"""Telling the peers which pieces we got.

Every piece is news to every peer, so what is kept small is the number of sends: the more peers
listen, the longer the news is collected. Few hear of a piece in the tick in which it is written.
"""

from __future__ import annotations

from collections.abc import Collection

from millstream.core.peer import Peer
from millstream.core.piece_set import members
from millstream.protocol import messages
from millstream.protocol.bitfield import piece_set

# Peers told a second, all together; each takes a system call. 250 peers hear four times a second.
MAX_TOLD_PER_SECOND = 1000


class Haves:
    """The pieces of one torrent that its peers were not told of yet."""

    __slots__ = ("_count", "_next_at", "_pieces")

    def __init__(self, piece_count: int) -> None:
        self._count = piece_count
        self._pieces: list[int] = []
        self._next_at = 0.0

    def add(self, index: int) -> None:
        """We have one more piece."""
        self._pieces.append(index)

    def tell(self, peers: Collection[Peer], now: float) -> None:
        """Tell each peer of the new pieces that it lacks itself, if it is time."""
        if not self._pieces or now < self._next_at:
            return
        pieces = self._pieces
        news = piece_set(pieces, self._count)
        everything = messages.haves(pieces)
        for peer in peers:
            lacking = news & ~peer.pieces
            if lacking:
                told = everything if lacking == news else None
                peer.link.send(told or messages.haves(members(lacking, self._count)))
        self._next_at = now + len(peers) / MAX_TOLD_PER_SECOND
        self._pieces = []
