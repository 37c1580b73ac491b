"""Files of the operating system, off the loop's thread."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import time
from collections.abc import Callable, MutableSequence, Sequence
from contextlib import suppress
from typing import TypeVar

from millstream.adapters.native import directories
from millstream.adapters.native.errands import Errands
from millstream.adapters.native.file_copying import copy_ranges
from millstream.adapters.native.transfers import Transferring
from millstream.errors import StorageError
from millstream.interfaces.disk import Allocation
from millstream.interfaces.filesystem import FileStat, RangeCopy, Synced, Transfer, Transferred

T = TypeVar("T")

# How often progress is told.
PROGRESS_SECONDS = 0.1

# A file is loaded so many bytes at a time; most .torrent files are shorter.
LOAD_STEP = 64 << 10


class NativeFileSystem:
    """Implements `interfaces.filesystem.FileSystem`. A root is the path of a directory."""

    def __init__(self) -> None:
        self._errands: Errands | None = None

    def root(self, directory: str) -> str:
        """See `interfaces.filesystem.FileSystem`."""
        return os.path.abspath(directory)

    async def load(self, path: str, most: int) -> bytes:
        """See `interfaces.filesystem.FileSystem`."""
        return await self._in_thread(path, "", lambda full: _load(full, most))

    async def stat(self, root: str, path: str) -> FileStat | None:
        """See `interfaces.filesystem.FileSystem`."""
        return await self._in_thread(root, path, _stat)

    async def stat_many(self, root: str, paths: Sequence[str]) -> list[FileStat | None]:
        """See `interfaces.filesystem.FileSystem`."""
        return await self._in_thread(
            root, "", lambda full: [_stat(os.path.join(full, path)) for path in paths]
        )

    async def sync(self, root: str, paths: Sequence[str]) -> list[Synced]:
        """See `interfaces.filesystem.FileSystem`."""
        return await self._in_thread(
            root, "", lambda full: [_sync(os.path.join(full, path)) for path in paths]
        )

    async def list(self, root: str, path: str) -> list[str]:
        """See `interfaces.filesystem.FileSystem`."""
        return await self._in_thread(root, path, lambda full: sorted(os.listdir(full)))

    async def make_directory(self, root: str, path: str) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        await self._in_thread(root, path, lambda full: os.makedirs(full, exist_ok=True))

    async def allocate(self, root: str, path: str, length: int, allocation: Allocation) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        await self._in_thread(root, path, lambda full: _allocate(full, length, allocation))

    async def truncate(self, root: str, path: str, length: int) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        await self._in_thread(root, path, lambda full: os.truncate(full, length))

    async def delete(self, root: str, path: str) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        await self._in_thread(root, path, _delete)

    async def transfer(
        self,
        root: str,
        to_root: str,
        transfers: Sequence[Transfer],
        done: MutableSequence[Transferred],
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        told = _Told(progress)
        work = Transferring(root, to_root, done, told.add)

        def run(_full: str) -> None:
            try:
                work.run(transfers)
            finally:
                told.tell()

        running = asyncio.ensure_future(self._in_thread(root, "", run))
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            # What became of each file is known only when the thread has ended.
            work.stopped = True
            while not running.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([running])
            running.exception()
            raise

    async def copy_ranges(self, root: str, source: str, copies: Sequence[RangeCopy]) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        await self._in_thread(root, "", lambda full: copy_ranges(full, source, copies))

    async def delete_many(self, root: str, paths: Sequence[str]) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        await self._in_thread(root, "", lambda full: directories.delete_files(full, paths))

    async def remove_empty_directories(self, root: str, paths: Sequence[str]) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        await self._in_thread(
            root, "", lambda full: directories.remove_empty_directories(full, paths)
        )

    async def identify(self, root: str) -> str | None:
        """See `interfaces.filesystem.FileSystem`."""
        return await self._in_thread(root, "", directories.identify)

    async def same_disk(self, root: str, other: str) -> bool:
        """See `interfaces.filesystem.FileSystem`."""

        def compare(full: str) -> bool:
            disks = {os.stat(directories.existing(path)).st_dev for path in (full, other)}
            return len(disks) == 1

        return await self._in_thread(root, "", compare)

    async def free_space(self, root: str) -> int:
        """See `interfaces.filesystem.FileSystem`."""
        return await self._in_thread(root, "", directories.free_space)

    async def close(self) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        if self._errands is not None:
            self._errands.close()

    async def _in_thread(self, root: str, path: str, work: Callable[[str], T]) -> T:
        full = os.path.join(root, path) if path else root

        def guarded() -> T:
            try:
                return work(full)
            except OSError as error:
                # The system knows best which path it stumbled over; ours is the next best.
                where = error.filename if isinstance(error.filename, str) else full
                raise StorageError(where, error.strerror or str(error), error.errno) from error

        errands = self._errands
        if errands is None or errands.loop is not asyncio.get_running_loop():
            errands = self._errands = Errands()
        try:
            running = errands.run(guarded)
        except RuntimeError as error:  # there is no thread to be had
            raise StorageError(full, str(error), errno.EAGAIN) from error
        return await running


class _Told:
    """Tells the loop's thread of progress, not more often than somebody would look."""

    def __init__(self, progress: Callable[[int], None] | None) -> None:
        self._progress = progress
        self._loop = asyncio.get_running_loop()
        self._bytes = 0
        self._told_at = 0.0

    def add(self, length: int) -> None:
        self._bytes += length
        if self._progress is not None and time.monotonic() >= self._told_at + PROGRESS_SECONDS:
            self.tell()

    def tell(self) -> None:
        length, self._bytes = self._bytes, 0
        self._told_at = time.monotonic()
        if self._progress is not None and length:
            with suppress(
                RuntimeError
            ):  # the loop is closed; a file must not be left half for that
                self._loop.call_soon_threadsafe(self._progress, length)


def _load(full: str, most: int) -> bytes:
    # Few calls: for each the thread gives the interpreter away, and Python's files make three more.
    parts: list[bytes] = []
    descriptor = os.open(full, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while most > 0 and (part := os.read(descriptor, min(most, LOAD_STEP))):
            parts.append(part)
            most -= len(part)
    finally:
        os.close(descriptor)
    return b"".join(parts)


def _stat(full: str) -> FileStat | None:
    try:
        found = os.stat(full)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return FileStat(found.st_size, found.st_mtime, stat.S_ISDIR(found.st_mode))


def _sync(full: str) -> Synced:
    try:
        descriptor = os.open(full, os.O_RDONLY | os.O_CLOEXEC)
        try:
            # Not fdatasync: the time of modification has to be on the disk as well.
            os.fsync(descriptor)
            found = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return StorageError(full, error.strerror or str(error), error.errno)
    return FileStat(found.st_size, found.st_mtime, stat.S_ISDIR(found.st_mode))


def _allocate(full: str, length: int, allocation: Allocation) -> None:
    os.makedirs(os.path.dirname(full), exist_ok=True)
    descriptor = os.open(full, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        if os.fstat(descriptor).st_size != length:
            os.ftruncate(descriptor, length)
        if allocation is Allocation.FULL and length:
            os.posix_fallocate(descriptor, 0, length)
    finally:
        os.close(descriptor)


def _delete(full: str) -> None:
    try:
        os.unlink(full)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        if not os.path.isdir(full):
            raise
        os.rmdir(full)
