"""Which pieces are on the disk already: reading and hashing all of them, in parallel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from millstream.interfaces.disk import DiskQueue, DiskResult, Extent, Hash, Outcome
from millstream.interfaces.filesystem import FileSystem
from millstream.protocol.bitfield import piece_set
from millstream.protocol.metainfo import Metainfo
from millstream.storage.layout import FileLayout

# Work handed to the disk ahead of its results: enough to keep every worker busy, and no memory,
# since a hash job reads in steps.
WINDOW_BYTES = 32 << 20
WINDOW_PIECES = 256


class Checker:
    """One check of one torrent.

    Args:
        metainfo: the torrent.
        layout: where its pieces lie.
        root: under which directory.
        disk: reads and hashes. Its results come back through `take`.
        progress: called with the number of pieces looked at so far.
    """

    def __init__(
        self,
        metainfo: Metainfo,
        layout: FileLayout,
        root: str,
        disk: DiskQueue,
        progress: Callable[[int], None],
    ) -> None:
        self._metainfo = metainfo
        self._layout = layout
        self._root = root
        self._disk = disk
        self._progress = progress
        self._checked = 0
        self._in_flight = 0
        self._good: list[int] = []
        self._next = 0
        self._sizes: dict[str | None, int] = {}
        self._window = max(2, min(WINDOW_PIECES, WINDOW_BYTES // metainfo.piece_length))
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, files: FileSystem) -> int:
        """Check everything; returns the set (an int) of good pieces. Cancelling stops it."""
        count = self._metainfo.piece_count
        for path in self._layout.paths:
            found = await files.stat(self._root, path)
            if found is not None and not found.is_directory:
                self._sizes[path] = found.size
        if not self._sizes:
            self._progress(count)
            return 0
        self._submit()
        try:
            await self._done
        finally:
            self._next = count
        return piece_set(self._good, count)

    def take(self, result: DiskResult) -> None:
        """A hash job ended. A piece that cannot be read is simply not there."""
        job = result.job
        if not isinstance(job, Hash):
            return
        self._in_flight -= 1
        self._checked += 1
        if result.outcome is Outcome.SUCCESS and result.digest == self._metainfo.digest(job.piece):
            self._good.append(job.piece)
        if self._in_flight * 2 <= self._window:
            self._submit()

    def _submit(self) -> None:
        count = self._metainfo.piece_count
        while self._in_flight < self._window and self._next < count:
            piece = self._next
            self._next += 1
            extents = self._layout.piece_extents(piece)
            if all(self._exists(extent) for extent in extents):
                job = Hash(self._metainfo.info_hash, piece, self._root, extents)
                self._disk.submit_hash(job)
                self._in_flight += 1
            else:
                self._checked += 1
        self._disk.flush()
        self._progress(self._checked)
        if not self._in_flight and self._next >= count and not self._done.done():
            self._done.set_result(None)

    def _exists(self, extent: Extent) -> bool:
        return extent.path is None or (
            self._sizes.get(extent.path, -1) >= extent.offset + extent.length
        )
