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

from millstream.interfaces.disk import DiskQueue, Hash, Read, VerifiedWrite
from millstream.protocol.infohash import InfoHash
from millstream.storage.placement import Placement
from millstream.storage.placement_record import PlacementRecord


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
        is_fenced: whether jobs wait.
    """

    __slots__ = (
        *("_disk", "_idle", "_lock", "_torrent", "_waiting"),
        *("changes", "in_flight", "is_fenced", "placement", "record"),
    )

    def __init__(self, torrent: InfoHash, placement: Placement, disk: DiskQueue) -> None:
        self._torrent = torrent
        self._disk = disk
        self._waiting: list[Callable[[], None]] = []
        self._idle: asyncio.Event | None = None
        self._lock: asyncio.Lock | None = None
        self.placement = placement
        self.changes = 0
        self.record = PlacementRecord()
        self.in_flight = 0
        self.is_fenced = False

    def write(self, piece: int, data: memoryview, expected_digest: bytes) -> None:
        """Hash a piece, and write it if it is right. `data` is borrowed until the result is here."""
        if self.is_fenced:
            self._waiting.append(partial(self.write, piece, data, expected_digest))
            return
        self.in_flight += 1
        placement = self.placement
        extents = placement.piece_extents(piece)
        self._disk.submit_write(
            VerifiedWrite(self._torrent, piece, placement.root, data, expected_digest, extents)
        )

    def read(self, offset: int, into: memoryview, tag: object) -> None:
        """Read the torrent's bytes from `offset` on; `into` is borrowed until the result is here."""
        if self.is_fenced:
            self._waiting.append(partial(self.read, offset, into, tag))
            return
        self.in_flight += 1
        placement = self.placement
        extents = placement.extents(offset, len(into))
        self._disk.submit_read(Read(self._torrent, placement.root, extents, into, tag))

    def hash(self, piece: int) -> None:
        """Hash a piece as it is on the disk."""
        if self.is_fenced:
            self._waiting.append(partial(self.hash, piece))
            return
        self.in_flight += 1
        placement = self.placement
        extents = placement.piece_extents(piece)
        self._disk.submit_hash(Hash(self._torrent, piece, placement.root, extents))

    def flush(self) -> None:
        """Hand over what was asked for, if no tick is about to."""
        self._disk.flush()

    def delivered(self, count: int) -> None:
        """So many results came."""
        self.in_flight -= count
        if not self.in_flight and self._idle is not None:
            self._idle.set()

    def release(self) -> None:
        """Keep none of the files open."""
        self._disk.release(self.placement.root, stored_paths(self.placement))

    @asynccontextmanager
    async def fence(self) -> AsyncIterator[Placement]:
        """No job is at the disk within, no file is open, and the placement may be changed."""
        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            self.is_fenced = True
            try:
                self.flush()
                await self._drained()
                self.release()
                yield self.placement
            finally:
                self.changes += 1
                self.is_fenced = False
                waiting, self._waiting = self._waiting, []
                for submit in waiting:
                    submit()
                self.flush()

    async def _drained(self) -> None:
        while self.in_flight:
            self._idle = asyncio.Event()
            await self._idle.wait()
        self._idle = None


def stored_paths(placement: Placement) -> tuple[str, ...]:
    """All paths at which there are or will be bytes of the torrent."""
    return (*placement.paths, placement.parts_path) if placement.in_parts else placement.paths
