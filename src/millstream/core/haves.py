"""Telling the peers which pieces we got, and which we lost.

Every piece is news to every peer, so what is kept small is the number of sends: the more peers
listen, the longer the news is collected. Few hear of a piece in the tick in which it is written.
"""

from __future__ import annotations

from collections.abc import Collection

from millstream.core.peer import Peer
from millstream.core.piece_set import members
from millstream.protocol import lt_donthave, messages
from millstream.protocol.bitfield import has_piece

# Peers told a second, all together; each takes a system call. 250 peers hear four times a second.
MAX_TOLD_PER_SECOND = 1000
# So few hear at once: among them the next tick may be half a second away, and a super seed (BEP 16)
# would show its next piece only then.
ALWAYS_TOLD = 10
# Lost pieces that a peer is told of one by one, 10 bytes each; of more it hears sooner if it connects
# again. We take no more of others (`core.metadata_peer`).
MAX_WITHDRAWN = 1024


class Haves:
    """The pieces of one torrent that its peers were not told of yet."""

    __slots__ = ("_next_at", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[int] = []
        self._next_at = 0.0

    def add(self, index: int) -> None:
        """We have one more piece."""
        self._pieces.append(index)

    def tell(self, peers: Collection[Peer], now: float) -> None:
        """Tell the peers of the new pieces, if it is time.

        Seeds need none of them. Everybody else is also told of what it has: a seed that pretends to
        have little waits to hear that we got what it showed us (BEP 16).
        """
        if not self._pieces or now < self._next_at:
            return
        news = messages.haves(self._pieces)
        for peer in peers:
            if not peer.is_seed:
                peer.link.send(news)
        self._next_at = now
        if len(peers) > ALWAYS_TOLD:
            self._next_at += len(peers) / MAX_TOLD_PER_SECOND
        self._pieces = []

    def withdraw(self, lost: int, count: int, peers: Collection[Peer]) -> None:
        """We no longer have the pieces of this set, of `count`: say so (BEP 54).

        Whoever lacks some of them and cannot be told is disconnected: else it would ask us for them
        again and again. When it comes back it is greeted with what we have.
        """
        self._pieces = [piece for piece in self._pieces if not has_piece(lost, piece, count)]
        few = lost.bit_count() <= MAX_WITHDRAWN
        payloads = [lt_donthave.encode(piece) for piece in members(lost, count)] if few else []
        for peer in peers:
            extensions = peer.extensions
            if few and extensions is not None and extensions.supports("lt_donthave"):
                extensions.send("lt_donthave", *payloads)
            elif lost & ~peer.pieces:
                peer.link.close("we lost pieces that it takes us to have")
