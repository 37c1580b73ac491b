"""Reading what is in memory already, without ever waiting for a disk."""

from __future__ import annotations

import errno
import os

# Absent outside Linux; then nothing is read at once.
_NOWAIT: int | None = getattr(os, "RWF_NOWAIT", None)
_MOUNTS = "/proc/self/mountinfo"
_IN_MEMORY = {"tmpfs", "ramfs"}


class CachedReader:
    """Reads of one open file that are done at once or not at all.

    Args:
        descriptor: of the file.
    """

    __slots__ = ("_descriptor", "_flags")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._flags = _NOWAIT

    def read(self, into: memoryview, offset: int) -> bool:
        """Fill the buffer from the page cache; False if it cannot be filled without waiting."""
        if self._flags is None:
            return False
        try:
            return os.preadv(self._descriptor, [into], offset, self._flags) == len(into)
        except BlockingIOError:  # it has to come from the disk
            return False
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:
                # Those that are memory themselves do not say so, but never wait either.
                self._flags = 0 if _is_in_memory(self._descriptor) else None
            return False  # whoever reads it in the usual way reports any other error


def _is_in_memory(descriptor: int) -> bool:
    device = os.fstat(descriptor).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open(_MOUNTS, encoding="utf-8", errors="replace") as file:
            mounts = file.read().splitlines()
    except OSError:
        return False
    for mount in mounts:
        place, _, source = mount.partition(" - ")
        if place.split(" ")[2] == wanted:
            return source.split(" ")[0] in _IN_MEMORY
    return False
