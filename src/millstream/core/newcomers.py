"""What a newcomer may have while it is choked (BEP 6, "Allowed Fast").

Who has nothing to trade waits for an optimistic unchoke. A few pieces, other ones for each peer, let
it begin at once.
"""

from __future__ import annotations

from millstream.core.geometry import Geometry
from millstream.core.peer import Peer
from millstream.protocol import messages
from millstream.protocol.allowed_fast import allowed_fast_set

# A peer may ask for the same blocks again, after a failed hash for instance; libtorrent drops who
# asks three times.
MAX_TIMES_SERVED = 3


class Newcomers:
    """Allows pieces to peers that have hardly any.

    Args:
        geometry: of the torrent.
        info_hash: 20 bytes; None: nothing is allowed to anyone.
        size: how many pieces a peer is allowed.
    """

    __slots__ = ("_geometry", "_info_hash", "_size")

    def __init__(self, geometry: Geometry, info_hash: bytes | None, size: int) -> None:
        self._geometry = geometry
        self._info_hash = info_hash
        self._size = size

    def allow(self, peer: Peer) -> None:
        """Tell the peer what it may have, if it is one that needs it and was not told."""
        if self._info_hash is None or not self._size or peer.offered_fast or not peer.fast:
            return
        if not self._is_newcomer(peer):
            return
        count = self._geometry.piece_count
        pieces = allowed_fast_set(peer.address.host, self._info_hash, count, self._size)
        peer.offered_fast = dict.fromkeys(pieces, 0)
        peer.link.send(b"".join([messages.allowed_fast(piece) for piece in pieces]))

    def may_have(self, peer: Peer, index: int) -> bool:
        """Whether to answer a request of a peer that we choke; counts it."""
        times = peer.offered_fast.get(index)
        if times is None or not self._is_newcomer(peer):
            return False
        if times >= MAX_TIMES_SERVED * self._geometry.blocks_per_piece:
            return False
        peer.offered_fast[index] = times + 1
        return True

    def _is_newcomer(self, peer: Peer) -> bool:
        return peer.pieces.bit_count() <= self._size
