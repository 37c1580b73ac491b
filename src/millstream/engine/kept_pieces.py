"""What came of unfinished pieces of torrents that are stopped."""

from __future__ import annotations

from millstream.core.partial_piece import PartialPiece
from millstream.protocol.infohash import InfoHash


class KeptPieces:
    """Partial pieces of all torrents, bounded together.

    Args:
        most_bytes: of all of them.
    """

    def __init__(self, most_bytes: int) -> None:
        self._room = most_bytes
        self._pieces: dict[InfoHash, list[PartialPiece]] = {}

    @property
    def room(self) -> int:
        """Bytes that can still be kept."""
        return self._room

    def keep(self, torrent: InfoHash, pieces: list[PartialPiece]) -> None:
        """Keep these of a torrent instead of what was kept of it, the first ones if room is short."""
        self.take(torrent)
        kept = []
        for piece in pieces:
            if len(piece.data) > self._room:
                break
            self._room -= len(piece.data)
            kept.append(piece)
        if kept:
            self._pieces[torrent] = kept

    def of(self, torrent: InfoHash) -> list[PartialPiece]:
        """What is kept of a torrent."""
        return self._pieces.get(torrent, [])

    def take(self, torrent: InfoHash) -> list[PartialPiece]:
        """What is kept of a torrent, and keep it no longer."""
        pieces = self._pieces.pop(torrent, [])
        self._room += sum(len(piece.data) for piece in pieces)
        return pieces
