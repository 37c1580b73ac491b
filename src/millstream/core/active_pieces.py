"""The pieces being downloaded: the one owner of request state (seed 004).

Pieces are made when first needed and go when verified, failed or abandoned. Their room is reserved
in a pool that the whole engine shares before the first request leaves, so what peers can make us
hold is bounded whatever they do: partial pieces, whole pieces at the disk and requests alike. This
is also the back-pressure from a slow disk to the network: no room, no new requests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from millstream.core.active_piece import ActivePiece
from millstream.core.geometry import ConnectionId, Geometry, PieceIndex
from millstream.protocol.bitfield import piece_bit

# However long its pieces are, a torrent may have so many at the disk before it begins no more: one
# to hash, one to write, and one to come.
MIN_UNWRITTEN_PIECES = 3


class BufferPool(Protocol):
    """Room for pieces, bounded, shared by all torrents."""

    @property
    def room(self) -> int:
        """Bytes that can still be reserved within the bound."""

    def reserve(self, length: int) -> None:
        """Count room for a piece."""

    def unreserve(self, length: int) -> None:
        """Give counted room back."""

    def take(self, length: int) -> memoryview:
        """A buffer of exactly this length, for room that was reserved."""

    def give_back(self, view: memoryview) -> None:
        """Return a buffer."""


class ActivePieces:
    """The active pieces of one torrent, by index.

    Attributes:
        unclaimed: the pieces that still have unrequested blocks, oldest first.
        taken: the set (an int) of all active pieces, for the picker.
    """

    def __init__(self, geometry: Geometry, pool: BufferPool, max_unwritten_bytes: int) -> None:
        self._geometry = geometry
        self._max_unwritten = max(
            MIN_UNWRITTEN_PIECES, max_unwritten_bytes // geometry.piece_length
        )
        self._pool = pool
        self._pieces: dict[int, ActivePiece] = {}
        self._at_disk: dict[int, ActivePiece] = {}
        self.unclaimed: dict[int, ActivePiece] = {}
        self.taken = 0
        self.get = self._pieces.get

    def __len__(self) -> int:
        return len(self._pieces) + len(self._at_disk)

    def __iter__(self) -> Iterator[ActivePiece]:
        """The pieces that still lack blocks, oldest first."""
        return iter(self._pieces.values())

    @property
    def disk_lags(self) -> bool:
        """Whether so many pieces wait for the disk that no more should come."""
        return len(self._at_disk) >= self._max_unwritten

    def startable(self, most: int) -> int:
        """How many pieces, up to `most`, may be begun now.

        None while the disk lags behind; else what there is room for, and always one if none is
        active.
        """
        if self.disk_lags:
            return 0
        return min(most, max(self._pool.room // self._geometry.piece_length, int(len(self) == 0)))

    def start(self, index: PieceIndex) -> ActivePiece:
        """Begin a piece, for which `startable` found room."""
        length = self._geometry.length_of(index)
        self._pool.reserve(length)
        piece = ActivePiece(index, length)
        self._pieces[index] = self.unclaimed[index] = piece
        self.taken |= piece_bit(index, self._geometry.piece_count)
        return piece

    def give_buffer(self, piece: ActivePiece) -> None:
        """The first block came: take the buffer it goes into."""
        piece.view = self._pool.take(piece.length)

    def to_disk(self, piece: ActivePiece) -> None:
        """The last block came: the piece waits for its verified write."""
        del self._pieces[piece.index]
        self.unclaimed.pop(piece.index, None)
        self._at_disk[piece.index] = piece

    def at_disk(self, index: int) -> ActivePiece:
        """A piece that waits for its verified write."""
        return self._at_disk[index]

    def finish(self, index: int) -> ActivePiece:
        """The disk is done with the piece, well or badly: its room is free again."""
        piece = self._at_disk.pop(index)
        self._free(piece)
        return piece

    def abandon(self, piece: ActivePiece) -> None:
        """Drop a piece that is not at the disk, with what came of it."""
        del self._pieces[piece.index]
        self.unclaimed.pop(piece.index, None)
        self._free(piece)

    def clear(self) -> None:
        """Drop all pieces that are not at the disk."""
        for piece in list(self._pieces.values()):
            self.abandon(piece)

    @property
    def at_disk_count(self) -> int:
        """How many pieces wait for their verified write."""
        return len(self._at_disk)

    def release(
        self, connection: ConnectionId, *, asked_before: float | None = None
    ) -> list[tuple[ActivePiece, int]]:
        """Forget what is awaited from a connection, as `ActivePiece.release` does for one piece.

        Pieces of which then nothing is left are dropped. Returns the (piece, block) pairs.
        """
        released: list[tuple[ActivePiece, int]] = []
        for piece in list(self._pieces.values()):
            blocks = piece.release(connection, asked_before=asked_before)
            if blocks:
                released.extend((piece, block) for block in blocks)
                self.freed(piece)
            elif piece.only_from == connection and asked_before is None:
                piece.only_from = None
        return released

    def freed(self, piece: ActivePiece) -> None:
        """Blocks of the piece may be asked for again, and of anyone."""
        # Whoever was to send it all, and did not, must not hold it up.
        piece.only_from = None
        if piece.is_untouched:
            self.abandon(piece)
        elif piece.unrequested:
            self.unclaimed[piece.index] = piece

    def claimed(self, piece: ActivePiece) -> None:
        """Blocks of the piece were claimed."""
        if not piece.unrequested:
            self.unclaimed.pop(piece.index, None)

    def _free(self, piece: ActivePiece) -> None:
        self.taken ^= piece_bit(piece.index, self._geometry.piece_count)
        if piece.view is not None:
            self._pool.give_back(piece.view)
            piece.view = None
        self._pool.unreserve(piece.length)

    def check_invariant(self) -> None:
        """Raise AssertionError if the books do not agree; called by tests after each step."""
        taken = 0
        for index, piece in (*self._pieces.items(), *self._at_disk.items()):
            piece.check_invariant()
            assert piece.index == index
            taken |= piece_bit(index, self._geometry.piece_count)
        assert taken == self.taken
        assert set(self.unclaimed) == {p.index for p in self if p.unrequested}
