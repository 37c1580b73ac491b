"""The pieces being downloaded: the one owner of request state (seed 004).

Pieces are made when first needed and go when verified, failed or abandoned. Their room is reserved
in a pool that the whole engine shares before the first request leaves, so what peers can make us
hold is bounded whatever they do: partial pieces, whole pieces at the disk and requests alike. This
is also the back-pressure from a slow disk to the network: no room, no new requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from millstream.core.active_piece import ActivePiece
from millstream.core.geometry import ConnectionId, Geometry, PieceIndex
from millstream.protocol.bitfield import piece_bit

# However long its pieces are, a torrent may have so many at the disk before it begins no more: one
# to hash, one to write, and one to come.
MIN_UNWRITTEN_PIECES = 3
# Pieces that are put back when a torrent starts get this part of the room that is left, so that a
# thousand torrents that start at once leave some to those that have peers. Our own limit.
RESTORED_SHARE = 2


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
        open: the set (an int) of the same pieces.
        taken: the set of all active pieces, for the picker.
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
        self.open = self.taken = 0
        # Who was asked for blocks of which pieces: nobody's requests are looked for anywhere else.
        self._asked: dict[ConnectionId, dict[int, ActivePiece]] = {}
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

        0 while the disk lags behind; else what there is room for, and always one if none is
        active.
        """
        if self.disk_lags:
            return 0
        room = self._pool.room // self._geometry.piece_length
        if room <= 0:
            room = int(not self._pieces and not self._at_disk)
        return min(most, room)

    @property
    def restorable_bytes(self) -> int:
        """Bytes of the pieces that may be put back now."""
        return self._pool.room // RESTORED_SHARE

    def start(self, index: PieceIndex) -> ActivePiece:
        """Begin a piece, for which `startable` found room."""
        length = self._geometry.length_of(index)
        self._pool.reserve(length)
        piece = ActivePiece(index, length)
        self._pieces[index] = self.unclaimed[index] = piece
        bit = piece_bit(index, self._geometry.piece_count)
        self.taken |= bit
        self.open |= bit
        return piece

    def give_buffer(self, piece: ActivePiece) -> None:
        """The first block came: take the buffer it goes into."""
        piece.view = self._pool.take(piece.length)

    def to_disk(self, piece: ActivePiece) -> None:
        """The last block came: the piece waits for its verified write."""
        self._forget(piece)
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
        self._forget(piece)
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
        for piece in list(self._asked.get(connection, {}).values()):
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
            self.open |= piece_bit(piece.index, self._geometry.piece_count)

    def claimed(self, piece: ActivePiece, by: ConnectionId) -> None:
        """Blocks of the piece were claimed for a connection."""
        self._note(piece, by)
        if not piece.unrequested:
            self._close(piece)

    def ask_also(self, piece: ActivePiece, block: int, by: ConnectionId, now: float) -> None:
        """An awaited block is asked of one more connection."""
        piece.ask_also(block, by, now)
        self._note(piece, by)

    def asked_of(self, connection: ConnectionId) -> Iterable[ActivePiece]:
        """The pieces that lack blocks and of which the connection was asked for some."""
        return self._asked.get(connection, {}).values()

    def _note(self, piece: ActivePiece, by: ConnectionId) -> None:
        if by not in piece.askers:
            piece.askers.add(by)
            self._asked.setdefault(by, {})[piece.index] = piece

    def _forget(self, piece: ActivePiece) -> None:
        """The piece lacks no more blocks, or is given up."""
        del self._pieces[piece.index]
        self._close(piece)
        for connection in piece.askers:
            asked = self._asked[connection]
            del asked[piece.index]
            if not asked:
                del self._asked[connection]

    def _close(self, piece: ActivePiece) -> None:
        """The piece has no block left to be asked for."""
        if self.unclaimed.pop(piece.index, None) is not None:
            self.open ^= piece_bit(piece.index, self._geometry.piece_count)

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
        assert self.open == sum(piece_bit(i, self._geometry.piece_count) for i in self.unclaimed)
        noted = {(by, index) for by, pieces in self._asked.items() for index in pieces}
        assert noted == {(by, p.index) for p in self for by in p.askers}
        assert all(p.awaited_connections() <= p.askers for p in self)
