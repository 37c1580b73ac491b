"""One torrent's way to the disk: what it asks for by piece or by byte becomes jobs on files.

Where the files are may change while the torrent runs: it is moved, a file is renamed, a skipped one
is wanted after all. That happens behind a *fence*: jobs that are at the disk end first, and those
that are asked for meanwhile wait and are then made for the new place.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from millstream.errors import StorageError
from millstream.interfaces.disk import (
    DiskJob,
    DiskQueue,
    DiskResult,
    Extent,
    Hash,
    Outcome,
    Read,
    VerifiedWrite,
)
from millstream.protocol.infohash import InfoHash
from millstream.storage.placement import Placement
from millstream.storage.placement_record import NOTHING_TO_REMEMBER, PlacementRecord


class TorrentDisk:
    """Makes and counts the disk jobs of one torrent.

    Args:
        torrent: names the torrent in the jobs.
        placement: where its files are.
        disk: does the jobs; whoever receives its results tells `delivered`.

    Attributes:
        placement: where its files are; changed behind a fence only.
        changes: how often the placement was changed.
        record: what is under way besides, and what of it is to be remembered.
        in_flight: jobs at the disk.
    """

    __slots__ = (
        *("_arranging", "_disk", "_idle", "_lock", "_may_read", "_reads", "_torrent", "_waiting"),
        *("changes", "in_flight", "placement", "record"),
    )

    def __init__(self, torrent: InfoHash, placement: Placement, disk: DiskQueue) -> None:
        self._torrent = torrent
        self._disk = disk
        # Made when first needed: most torrents are never rearranged.
        self._waiting: list[Callable[[], DiskJob]] | None = None
        self._idle: asyncio.Event | None = None
        self._lock: asyncio.Lock | None = None
        self._arranging: asyncio.Lock | None = None
        self._reads = 0
        self._may_read = False
        self.placement = placement
        self.changes = 0
        self.record: PlacementRecord = NOTHING_TO_REMEMBER
        self.in_flight = 0

    @property
    def is_untouched(self) -> bool:
        """Whether all files are where the metainfo has them, and nothing is under way."""
        return self.placement.is_plain and self.record == NOTHING_TO_REMEMBER

    @property
    def is_fenced(self) -> bool:
        """Whether jobs wait."""
        return self._waiting is not None

    def write(self, piece: int, data: memoryview, expected_digest: bytes) -> None:
        """Hash a piece, and write it if it is right. `data` is borrowed until the result is here."""
        self._do(partial(self._write_of, piece, data, expected_digest), is_read=False)

    def read(self, offset: int, into: memoryview, tag: object) -> None:
        """Read the torrent's bytes from `offset` on; `into` is borrowed until the result is here."""
        self._do(partial(self._read_of, offset, into, tag), is_read=True)

    def hash(self, piece: int) -> None:
        """Hash a piece as it is on the disk."""
        self._do(partial(self._hash_of, piece), is_read=False)

    def _do(self, job: Callable[[], DiskJob], *, is_read: bool) -> None:
        waiting = self._waiting
        if waiting is not None and not (is_read and self._may_read):
            waiting.append(job)
        else:
            self._submit(job())

    def _submit(self, job: DiskJob) -> None:
        self._count(job)
        if isinstance(job, VerifiedWrite):
            self._disk.submit_write(job)
        elif isinstance(job, Read):
            self._disk.submit_read(job)
        else:
            self._disk.submit_hash(job)

    def _count(self, job: DiskJob) -> None:
        self.in_flight += 1
        self._reads += isinstance(job, Read)

    def _write_of(self, piece: int, data: memoryview, expected_digest: bytes) -> VerifiedWrite:
        placement, extents = self.placement, self._piece_extents(piece)
        # All other files were made before; a disk that went must not get them again.
        parts = placement.parts_path if placement.in_parts else None
        may_create = parts is not None and any(extent.path == parts for extent in extents)
        return VerifiedWrite(
            self._torrent, piece, placement.root, data, expected_digest, extents, may_create
        )

    def _read_of(self, offset: int, into: memoryview, tag: object) -> Read:
        extents = self._extents(offset, len(into))
        return Read(self._torrent, self.placement.root, extents, into, tag)

    def _hash_of(self, piece: int) -> Hash:
        return Hash(self._torrent, piece, self.placement.root, self._piece_extents(piece))

    def refuse_waiting(self, error: StorageError) -> list[DiskResult]:
        """Within a fence: what waits for its end is not done, as nobody knows where the files are.

        Returns:
            The results, as if they came from the disk.
        """
        waiting = self._waiting or []
        jobs = [job() for job in waiting]
        waiting.clear()
        for job in jobs:
            self._count(job)
        return [DiskResult(job, Outcome.IO_ERROR, error) for job in jobs]

    def _piece_extents(self, piece: int) -> tuple[Extent, ...]:
        layout = self.placement.layout
        offset = piece * layout.piece_length
        return self._extents(offset, min(layout.piece_length, layout.total_length - offset))

    def _extents(self, offset: int, length: int) -> tuple[Extent, ...]:
        placement = self.placement
        try:
            return placement.extents(offset, length)
        except IndexError:
            # It was asked for before its file was put in the parts file: it is looked for in the
            # file itself, and not there.
            spans = placement.layout.spans(offset, length)
            return tuple([Extent(placement.own_path(index), at, run) for index, at, run in spans])

    def flush(self) -> None:
        """Hand over what was asked for, if no tick is about to."""
        self._disk.flush()

    def delivered(self, count: int, reads: int = 0) -> None:
        """So many results came, and so many of them were of reads."""
        self.in_flight -= count
        self._reads -= reads
        if self._idle is not None:
            self._idle.set()

    def release(self) -> None:
        """Keep none of the files open."""
        self._disk.release(self.placement.root, self.placement.all_paths)

    @property
    def arranging(self) -> asyncio.Lock:
        """Held by whoever rearranges files, or finds out what is in them."""
        if self._arranging is None:
            self._arranging = asyncio.Lock()
        return self._arranging

    @asynccontextmanager
    async def fence(self, *, reads_go_on: bool = False) -> AsyncIterator[Placement]:
        """No job is at the disk within, no file is open, and the placement may be changed.

        Args:
            reads_go_on: that holds for jobs that write, until `hold_reads` is called within.
        """
        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            waiting = self._waiting = []
            self._may_read = reads_go_on
            try:
                await self._rest()
                yield self.placement
            finally:
                self.changes += 1
                self._waiting, self._may_read = None, False
                for job in waiting:
                    self._submit(job())
                self.flush()

    async def hold_reads(self) -> None:
        """Within a fence: from now on reads wait, too."""
        self._may_read = False
        await self._rest()

    async def idle(self) -> None:
        """Return when no job is at the disk."""
        self.flush()
        while self.in_flight:
            await self._next_delivery()

    async def _rest(self) -> None:
        self.flush()
        while self.in_flight - (self._reads if self._may_read else 0):
            await self._next_delivery()
        self.release()

    async def _next_delivery(self) -> None:
        self._idle = self._idle or asyncio.Event()
        self._idle.clear()
        await self._idle.wait()
