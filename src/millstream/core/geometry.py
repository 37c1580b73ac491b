"""All arithmetic on pieces and blocks, in one value."""

from __future__ import annotations

from typing import NewType

from millstream.errors import RemoteProtocolError
from millstream.protocol.messages import BLOCK_LENGTH

PieceIndex = NewType("PieceIndex", int)
ConnectionId = NewType("ConnectionId", int)

BLOCK_SHIFT = BLOCK_LENGTH.bit_length() - 1

# Where the piece length aims: enough pieces to share early and verify often, few enough that the
# .torrent stays small. Common makers aim between 1,000 and 2,000.
TARGET_PIECE_COUNT = 1500
SHORTEST_CHOSEN_PIECE = 16 << 10
LONGEST_CHOSEN_PIECE = 16 << 20


def choose_piece_length(total_length: int) -> int:
    """A good piece length in bytes for new torrents: a power of two, 16 KiB to 16 MiB."""
    wanted = max(1, total_length // TARGET_PIECE_COUNT)
    rounded = 1 << (wanted - 1).bit_length()
    return max(SHORTEST_CHOSEN_PIECE, min(rounded, LONGEST_CHOSEN_PIECE))


class Geometry:
    """The pieces and blocks of a torrent. Lengths are in bytes."""

    __slots__ = ("_last_length", "blocks_per_piece", "piece_count", "piece_length", "total_length")

    def __init__(self, total_length: int, piece_length: int) -> None:
        self.total_length = total_length
        self.piece_length = piece_length
        self.piece_count = -(-total_length // piece_length)
        self.blocks_per_piece = -(-piece_length // BLOCK_LENGTH)
        self._last_length = total_length - (self.piece_count - 1) * piece_length

    def length_of(self, piece: int) -> int:
        """Bytes in the piece; the last one may be short."""
        return self.piece_length if piece < self.piece_count - 1 else self._last_length

    def length_of_set(self, pieces: int) -> int:
        """Bytes in a set of pieces (see `protocol.bitfield`)."""
        length = pieces.bit_count() * self.piece_length
        if pieces & 1:  # the last piece
            length -= self.piece_length - self._last_length
        return length

    def block_count(self, piece: int) -> int:
        """Blocks in the piece."""
        return -(-self.length_of(piece) // BLOCK_LENGTH)

    def block_length(self, piece: int, block: int) -> int:
        """Bytes in the block; the last of a piece may be short."""
        return min(BLOCK_LENGTH, self.length_of(piece) - block * BLOCK_LENGTH)

    def check_piece(self, piece: int) -> PieceIndex:
        """The index, if the torrent has that piece; raises RemoteProtocolError."""
        if piece >= self.piece_count:
            raise RemoteProtocolError(f"piece {piece} of a torrent with {self.piece_count}")
        return PieceIndex(piece)

    def check_request(self, piece: int, begin: int, length: int) -> PieceIndex:
        """The index, if a peer may ask for these bytes; raises RemoteProtocolError."""
        last = self.piece_count - 1
        end = self.piece_length if piece < last else self._last_length
        if piece > last or not 0 < length <= BLOCK_LENGTH or begin + length > end:
            raise RemoteProtocolError(f"request for {length} bytes at {begin} of piece {piece}")
        return PieceIndex(piece)
