"""Directories made, flushed, removed and told apart: blocking, for worker threads.

Functions raise OSError, with the path in its `filename`.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Sequence

from millstream.adapters.native.open_file import opened


class Directories:
    """Directories that files get into: made if missing, and flushed once, at the end."""

    def __init__(self) -> None:
        self._there: set[str] = set()
        self._changed: set[str] = set()

    def make(self, directory: str) -> None:
        """Make a directory and its parents, where missing."""
        if directory in self._there:
            return
        try:
            os.mkdir(directory)
        except FileExistsError:
            if not os.path.isdir(directory):
                raise NotADirectoryError(
                    errno.ENOTDIR, os.strerror(errno.ENOTDIR), directory
                ) from None
        except FileNotFoundError:
            parent = os.path.dirname(directory)
            if parent == directory:
                raise
            self.make(parent)
            os.mkdir(directory)
            self._changed.add(parent)
        else:
            self._changed.add(os.path.dirname(directory))
        self._there.add(directory)
        self._changed.add(directory)

    def sync(self, others: Iterable[str] = ()) -> None:
        """Let the names in all these directories survive a power cut."""
        for directory in self._changed.union(others):
            sync_directory(directory)


def sync_directory(directory: str) -> None:
    """Let the names in a directory survive a power cut, where the system can do that."""
    try:
        with opened(directory, os.O_RDONLY) as descriptor:
            os.fsync(descriptor)
    except OSError as error:
        if error.errno == errno.EIO:
            raise


def delete_files(root: str, paths: Sequence[str]) -> None:
    """See `interfaces.filesystem.FileSystem.delete_many`."""
    _try_all(root, paths, os.unlink, {errno.ENOENT, errno.ENOTDIR})


def remove_empty_directories(root: str, paths: Sequence[str]) -> None:
    """See `interfaces.filesystem.FileSystem`."""
    stays = {errno.ENOENT, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY}
    _try_all(root, paths, os.rmdir, stays)


def identify(root: str) -> str | None:
    """See `interfaces.filesystem.FileSystem`."""
    try:
        found = os.stat(root)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return f"{found.st_dev:x}:{found.st_ino:x}" if stat.S_ISDIR(found.st_mode) else None


def existing(path: str) -> str:
    """The path, or the nearest directory above it that exists."""
    while not os.path.exists(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return path


def free_space(root: str) -> int:
    """See `interfaces.filesystem.FileSystem`."""
    # Not `shutil.disk_usage`, which says the same: with it come four modules of compression.
    disk = os.statvfs(existing(root))
    return disk.f_bavail * disk.f_frsize


def _try_all(
    root: str, paths: Sequence[str], attempt: Callable[[str], None], fine: set[int]
) -> None:
    first: OSError | None = None
    for path in paths:
        try:
            attempt(os.path.join(root, path))
        except OSError as error:
            if error.errno not in fine:
                first = first or error
    if first is not None:
        raise first
