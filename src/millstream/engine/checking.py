"""Which pieces are on the disk already."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from millstream.core.piece_set import members
from millstream.engine.piece_hasher import PieceHasher
from millstream.errors import StorageError
from millstream.interfaces.disk import DiskQueue, DiskResult, Extent
from millstream.interfaces.filesystem import FileSystem
from millstream.protocol.bitfield import every_piece, piece_set
from millstream.protocol.metainfo import Metainfo
from millstream.storage.layout import FileLayout


class Checker:
    """One check of one torrent. It only reads.

    Args:
        metainfo: the torrent.
        layout: where its pieces lie.
        root: under which directory.
        disk: reads and hashes; whoever receives its results passes them to `take`.
        progress: called with the number of pieces looked at so far.
        among: the set (an int) of the pieces to look at; None for all. The others count as looked
            at.
    """

    def __init__(
        self,
        metainfo: Metainfo,
        layout: FileLayout,
        root: str,
        disk: DiskQueue,
        progress: Callable[[int], None],
        among: int | None = None,
    ) -> None:
        everything = every_piece(metainfo.piece_count)
        self._metainfo = metainfo
        self._layout = layout
        self._root = root
        self._progress = progress
        self._sizes: dict[str | None, int] = {}
        self._good: list[int] = []
        self._among = everything if among is None else among
        self._checked = metainfo.piece_count - self._among.bit_count()
        self._hasher = PieceHasher(
            disk, metainfo.info_hash, root, layout, self._present(), self._hashed
        )

    async def run(self, files: FileSystem) -> int:
        """Check everything; returns the set (an int) of good pieces. Cancelling stops it."""
        if self._among:
            paths = self._layout.paths
            for path, found in zip(paths, await files.stat_many(self._root, paths), strict=True):
                if found is not None and not found.is_directory:
                    self._sizes[path] = found.size
        if self._sizes:
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
        self._checked += 1
        self._progress(self._checked)

    def _present(self) -> Iterator[int]:
        """The pieces that can be there, by the sizes of their files."""
        for piece in members(self._among, self._metainfo.piece_count):
            if all(self._exists(extent) for extent in self._layout.piece_extents(piece)):
                yield piece
            else:
                self._checked += 1

    def _exists(self, extent: Extent) -> bool:
        return extent.path is None or (
            self._sizes.get(extent.path, -1) >= extent.offset + extent.length
        )
