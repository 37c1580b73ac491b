"""Which pieces are on the disk already."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TypeAlias

from millstream.core.piece_set import members, set_of_ranges
from millstream.engine.piece_hasher import PieceHasher
from millstream.engine.torrent_disk import TorrentDisk
from millstream.errors import StorageError
from millstream.interfaces.disk import DiskResult, Extent
from millstream.interfaces.filesystem import FileSystem
from millstream.protocol.bitfield import every_piece, piece_set
from millstream.protocol.metainfo import Metainfo

CheckTurn: TypeAlias = Callable[[], AbstractAsyncContextManager[None]]
"""Makes what is entered before files are read, and left afterwards; see `engine.check_turns`."""


class Checker:
    """One check of one torrent. It only reads.

    Args:
        metainfo: the torrent.
        disk: reads and hashes; whoever receives its results passes them to `take`.
        progress: called with the number of pieces looked at so far.
        among: the set (an int) of the pieces to look at; None for all. The others count as looked
            at.

    Attributes:
        sizes: of the files that are there, by path, once it ran.
        unreadable: pieces that could not be read, though their files seemed to be there.
    """

    def __init__(
        self,
        metainfo: Metainfo,
        disk: TorrentDisk,
        progress: Callable[[int], None],
        among: int | None = None,
    ) -> None:
        everything = every_piece(metainfo.piece_count)
        self._metainfo = metainfo
        self._placement = disk.placement
        self._progress = progress
        self.sizes: dict[str | None, int] = {}
        self.unreadable = 0
        self._good: list[int] = []
        self._among = everything if among is None else among
        self._checked = metainfo.piece_count - self._among.bit_count()
        self._hasher = PieceHasher(disk, self._present(), self._hashed)

    async def run(self, files: FileSystem, turn: CheckTurn = nullcontext) -> int:
        """Check everything; returns the set (an int) of good pieces. Cancelling stops it.

        Without files there is nothing to read, and it takes no turn.
        """
        if self._among:
            root, paths = self._placement.root, self._placement.all_paths
            for path, found in zip(paths, await files.stat_many(root, paths), strict=True):
                if found is not None and not found.is_directory:
                    self.sizes[path] = found.size
        if self.sizes:
            async with turn():
                await self._hasher.run()
        self._progress(self._metainfo.piece_count)
        return piece_set(self._good, self._metainfo.piece_count)

    def take(self, result: DiskResult) -> None:
        """The disk answered."""
        self._hasher.take(result)

    def _hashed(self, piece: int, digest: bytes | StorageError) -> None:
        """A piece that cannot be read is simply not there."""
        if digest == self._metainfo.digest(piece):
            self._good.append(piece)
        self.unreadable += isinstance(digest, StorageError)
        self._checked += 1
        self._progress(self._checked)

    def _present(self) -> Iterator[int]:
        """The pieces that can be there, by the sizes of their files."""
        count = self._metainfo.piece_count
        nowhere = set_of_ranges(self._placement.placeless_pieces(), count)
        self._checked += (self._among & nowhere).bit_count()
        for piece in members(self._among & ~nowhere, count):
            if all(self._exists(extent) for extent in self._placement.piece_extents(piece)):
                yield piece
            else:
                self._checked += 1

    def _exists(self, extent: Extent) -> bool:
        return extent.path is None or (
            self.sizes.get(extent.path, -1) >= extent.offset + extent.length
        )
