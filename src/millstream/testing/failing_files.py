"""A file system that fails, or dies, at a moment of the test's choice."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableSequence, Sequence
from errno import EIO

from millstream.errors import StorageError
from millstream.interfaces.disk import Allocation
from millstream.interfaces.filesystem import (
    FileStat,
    FileSystem,
    RangeCopy,
    Synced,
    Transfer,
    Transferred,
)


class SimulatedCrash(BaseException):
    """The process is dead: nothing after this reaches the disk."""


class FailingFiles:
    """Implements `interfaces.filesystem.FileSystem` by another one, up to some change.

    What changes something is counted, one for each file of a batch, and one of these fails before
    it does anything. So a test can go through all moments at which something can fail.

    Args:
        files: does what does not fail.
        fail_at: the number of the change that fails, from 0; None for none.
        failures: how many changes in a row fail.
        error: the system's error with which they fail.
        crash: whether it raises `SimulatedCrash` instead, and so does all that follows.

    Attributes:
        changes: how many there were.
    """

    def __init__(
        self,
        files: FileSystem,
        fail_at: int | None = None,
        *,
        failures: int = 1,
        error: int = EIO,
        crash: bool = False,
    ) -> None:
        self._files = files
        self._fail_at = fail_at
        self._failures = failures
        self._error = error
        self._crash = crash
        self.changes = 0

    def _change(self, path: str) -> None:
        number, self.changes = self.changes, self.changes + 1
        if self._fail_at is None or number < self._fail_at:
            return
        if self._crash:
            raise SimulatedCrash
        if number < self._fail_at + self._failures:
            raise StorageError(path, os.strerror(self._error), self._error)

    def _look(self) -> None:
        if self._crash and self._fail_at is not None and self.changes > self._fail_at:
            raise SimulatedCrash

    def root(self, directory: str) -> str:
        """See `interfaces.filesystem.FileSystem`."""
        return self._files.root(directory)

    async def load(self, path: str, most: int) -> bytes:
        """See `interfaces.filesystem.FileSystem`."""
        self._look()
        return await self._files.load(path, most)

    async def stat(self, root: str, path: str) -> FileStat | None:
        """See `interfaces.filesystem.FileSystem`."""
        self._look()
        return await self._files.stat(root, path)

    async def stat_many(self, root: str, paths: Sequence[str]) -> list[FileStat | None]:
        """See `interfaces.filesystem.FileSystem`."""
        self._look()
        return await self._files.stat_many(root, paths)

    async def sync(self, root: str, paths: Sequence[str]) -> list[Synced]:
        """See `interfaces.filesystem.FileSystem`."""
        self._change(root)
        return await self._files.sync(root, paths)

    async def list(self, root: str, path: str) -> list[str]:
        """See `interfaces.filesystem.FileSystem`."""
        self._look()
        return await self._files.list(root, path)

    async def identify(self, root: str) -> str | None:
        """See `interfaces.filesystem.FileSystem`."""
        self._look()
        return await self._files.identify(root)

    async def same_disk(self, root: str, other: str) -> bool:
        """See `interfaces.filesystem.FileSystem`."""
        self._look()
        return await self._files.same_disk(root, other)

    async def free_space(self, root: str) -> int:
        """See `interfaces.filesystem.FileSystem`."""
        self._look()
        return await self._files.free_space(root)

    async def close(self) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        await self._files.close()

    async def make_directory(self, root: str, path: str) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        self._change(path)
        await self._files.make_directory(root, path)

    async def allocate(self, root: str, path: str, length: int, allocation: Allocation) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        self._change(path)
        await self._files.allocate(root, path, length, allocation)

    async def truncate(self, root: str, path: str, length: int) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        self._change(path)
        await self._files.truncate(root, path, length)

    async def delete(self, root: str, path: str) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        self._change(path)
        await self._files.delete(root, path)

    async def transfer(
        self,
        root: str,
        to_root: str,
        transfers: Sequence[Transfer],
        done: MutableSequence[Transferred],
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        for transfer in transfers:
            self._change(transfer.path)
            await self._files.transfer(root, to_root, [transfer], done, progress)

    async def copy_ranges(self, root: str, source: str, copies: Sequence[RangeCopy]) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        for copy in copies:
            self._change(copy.to)
            await self._files.copy_ranges(root, source, [copy])

    async def delete_many(self, root: str, paths: Sequence[str]) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        await self._try_all(paths, lambda path: self._files.delete_many(root, [path]))

    async def remove_empty_directories(self, root: str, paths: Sequence[str]) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        await self._try_all(paths, lambda path: self._files.remove_empty_directories(root, [path]))

    async def _try_all(
        self, paths: Sequence[str], attempt: Callable[[str], Awaitable[None]]
    ) -> None:
        first: StorageError | None = None
        for path in paths:
            try:
                self._change(path)
                await attempt(path)
            except StorageError as error:
                first = first or error
        if first is not None:
            raise first
