"""Files of the operating system, off the loop's thread."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Callable, Sequence
from typing import TypeVar

from millstream.errors import StorageError
from millstream.interfaces.disk import Allocation
from millstream.interfaces.filesystem import FileStat

T = TypeVar("T")


class NativeFileSystem:
    """Implements `interfaces.filesystem.FileSystem`. A root is the path of a directory."""

    def root(self, directory: str) -> str:
        """See `interfaces.filesystem.FileSystem`."""
        return os.path.abspath(directory)

    async def load(self, path: str, most: int) -> bytes:
        """See `interfaces.filesystem.FileSystem`."""

        def read(full: str) -> bytes:
            with open(full, "rb") as file:
                return file.read(most)

        return await _in_thread(path, "", read)

    async def stat(self, root: str, path: str) -> FileStat | None:
        """See `interfaces.filesystem.FileSystem`."""
        return await _in_thread(root, path, _stat)

    async def stat_many(self, root: str, paths: Sequence[str]) -> list[FileStat | None]:
        """See `interfaces.filesystem.FileSystem`."""
        return await _in_thread(
            root, "", lambda full: [_stat(os.path.join(full, path)) for path in paths]
        )

    async def sync(self, root: str, paths: Sequence[str]) -> list[FileStat | None]:
        """See `interfaces.filesystem.FileSystem`."""
        return await _in_thread(
            root, "", lambda full: [_sync(os.path.join(full, path)) for path in paths]
        )

    async def list(self, root: str, path: str) -> list[str]:
        """See `interfaces.filesystem.FileSystem`."""
        return await _in_thread(root, path, lambda full: sorted(os.listdir(full)))

    async def make_directory(self, root: str, path: str) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        await _in_thread(root, path, lambda full: os.makedirs(full, exist_ok=True))

    async def allocate(self, root: str, path: str, length: int, allocation: Allocation) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        await _in_thread(root, path, lambda full: _allocate(full, length, allocation))

    async def truncate(self, root: str, path: str, length: int) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        await _in_thread(root, path, lambda full: os.truncate(full, length))

    async def rename(self, root: str, path: str, to: str) -> None:
        """See `interfaces.filesystem.FileSystem`."""

        def rename(full: str) -> None:
            target = os.path.join(root, to)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.rename(full, target)

        await _in_thread(root, path, rename)

    async def delete(self, root: str, path: str) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        await _in_thread(root, path, _delete)

    async def free_space(self, root: str) -> int:
        """See `interfaces.filesystem.FileSystem`."""

        def free(full: str) -> int:
            while not os.path.exists(full) and os.path.dirname(full) != full:
                full = os.path.dirname(full)
            return shutil.disk_usage(full).free

        return await _in_thread(root, "", free)


async def _in_thread(root: str, path: str, work: Callable[[str], T]) -> T:
    full = os.path.join(root, path) if path else root

    def guarded() -> T:
        try:
            return work(full)
        except OSError as error:
            # The system knows best which path it stumbled over; ours is the next best.
            where = error.filename if isinstance(error.filename, str) else full
            raise StorageError(where, error.strerror or str(error), error.errno) from error

    return await asyncio.to_thread(guarded)


def _stat(full: str) -> FileStat | None:
    try:
        found = os.stat(full)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return FileStat(found.st_size, found.st_mtime, stat.S_ISDIR(found.st_mode))


def _sync(full: str) -> FileStat | None:
    try:
        descriptor = os.open(full, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        # Not fdatasync: the time of modification has to be on the disk as well.
        os.fsync(descriptor)
        found = os.fstat(descriptor)
    except OSError as error:
        error.filename = full  # the system was asked about a number
        raise
    finally:
        os.close(descriptor)
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
