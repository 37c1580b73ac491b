"""Finding out who sent a bad block: libtorrent's "smart ban", by block.

When a piece fails its hash and one peer sent all of it, that peer is the culprit. Otherwise the
digest of every block is kept with its sender, and the piece is fetched again from one peer alone.
Fails it again, the culprit is that peer; verifies it, the senders of the blocks that now differ
are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from millstream.core.active_piece import ActivePiece
from millstream.protocol.compact import PeerAddress
from millstream.protocol.messages import BLOCK_LENGTH

# Failed pieces remembered at a time: 20 bytes and a reference a block, so at most a few MB for the
# longest pieces. When more fail, the oldest is forgotten and its culprits go free this time.
MAX_SUSPECT_PIECES = 64


class CorruptionTracker:
    """Evidence against peers, by the address they came from."""

    __slots__ = ("_suspects",)

    def __init__(self) -> None:
        self._suspects: dict[int, list[tuple[PeerAddress, bytes]]] = {}

    def failed(self, piece: ActivePiece, senders: Sequence[PeerAddress]) -> list[PeerAddress]:
        """A piece did not match its digest.

        Args:
            piece: with its data still in the buffer.
            senders: for each block, who sent it.

        Returns:
            The peers proven guilty; empty if the evidence only names suspects.
        """
        if len(set(senders)) == 1:
            return [senders[0]]
        self._suspects.pop(piece.index, None)
        if len(self._suspects) >= MAX_SUSPECT_PIECES:
            del self._suspects[next(iter(self._suspects))]
        self._suspects[piece.index] = list(zip(senders, _block_digests(piece), strict=True))
        return []

    def verified(self, piece: ActivePiece) -> list[PeerAddress]:
        """A piece matched its digest; returns the peers that had sent it other blocks before."""
        before = self._suspects.pop(piece.index, None)
        if before is None:
            return []
        guilty: dict[PeerAddress, None] = {}
        for (sender, digest), good in zip(before, _block_digests(piece), strict=True):
            if digest != good:
                guilty[sender] = None
        return list(guilty)

    def is_suspect(self, index: int) -> bool:
        """Whether the piece failed and should now come from one peer alone."""
        return index in self._suspects


def _block_digests(piece: ActivePiece) -> list[bytes]:
    view = piece.view
    if view is None:
        return []
    return [
        hashlib.sha1(view[begin : begin + BLOCK_LENGTH]).digest()
        for begin in range(0, piece.length, BLOCK_LENGTH)
    ]
