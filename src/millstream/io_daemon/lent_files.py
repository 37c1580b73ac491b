"""What is done with files in lent directories: blocking, for worker threads.

A path is taken apart (`relative_path`), and then walked part by part from its root (`directory`), so
that whatever is done is done below that root. Methods raise OSError with `token/path` as its
`filename`, PathRefusedError and UnknownRootError.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from contextlib import ExitStack, contextmanager, suppress

from millstream.adapters.native.directories import existing, identify
from millstream.adapters.native.file_copying import copy_ranges
from millstream.adapters.native.transfers import Transferring
from millstream.interfaces.disk import Allocation
from millstream.interfaces.filesystem import FileStat, RangeCopy, Transfer, Transferred
from millstream.io_daemon.directory import Directory
from millstream.io_daemon.lent_roots import LentRoots
from millstream.io_daemon.relative_path import PathRefusedError, path_parts

# Files that are given another place in one go; each needs up to three descriptors meanwhile, and
# a process often has 1,024.
MAX_TRANSFERS = 16

# Directories within directories that one delete descends into; each needs a descriptor.
MAX_DEPTH = 128

# A path at which nothing is.
_NOWHERE = "/nothing/at/all"

_NOTHING_THERE = {errno.ENOENT, errno.ENOTDIR}
_NOT_EMPTY = {errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY}


class LentFiles:
    """Files by the token of their root and a relative path.

    Args:
        roots: what is lent.
    """

    def __init__(self, roots: LentRoots) -> None:
        self._roots = roots

    def open(self, token: str, path: str, flags: int) -> int:
        """A descriptor of a regular file; with O_CREAT, it and its parents are made."""
        create = bool(flags & os.O_CREAT)
        with self._parent(token, path, create=create) as (held, name), _named(token, path):
            return held.open(name, flags)

    def look(self, token: str, path: str) -> os.stat_result:
        """All that the system knows of a file."""
        with self._parent(token, path) as (held, name), _named(token, path):
            return held.stat(name)

    def stat(self, token: str, path: str) -> FileStat | None:
        """See `interfaces.filesystem.FileSystem`; a symbolic link is an error."""
        try:
            if not path:
                with self._directory(token, path) as held:
                    return _describe(os.stat(held.path))
            return _describe(self.look(token, path))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def sync(self, token: str, path: str) -> FileStat | None:
        """See `interfaces.filesystem.FileSystem`, of one file."""
        try:
            with self.opened(token, path, os.O_RDONLY) as descriptor:
                os.fsync(descriptor)
                return _describe(os.fstat(descriptor))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def list(self, token: str, path: str) -> list[str]:
        """See `interfaces.filesystem.FileSystem`. Names without UTF-8 are left out."""
        with self._directory(token, path) as held, _named(token, path):
            return sorted(name for name in held.names() if _is_text(name))

    def make_directory(self, token: str, path: str) -> None:
        """See `interfaces.filesystem.FileSystem`. A root that is not there is made, too."""
        if not path:
            with _named(token, path):
                os.makedirs(self._roots.get(token).path, exist_ok=True)
        with self._directory(token, path, create=True):
            pass

    def allocate(self, token: str, path: str, length: int, allocation: Allocation) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        with self.opened(token, path, os.O_RDWR | os.O_CREAT) as descriptor:
            if os.fstat(descriptor).st_size != length:
                os.ftruncate(descriptor, length)
            if allocation is Allocation.FULL and length:
                os.posix_fallocate(descriptor, 0, length)

    def truncate(self, token: str, path: str, length: int) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        with self.opened(token, path, os.O_RDWR) as descriptor:
            os.ftruncate(descriptor, length)

    def delete(self, token: str, path: str, *, recursive: bool = False) -> None:
        """Remove a file or an empty directory, or with all that is in it; nothing there is fine."""
        try:
            with self._parent(token, path) as (held, name), _named(token, path):
                _delete(held, name, MAX_DEPTH if recursive else 0)
        except (FileNotFoundError, NotADirectoryError):
            return

    def delete_many(self, token: str, paths: Sequence[str]) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        self._try_all(token, paths, lambda held, name: held.unlink(name), _NOTHING_THERE)

    def remove_empty_directories(self, token: str, paths: Sequence[str]) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        fine = _NOTHING_THERE | _NOT_EMPTY
        self._try_all(token, paths, lambda held, name: held.rmdir(name), fine)

    def copy_ranges(self, token: str, source: str, copies: Sequence[RangeCopy]) -> None:
        """See `interfaces.filesystem.FileSystem`."""
        with ExitStack() as stack:
            reading = _NOWHERE
            with suppress(FileNotFoundError, NotADirectoryError):
                reading = stack.enter_context(self._reachable(token, source, os.O_RDONLY))
            for copy in copies:
                flags = os.O_RDWR | os.O_CREAT
                with self._reachable(token, copy.to, flags) as target, _named(token, copy.to):
                    copy_ranges("/", reading, [copy._replace(to=target)])

    def transfer(
        self,
        token: str,
        to_token: str,
        transfers: Sequence[Transfer],
        done: MutableSequence[Transferred],
        moved: Callable[[int], None],
        started: Callable[[Transferring], None],
    ) -> None:
        """See `interfaces.filesystem.FileSystem`.

        Args:
            token: of the root where the files are.
            to_token: of the root where they shall be.
            transfers: which.
            done: gets what became of each.
            moved: called with the number of bytes just copied or moved.
            started: gets what can be stopped; several times.

        Raises:
            StoppedError: it was stopped.
        """
        for at in range(0, len(transfers), MAX_TRANSFERS):
            self._transfer(
                token, to_token, transfers[at : at + MAX_TRANSFERS], done, moved, started
            )

    def free_space(self, token: str, path: str = "") -> int:
        """See `interfaces.filesystem.FileSystem`; of a directory below the root."""
        with self._nearest(token, path) as directory, _named(token, path):
            return shutil.disk_usage(directory).free

    def same_disk(self, token: str, path: str, other: str, other_path: str) -> bool:
        """See `interfaces.filesystem.FileSystem`; of directories below two roots."""
        with self._nearest(token, path) as one, self._nearest(other, other_path) as another:
            return os.stat(one).st_dev == os.stat(another).st_dev

    def identify(self, token: str, path: str = "") -> str | None:
        """See `interfaces.filesystem.FileSystem`; of a directory below the root."""
        if not path:
            with _named(token, ""):
                return identify(self._roots.get(token).path)
        try:
            with self._directory(token, path) as held:
                return identify(held.path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    @contextmanager
    def opened(self, token: str, path: str, flags: int) -> Iterator[int]:
        """`open`, for a block; what fails in it is told with the file's name."""
        descriptor = self.open(token, path, flags)
        try:
            with _named(token, path):
                yield descriptor
        finally:
            os.close(descriptor)

    # Ways.

    @contextmanager
    def _directory(self, token: str, path: str, *, create: bool = False) -> Iterator[Directory]:
        """The directory of a path."""
        parts = path_parts(path)
        with _named(token, path):
            held = self._walk(token, parts, create=create)
        with held:
            yield held

    @contextmanager
    def _parent(
        self, token: str, path: str, *, create: bool = False
    ) -> Iterator[tuple[Directory, str]]:
        """The directory that has a path's last part, and that part."""
        parts = path_parts(path)
        if not parts:
            raise PathRefusedError("the root itself is no file")
        with _named(token, path):
            held = self._walk(token, parts[:-1], create=create)
        with held:
            yield held, parts[-1]

    @contextmanager
    def _nearest(self, token: str, path: str) -> Iterator[str]:
        """A path to a directory below a root, or to the nearest one above that is there."""
        parts = path_parts(path)
        held: Directory | None = None
        while held is None:
            try:
                with _named(token, path):
                    held = self._walk(token, parts, create=False)
            except (FileNotFoundError, NotADirectoryError):
                if not parts:
                    yield existing(self._roots.get(token).path)
                    return
                parts = parts[:-1]
        with held:
            yield held.path

    def _walk(self, token: str, parts: Sequence[str], *, create: bool) -> Directory:
        held = self._roots.open(token)
        for part in parts:
            with held:
                held = held.enter(part, create=create)
        return held

    @contextmanager
    def _reachable(self, token: str, path: str, flags: int) -> Iterator[str]:
        """A path to an open file, between which and it no link can come."""
        create = bool(flags & os.O_CREAT)
        with self._parent(token, path, create=create) as (held, name):
            with _named(token, path):
                descriptor = held.open(name, flags)
            try:
                yield held.path_of(descriptor, name)
            finally:
                os.close(descriptor)

    def _transfer(
        self,
        token: str,
        to_token: str,
        transfers: Sequence[Transfer],
        done: MutableSequence[Transferred],
        moved: Callable[[int], None],
        started: Callable[[Transferring], None],
    ) -> None:
        with ExitStack() as stack:
            work = Transferring("/", "/", done, moved)
            started(work)
            names: dict[str, str] = {}
            placed: list[Transfer] = []
            failure: OSError | None = None
            for path, to, via in transfers:
                try:
                    held, name = stack.enter_context(self._parent(token, path))
                    source = os.path.join(held.path, name)
                    os.lstat(source)
                except (FileNotFoundError, NotADirectoryError):
                    # Nothing is made for what is not there.
                    placed.append(Transfer(*[_NOWHERE] * 3))
                    continue
                names[source] = f"{token}/{path}"
                try:
                    into = [self._target(stack, to_token, each, names) for each in (to, via)]
                except OSError as error:
                    failure = error  # those before come first
                    break
                placed.append(Transfer(source, *into))
            try:
                work.run(placed)
            except OSError as error:
                error.filename, error.filename2 = names.get(error.filename, token), None
                raise
            if failure is not None:
                raise failure

    def _target(self, stack: ExitStack, token: str, path: str, names: dict[str, str]) -> str:
        """A path to a place whose directory is held by the stack."""
        try:
            held, name = stack.enter_context(self._parent(token, path, create=True))
        except NotADirectoryError as error:
            error.filename = f"{token}/{path.rpartition('/')[0]}"
            raise
        reachable = os.path.join(held.path, name)
        names[reachable] = f"{token}/{path}"
        return reachable

    def _try_all(
        self,
        token: str,
        paths: Sequence[str],
        attempt: Callable[[Directory, str], None],
        fine: set[int],
    ) -> None:
        first: OSError | None = None
        for path in paths:
            try:
                with self._parent(token, path) as (held, name), _named(token, path):
                    attempt(held, name)
            except OSError as error:
                if error.errno not in fine:
                    first = first or error
        if first is not None:
            raise first


@contextmanager
def _named(token: str, path: str) -> Iterator[None]:
    """Whatever fails within is told with the client's name for it, and with no other."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = (f"{token}/{path}" if path else token), None
        raise


def _describe(found: os.stat_result) -> FileStat:
    return FileStat(found.st_size, found.st_mtime, stat.S_ISDIR(found.st_mode))


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _delete(directory: Directory, name: str, depth: int) -> None:
    try:
        found = directory.stat(name)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        directory.unlink(name)  # the link itself
        return
    if not stat.S_ISDIR(found.st_mode):
        directory.unlink(name)
        return
    if depth:
        with directory.enter(name) as held:
            for each in held.names():
                _delete(held, each, depth - 1)
    directory.rmdir(name)
