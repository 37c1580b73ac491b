"""The cold paths of a disk: everything that is not torrent data in flight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from millstream.interfaces.disk import Allocation


class FileStat(NamedTuple):
    """What is known of a path: bytes, seconds since the epoch, and its kind."""

    size: int
    mtime: float
    is_directory: bool


class FileSystem(Protocol):
    """Files by root and relative path (`/` between parts, made by `storage.layout`).

    A `root` names a directory as the platform knows it; native: its absolute path. Every method
    raises StorageError with the full path and the cause.
    """

    def root(self, directory: str) -> str:
        """The root for a directory as a user names it; stays right if the process moves."""

    async def load(self, path: str, most: int) -> bytes:
        """The first `most` bytes of a file as a user names it, such as a .torrent."""

    async def stat(self, root: str, path: str) -> FileStat | None:
        """Describe a path; None if there is nothing."""

    async def stat_many(self, root: str, paths: Sequence[str]) -> list[FileStat | None]:
        """Describe many paths in one go, as `stat` does each."""

    async def sync(self, root: str, paths: Sequence[str]) -> list[FileStat | None]:
        """Wait until all that was written to these files so far would survive a power cut.

        Returns:
            What each file was right after that; None for one that does not exist.
        """

    async def list(self, root: str, path: str) -> list[str]:
        """Name the entries of a directory, sorted."""

    async def make_directory(self, root: str, path: str) -> None:
        """Create a directory and its parents (`""`: the root itself); existing ones are fine."""

    async def allocate(self, root: str, path: str, length: int, allocation: Allocation) -> None:
        """Make the file `length` bytes long, creating it and its parents; what is in it stays.

        A longer file is cut. FULL takes the room now, so that a full disk shows at once.
        """

    async def truncate(self, root: str, path: str, length: int) -> None:
        """Set the length of an existing file."""

    async def rename(self, root: str, path: str, to: str) -> None:
        """Move within the root, creating the parents of `to`."""

    async def delete(self, root: str, path: str) -> None:
        """Remove a file or an empty directory; nothing there is fine."""

    async def free_space(self, root: str) -> int:
        """Bytes that can still be written under the root."""
