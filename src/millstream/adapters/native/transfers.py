"""Files given another place: blocking, for worker threads.

Functions raise OSError, with the path in its `filename`. Nothing here ever replaces a
file: a name is given by a hard link, which fails if the name is taken, or where file systems have no
such links, after a look.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, MutableSequence, Sequence
from contextlib import suppress

from millstream.adapters.native.directories import Directories
from millstream.adapters.native.file_copying import COPY_STEP, copy_run, filled
from millstream.adapters.native.open_file import opened
from millstream.interfaces.filesystem import Transfer, Transferred

# What systems and file systems say that know no hard links, or not this one.
_NO_LINK = {errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


class StoppedError(Exception):
    """Nobody waits for the end any more."""


class Transferring:
    """One call of `FileSystem.transfer`.

    Args:
        root: where the files are.
        to_root: where they shall be.
        done: gets what became of each.
        moved: called with the number of bytes just copied or moved.

    Attributes:
        stopped: set from another thread to end it soon.
    """

    def __init__(
        self,
        root: str,
        to_root: str,
        done: MutableSequence[Transferred],
        moved: Callable[[int], None],
    ) -> None:
        self._root = root
        self._to_root = to_root
        self._done = done
        self._moved = moved
        self._directories = Directories()
        self.stopped = False

    def run(self, transfers: Sequence[Transfer]) -> None:
        """Transfer these; raises OSError, and StoppedError if stopped."""
        left: set[str] = set()
        for transfer in transfers:
            source = os.path.join(self._root, transfer.path)
            what = self._transfer(source, transfer)
            self._done.append(what)
            if what is Transferred.MOVED:
                left.add(os.path.dirname(source))
        self._directories.sync(left)

    def _transfer(self, source: str, transfer: Transfer) -> Transferred:
        if self.stopped:
            raise StoppedError
        try:
            found = os.lstat(source)
        except (FileNotFoundError, NotADirectoryError):
            return Transferred.ABSENT
        if stat.S_ISLNK(found.st_mode):
            raise OSError(errno.EINVAL, "is a symbolic link, which is not moved", source)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "is no regular file", source)
        target = os.path.join(self._to_root, transfer.to)
        self._directories.make(os.path.dirname(target))
        if _rename(source, target):
            self._moved(found.st_size)
            return Transferred.MOVED
        if os.path.lexists(target):
            raise _exists(target)
        via = os.path.join(self._to_root, transfer.via)
        with suppress(FileNotFoundError):
            os.unlink(via)
        try:
            self._copy(source, via, found)
            _rename(via, target)
        finally:
            with suppress(OSError):
                os.unlink(via)
        os.lstat(target)  # fails if, of all things, its own directory was another file system
        return Transferred.COPIED

    def _copy(self, source: str, via: str, found: os.stat_result) -> None:
        mode = stat.S_IMODE(found.st_mode)
        with (
            opened(source, os.O_RDONLY | _NO_FOLLOW) as reading,
            opened(via, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode) as writing,
        ):
            os.ftruncate(writing, found.st_size)
            told = 0
            for start, end in filled(reading, 0, found.st_size):
                for position in range(start, end, COPY_STEP):
                    if self.stopped:
                        raise StoppedError
                    step = min(COPY_STEP, end - position)
                    if copy_run(reading, position, writing, position, step) < step:
                        raise OSError(errno.EIO, "became shorter while it was copied", source)
                    self._moved(position + step - told)
                    told = position + step
            self._moved(found.st_size - told)
            # The time stays as well: by it a torrent's state knows the file again.
            os.utime(writing, ns=(found.st_atime_ns, found.st_mtime_ns))
            os.fsync(writing)


def _rename(source: str, target: str) -> bool:
    """Give a file another name that nothing has; False if that is on another file system."""
    try:
        os.link(source, target)
    except FileExistsError:
        return _meet(source, target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            return False
        if error.errno not in _NO_LINK:
            raise
        if os.path.lexists(target):
            return _meet(source, target)
        return _rename_over(source, target)
    try:
        os.unlink(source)
    except OSError:
        with suppress(OSError):
            os.unlink(target)
        raise
    return True


def _meet(source: str, target: str) -> bool:
    """The new name is taken: fine if it is by the file itself."""
    if not os.path.samestat(os.lstat(source), os.lstat(target)):
        raise _exists(target)
    before, after = os.path.dirname(source), os.path.dirname(target)
    if not os.path.samefile(before, after):
        os.unlink(source)  # two links of one file: a crash came between making and removing them
    elif os.path.basename(source) != os.path.basename(target):
        if os.path.basename(target) in os.listdir(after):
            os.unlink(source)
        else:
            return _rename_over(source, target)  # one entry: the names differ by case only
    return True


def _rename_over(source: str, target: str) -> bool:
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            return False
        raise
    return True


def _exists(path: str) -> OSError:
    return FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
