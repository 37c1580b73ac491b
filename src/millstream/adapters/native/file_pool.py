"""Open file descriptors, kept and bounded, shared by the disk's threads."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Self

from millstream.adapters.native.page_cache import CachedReader

_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


# Seconds for which a file that is written to is believed to be the one at its path.
SIGHT_INTERVAL = 1.0


class OpenFile:
    """A file in the pool.

    Attributes:
        descriptor: for positional reads and writes.
        cached: reads of it that need no disk.
        write_lock: the kernel lets one writer into a file at a time and others spin at the door;
            whoever writes takes this first and sleeps instead.
    """

    __slots__ = (
        "cached",
        "descriptor",
        "doomed",
        "pool",
        "seen_at",
        "size",
        "users",
        "writable",
        "write_lock",
    )

    def __init__(self, pool: FilePool, descriptor: int, *, writable: bool) -> None:
        self.pool = pool
        self.descriptor = descriptor
        self.write_lock = threading.Lock()
        self.cached = CachedReader(descriptor)
        self.writable = writable
        self.users = 0
        self.seen_at = time.monotonic()
        self.size = os.fstat(descriptor).st_size if writable else 0
        self.doomed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.pool.done(self)


class FilePool:
    """Descriptors by path, least recently used closed first; one in use is never closed.

    Args:
        capacity: how many stay open while nobody uses them.
        open_file: gives the descriptor of a path, with whether it is for writing; raises OSError.
        stat_file: describes what is at a path; raises OSError.
    """

    def __init__(
        self,
        capacity: int,
        open_file: Callable[[str, bool], int] | None = None,
        stat_file: Callable[[str], os.stat_result] = os.stat,
    ) -> None:
        self._capacity = capacity
        self._open_file = open_file or _open
        self.stat = stat_file
        self._files: OrderedDict[str, OpenFile] = OrderedDict()
        self._lock = threading.Lock()

    def use(self, path: str, *, write: bool) -> OpenFile:
        """A file for positional reads, and for writes if asked; raises OSError.

        Use it in a `with` statement: it counts as used until the end of that. For writing, the
        file and its parent directories are created where missing.
        """
        with self._lock:
            file = self._files.get(path)
            if file is not None and (file.writable or not write):
                self._files.move_to_end(path)
                file.users += 1
                return file
        fresh = OpenFile(self, self._open_file(path, write), writable=write)
        with self._lock:
            fresh.users = 1
            self._doom(self._files.pop(path, None))
            self._files[path] = fresh
            while len(self._files) > self._capacity:
                self._doom(self._files.popitem(last=False)[1])
        return fresh

    def __contains__(self, path: str) -> bool:
        return path in self._files

    def see(self, file: OpenFile, path: str) -> None:
        """See, now and then, that an open file is still the one at its path, and did not shrink.

        One that was deleted, replaced or unmounted takes bytes that nobody finds again; of one that
        was cut, bytes are gone that were verified. Raises FileNotFoundError.
        """
        now = time.monotonic()
        try:
            opened = os.fstat(file.descriptor)
            # Each time: the next write may make the file as long as before, with a hole in it.
            if opened.st_size < file.size:
                raise FileNotFoundError(errno.ENOENT, "it was cut")
            if now >= file.seen_at + SIGHT_INTERVAL:
                if not os.path.samestat(self.stat(path), opened):
                    raise FileNotFoundError(errno.ENOENT, "another file is at its place")
                file.seen_at = now
        except OSError:
            self.release(path)
            raise
        file.size = opened.st_size

    def done(self, file: OpenFile) -> None:
        """One user less."""
        with self._lock:
            file.users -= 1
            if file.doomed and not file.users:
                os.close(file.descriptor)

    def release(self, path: str) -> None:
        """Close the file's descriptor as soon as nobody uses it."""
        with self._lock:
            self._doom(self._files.pop(path, None))

    def close(self) -> None:
        """Close all, as soon as nobody uses them."""
        with self._lock:
            while self._files:
                self._doom(self._files.popitem()[1])

    def _doom(self, file: OpenFile | None) -> None:
        if file is not None:
            file.doomed = True
            if not file.users:
                os.close(file.descriptor)


def _open(path: str, write: bool) -> int:
    if not write:
        return os.open(path, os.O_RDONLY | _FLAGS)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o666)
