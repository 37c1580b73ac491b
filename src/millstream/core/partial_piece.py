"""A piece of which some blocks came: what is worth keeping of it while its torrent is stopped.

Nobody has verified it, and whoever sent it is forgotten: it is only a claim, checked against the
geometry when it comes back and against the piece's digest when the rest has come.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from millstream.core.active_piece import ActivePiece
from millstream.core.geometry import BLOCK_SHIFT, Geometry
from millstream.core.piece_set import members
from millstream.errors import RemoteProtocolError
from millstream.protocol.bitfield import decode_bitfield, encode_bitfield, piece_set
from millstream.protocol.messages import BLOCK_LENGTH


@dataclass(frozen=True, slots=True)
class PartialPiece:
    """Some blocks of one piece.

    Attributes:
        index: which piece.
        received: which of its blocks these are, as a bitfield of BEP 3: a bit for each block, the
            first is the highest bit of the first byte, spare bits are zero.
        data: these blocks, one after another.
    """

    index: int
    received: bytes
    data: bytes

    @classmethod
    def of(cls, piece: ActivePiece) -> Self:
        """Copy what came of a piece, which must be something."""
        view = piece.view
        if view is None:
            raise AssertionError("a piece of which something came has a buffer")
        blocks = [block for block in range(piece.block_count) if piece.received[block]]
        return cls(
            int(piece.index),
            encode_bitfield(piece_set(blocks, piece.block_count), piece.block_count),
            b"".join(view[block << BLOCK_SHIFT : (block + 1) << BLOCK_SHIFT] for block in blocks),
        )

    def blocks(self, geometry: Geometry) -> list[tuple[int, memoryview]]:
        """The (block, data) pairs; none if this can be no unfinished piece of the torrent."""
        if not 0 <= self.index < geometry.piece_count:
            return []
        count = geometry.block_count(self.index)
        try:
            numbers = list(members(decode_bitfield(self.received, count), count))
        except RemoteProtocolError:
            return []
        length = sum(geometry.block_length(self.index, block) for block in numbers)
        if len(numbers) == count or length != len(self.data):
            return []
        # All blocks are of one length but the last of a piece, which is the last here as well.
        view = memoryview(self.data)
        return [
            (block, view[at << BLOCK_SHIFT : (at << BLOCK_SHIFT) + BLOCK_LENGTH])
            for at, block in enumerate(numbers)
        ]


def most_complete(pieces: Iterable[ActivePiece], most_bytes: int) -> list[PartialPiece]:
    """Copy what came of unfinished pieces: at most so many bytes, the most complete first."""
    kept: list[PartialPiece] = []
    begun = [piece for piece in pieces if piece.view is not None]
    for piece in sorted(begun, key=lambda piece: piece.missing / piece.block_count):
        most_bytes -= piece.received_bytes
        if most_bytes < 0:
            break
        kept.append(PartialPiece.of(piece))
    return kept
