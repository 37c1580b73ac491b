"""The cold paths of a disk: everything that is not torrent data in flight."""

from __future__ import annotations

import enum
from collections.abc import Callable, MutableSequence, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from millstream.errors import StorageError
from millstream.interfaces.disk import Allocation


class FileStat(NamedTuple):
    """What is known of a path: bytes, seconds since the epoch, and its kind."""

    size: int
    mtime: float
    is_directory: bool


Synced: TypeAlias = FileStat | StorageError | None
"""A file after `FileSystem.sync`; None if it does not exist, StorageError if that failed."""


class Transfer(NamedTuple):
    """A file that is to have another place.

    Attributes:
        path: where it is, below the one root.
        to: where it shall be, below the other root.
        via: beside `to`: where a copy lies until it is whole; what is there is replaced.
    """

    path: str
    to: str
    via: str


class Transferred(enum.Enum):
    """What became of a `Transfer`.

    ABSENT: there was no file; MOVED: it is at the new place and no longer at the old one; COPIED:
    it is at both, as the roots are on different file systems.
    """

    ABSENT = "absent"
    MOVED = "moved"
    COPIED = "copied"


class RangeCopy(NamedTuple):
    """Runs of bytes that are to be copied out of one file into another.

    Attributes:
        to: the file they go to; it and its parents are created where missing.
        length: how long that file is at least afterwards.
        ranges: (offset in the source, offset in the target, length) of each run.
    """

    to: str
    length: int
    ranges: tuple[tuple[int, int, int], ...]


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

    async def sync(self, root: str, paths: Sequence[str]) -> list[Synced]:
        """Wait until all that was written to these files so far would survive a power cut.

        Each is tried. What could not be written is lost, and systems tell of that only once: to
        ask again is no way to find out.

        Returns:
            What each file was right after that; None for one that does not exist; why for one that
            failed.
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

    async def delete(self, root: str, path: str) -> None:
        """Remove a file or an empty directory; nothing there is fine."""

    async def transfer(
        self,
        root: str,
        to_root: str,
        transfers: Sequence[Transfer],
        done: MutableSequence[Transferred],
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Give regular files another place, one after another, safe from a power cut at the end.

        A file is renamed where that is possible, and else copied, holes and time of modification
        included; a copy gets its name when it is whole and on the medium. Whatever has the new name
        already is never replaced. Parents are created. At the first failure the rest is not tried;
        if cancelled, it stops soon and has stopped on return.

        Args:
            root: where the files are.
            to_root: where they shall be; the same root for other names in it.
            transfers: which, in this order.
            done: gets what became of each of them, also of those before a failure.
            progress: called in the loop's thread with the number of bytes that were copied or
                moved since the last call.

        Raises:
            StorageError: as every method; EEXIST for a name that is taken, EINVAL for what is
                neither a regular file nor nothing, such as a symbolic link.
        """

    async def copy_ranges(self, root: str, source: str, copies: Sequence[RangeCopy]) -> None:
        """Copy runs of one file into others within the root, safe from a power cut at the end.

        What the source does not have, be it short, sparse or missing, stays as it is in the target.
        """

    async def delete_many(self, root: str, paths: Sequence[str]) -> None:
        """Remove files, or symbolic links themselves; nothing there is fine.

        All are tried before the first failure is raised; a directory is one.
        """

    async def remove_empty_directories(self, root: str, paths: Sequence[str]) -> None:
        """Remove those of these directories that are empty, in this order; others stay.

        What is not there, or is no directory, is fine. All are tried before the first failure is
        raised.
        """

    async def identify(self, root: str) -> str | None:
        """What tells the root's directory from every other one, as long as it is the same disk.

        None if it is not there, or is no directory. When a disk is not mounted, its place is
        another directory, or none.
        """

    async def same_disk(self, root: str, other: str) -> bool:
        """Whether files can get from one root to the other without being copied, as a rule."""

    async def free_space(self, root: str) -> int:
        """Bytes that can still be written under the root."""

    async def close(self) -> None:
        """Free what is kept between calls, such as threads. The next call begins anew."""
