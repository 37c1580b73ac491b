"""Hashing many pieces of stored files, several at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from millstream.engine.torrent_disk import TorrentDisk
from millstream.errors import StorageError
from millstream.interfaces.disk import DiskResult, Hash

# Work handed to the disk ahead of its results: enough to keep every worker busy. It takes no
# memory, since a hash job reads in steps.
WINDOW_BYTES = 32 << 20
MAX_WINDOW_PIECES = 256


class PieceHasher:
    """Hashes pieces once.

    Args:
        disk: reads and hashes; whoever receives its results passes them to `take`.
        pieces: which pieces.
        hashed: called for each, in any order, with the digest or why there is none.
    """

    def __init__(
        self,
        disk: TorrentDisk,
        pieces: Iterable[int],
        hashed: Callable[[int, bytes | StorageError], None],
    ) -> None:
        self._disk = disk
        self._pieces = iter(pieces)
        self._hashed = hashed
        self._in_flight = 0
        piece_length = disk.placement.layout.piece_length
        self._window = max(2, min(MAX_WINDOW_PIECES, WINDOW_BYTES // piece_length))
        self._done = asyncio.Event()

    async def run(self) -> None:
        """Hash them all. When cancelled it submits nothing more, and waits for what it did."""
        self._submit()
        try:
            await self._done.wait()
        except asyncio.CancelledError:
            self._pieces = iter(())
            if self._in_flight:
                await self._done.wait()
            raise

    def take(self, result: DiskResult) -> None:
        """A job ended."""
        job = result.job
        if not isinstance(job, Hash):
            return
        self._in_flight -= 1
        if result.digest is not None:
            self._hashed(job.piece, result.digest)
        elif result.error is not None:
            self._hashed(job.piece, result.error)
        # Refilled by halves, so that the disk gets batches.
        if self._in_flight * 2 <= self._window:
            self._submit()

    def _submit(self) -> None:
        while self._in_flight < self._window:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._disk.hash(piece)
            self._in_flight += 1
        self._disk.flush()
        if not self._in_flight:
            self._done.set()
