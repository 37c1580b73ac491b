"""Telling peers which piece we have at hand (BEP 6, "Suggest Piece").

A piece that was just read for one peer costs nothing to give to the next. But peers that all take
the same advice become alike and have less to trade, so it is off unless configured, as in
libtorrent (`suggest_mode`).
"""

from __future__ import annotations

from collections.abc import Mapping

from millstream.core.geometry import ConnectionId
from millstream.core.peer import Peer
from millstream.protocol import messages
from millstream.protocol.bitfield import has_piece

# Seconds between two suggestions to the peers of a torrent: what is suggested has cooled down soon.
INTERVAL = 1.0


class Suggestions:
    """The suggestions of one torrent.

    Args:
        peers: the connected peers.
    """

    def __init__(self, peers: Mapping[ConnectionId, Peer]) -> None:
        self._peers = peers
        self._next = 0.0
        self._last: int | None = None

    def piece_read(self, reader: Peer, index: int, now: float) -> None:
        """A piece was read for a peer: the others that are served and lack it may want it, too."""
        if now < self._next or index == self._last:
            return
        self._next, self._last = now + INTERVAL, index
        message = messages.suggest_piece(index)
        for peer in self._peers.values():
            if (
                peer.fast
                and peer is not reader
                and peer.peer_interested
                and not peer.am_choking
                and not has_piece(peer.pieces, index, peer.piece_count)
            ):
                peer.link.send(message)
