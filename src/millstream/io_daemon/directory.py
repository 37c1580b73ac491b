"""A directory that is held, and its entries by their names alone: what a path is walked with.

By descriptors (`openat` and its like), where the system has them and `/proc`: a symbolic link is never
followed, and whoever swaps a directory for one meanwhile comes too late. Elsewhere by paths that are
looked at before they are used, which leaves a moment between the two.

All methods block, for worker threads, and raise OSError.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

_COMMON_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
# A pipe with nobody at its other end is not waited for.
_FILE_FLAGS = _COMMON_FLAGS | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_DIRECTORY_FLAGS = (
    _COMMON_FLAGS | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_DIRECTORY", 0) | os.O_RDONLY
)

HAS_DESCRIPTORS = (
    hasattr(os, "O_NOFOLLOW") and os.open in os.supports_dir_fd and os.path.isdir("/proc/self/fd")
)


class Directory(Protocol):
    """What is done with a directory; names are parts of paths (`relative_path`)."""

    @property
    def path(self) -> str:
        """A path by which it is reached, for functions that know nothing else."""

    def path_of(self, descriptor: int, name: str) -> str:
        """A path by which an open file in it is reached."""

    def enter(self, name: str, *, create: bool = False) -> Directory:
        """A directory within, made if asked for."""

    def open(self, name: str, flags: int) -> int:
        """A descriptor of a regular file; O_CREAT makes it."""

    def stat(self, name: str) -> os.stat_result:
        """Describe an entry; a symbolic link is an error."""

    def names(self) -> list[str]:
        """Its entries."""

    def unlink(self, name: str) -> None:
        """Remove what is no directory; a symbolic link itself."""

    def rmdir(self, name: str) -> None:
        """Remove an empty directory."""

    def close(self) -> None:
        """Let it go."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class _Held:
    """What both kinds have in common."""

    def close(self) -> None:
        """Let it go."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class OpenDirectory(_Held):
    """By a descriptor.

    Args:
        descriptor: of the directory; closed with this.
    """

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def at(cls, path: str) -> OpenDirectory:
        """The directory of a path as the owner of this machine names it, links and all."""
        return cls(os.open(path, _COMMON_FLAGS | getattr(os, "O_DIRECTORY", 0) | os.O_RDONLY))

    @property
    def path(self) -> str:
        """See `Directory`; good for as long as this is open."""
        return f"/proc/self/fd/{self.descriptor}"

    def path_of(self, descriptor: int, name: str) -> str:
        """See `Directory`; good for as long as the file is open."""
        return f"/proc/self/fd/{descriptor}"

    def enter(self, name: str, *, create: bool = False) -> OpenDirectory:
        """See `Directory`."""
        try:
            return OpenDirectory(self._open(name, _DIRECTORY_FLAGS))
        except FileNotFoundError:
            if not create:
                raise
        with suppress(FileExistsError):  # somebody was faster
            os.mkdir(name, dir_fd=self.descriptor)
        return OpenDirectory(self._open(name, _DIRECTORY_FLAGS))

    def open(self, name: str, flags: int) -> int:
        """See `Directory`."""
        return regular(self._open(name, flags | _FILE_FLAGS), name)

    def stat(self, name: str) -> os.stat_result:
        """See `Directory`."""
        found = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        return no_link(found, name)

    def names(self) -> list[str]:
        """See `Directory`."""
        return os.listdir(self.descriptor)

    def unlink(self, name: str) -> None:
        """See `Directory`."""
        os.unlink(name, dir_fd=self.descriptor)

    def rmdir(self, name: str) -> None:
        """See `Directory`."""
        os.rmdir(name, dir_fd=self.descriptor)

    def close(self) -> None:
        """See `Directory`."""
        os.close(self.descriptor)

    def _open(self, name: str, flags: int) -> int:
        try:
            return os.open(name, flags, 0o666, dir_fd=self.descriptor)
        except OSError as error:
            # What a system says of a link that it is not to follow: one or the other.
            if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.EMLINK}:
                self.stat(name)
            raise


class CheckedDirectory(_Held):
    """By a path without symbolic links.

    Args:
        path: of the directory.
    """

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    @classmethod
    def at(cls, path: str) -> CheckedDirectory:
        """The directory of a path as the owner of this machine names it, links and all."""
        real = os.path.realpath(path)
        if not stat.S_ISDIR(os.stat(real).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        return cls(real)

    def path_of(self, descriptor: int, name: str) -> str:
        """See `Directory`."""
        return os.path.join(self.path, name)

    def enter(self, name: str, *, create: bool = False) -> CheckedDirectory:
        """See `Directory`."""
        try:
            found = self.stat(name)
        except FileNotFoundError:
            if not create:
                raise
            os.mkdir(self._checked(name))
            found = self.stat(name)
        if not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
        return CheckedDirectory(self._checked(name))

    def open(self, name: str, flags: int) -> int:
        """See `Directory`."""
        return regular(os.open(self._checked(name), flags | _FILE_FLAGS, 0o666), name)

    def stat(self, name: str) -> os.stat_result:
        """See `Directory`."""
        return no_link(os.lstat(os.path.join(self.path, name)), name)

    def names(self) -> list[str]:
        """See `Directory`."""
        return os.listdir(self.path)

    def unlink(self, name: str) -> None:
        """See `Directory`."""
        os.unlink(os.path.join(self.path, name))

    def rmdir(self, name: str) -> None:
        """See `Directory`."""
        os.rmdir(self._checked(name))

    def _checked(self, name: str) -> str:
        """The path of an entry, which is no way to anywhere else. There may be no such entry."""
        path = os.path.join(self.path, name)
        if os.path.islink(path) or os.path.dirname(os.path.realpath(path)) != self.path:
            raise _link(name)
        return path


def regular(descriptor: int, name: str) -> int:
    """The descriptor, if it is of a regular file; else it is closed."""
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    raise OSError(errno.EINVAL, "is no regular file", name)


def no_link(found: os.stat_result, name: str) -> os.stat_result:
    """What was found, if it is no symbolic link."""
    if stat.S_ISLNK(found.st_mode):
        raise _link(name)
    return found


def _link(name: str) -> OSError:
    return OSError(errno.ELOOP, "is a symbolic link; those are not followed", name)
