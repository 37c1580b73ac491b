"""Files in memory, with a capacity and with faults on demand."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from dataclasses import dataclass, field

from millstream.errors import StorageError
from millstream.interfaces.disk import Allocation
from millstream.interfaces.filesystem import FileStat, RangeCopy, Synced, Transfer, Transferred

# Room is taken in pages, as on a disk: a hole in a sparse file takes none.
PAGE_LENGTH = 4096

UNLIMITED_SPACE = 1 << 40  # what free_space says without a capacity: 1 TiB


@dataclass(slots=True, eq=False)
class _File:
    mtime: float
    data: bytearray = field(default_factory=bytearray)
    pages: bytearray = field(default_factory=bytearray)  # 1 for every page that takes room


@dataclass(slots=True, eq=False)
class _Directory:
    mtime: float
    number: int  # no other has it, ever
    entries: dict[str, _File | _Directory] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Fault:
    errno: int
    reads: bool
    writes: bool


class MemoryFileSystem:
    """Implements `interfaces.filesystem.FileSystem`; one disk for all roots.

    A file's time of modification counts the changes to this file system: a later change always has
    a later time, in every run the same.

    Args:
        capacity: bytes the disk holds, taken in pages of 4 KiB; None: no limit. Without room a
            write fails with ENOSPC and changes nothing. May be changed at any time.
    """

    def __init__(self, capacity: int | None = None) -> None:
        self.capacity = capacity
        self._used = 0
        self._changes = 0
        self._roots: dict[str, _Directory] = {}
        self._unmounted: dict[str, _Directory] = {}
        self._apart: set[str] = set()
        self._faults: dict[str | None, _Fault] = {}

    # interfaces.filesystem.FileSystem

    def root(self, directory: str) -> str:
        """The directory as it is named: memory has nowhere to move to."""
        return directory

    async def load(self, path: str, most: int) -> bytes:
        """The first bytes of a file, named by its root, `/` and its path; by its path in root `""`."""
        for root in self._roots:
            below = path.removeprefix(f"{root}/" if root else "")
            content = self.read_file(root, below) if below != path or not root else None
            if content is not None:
                self._check(root, below, writing=False)
                return content[:most]
        raise _error("", path, errno.ENOENT)

    async def stat(self, root: str, path: str) -> FileStat | None:
        """Describe a path; None if there is nothing."""
        self._check(root, path, writing=False)
        try:
            node = self._find(root, path)
        except StorageError:
            return None  # below a file there is nothing
        if node is None:
            return None
        size = len(node.data) if isinstance(node, _File) else 0
        return FileStat(size, node.mtime, isinstance(node, _Directory))

    async def stat_many(self, root: str, paths: Sequence[str]) -> list[FileStat | None]:
        """Describe many paths."""
        return [await self.stat(root, path) for path in paths]

    async def sync(self, root: str, paths: Sequence[str]) -> list[Synced]:
        """Describe many paths: what is in memory is as safe as it will ever be."""
        found: list[Synced] = []
        for path in paths:
            try:
                self._check(root, path, writing=True)
                found.append(await self.stat(root, path))
            except StorageError as error:
                found.append(error)
        return found

    async def list(self, root: str, path: str) -> list[str]:
        """Name the entries of a directory, sorted."""
        self._check(root, path, writing=False)
        node = self._find(root, path)
        if node is None:
            raise _error(root, path, errno.ENOENT)
        if isinstance(node, _File):
            raise _error(root, path, errno.ENOTDIR)
        return sorted(node.entries)

    async def make_directory(self, root: str, path: str) -> None:
        """Create a directory and its parents."""
        self._check(root, path, writing=True)
        self._make_directory(root, _split(path))

    async def allocate(self, root: str, path: str, length: int, allocation: Allocation) -> None:
        """Give the file its length, creating it and its parents."""
        self._check(root, path, writing=True)
        file = self._open(root, path, create=True)
        if allocation is Allocation.FULL:
            self._take_room(root, path, file, 0, length)
        self._resize(file, length)

    async def truncate(self, root: str, path: str, length: int) -> None:
        """Set the length of an existing file."""
        self._check(root, path, writing=True)
        self._resize(self._open(root, path, create=False), length)

    async def delete(self, root: str, path: str) -> None:
        """Remove a file or an empty directory."""
        self._check(root, path, writing=True)
        node = self._find(root, path)
        if node is None:
            return
        if isinstance(node, _Directory) and node.entries:
            raise _error(root, path, errno.ENOTEMPTY)
        if isinstance(node, _File):
            self._free(node)
        if not path:
            del self._roots[root]
            return
        *parents, name = _split(path)
        del self._make_directory(root, parents).entries[name]

    async def transfer(
        self,
        root: str,
        to_root: str,
        transfers: Sequence[Transfer],
        done: MutableSequence[Transferred],
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Rename files that nothing is in the way of; copy them to and from a root set apart."""
        for transfer in transfers:
            self._check(root, transfer.path, writing=True)
            self._check(to_root, transfer.to, writing=True)
            found = await self.stat(root, transfer.path)
            if found is None:
                done.append(Transferred.ABSENT)
                continue
            if found.is_directory:
                raise _error(root, transfer.path, errno.EINVAL)
            if (root, transfer.path) != (to_root, transfer.to):
                done.append(await self._transfer(root, to_root, transfer))
            else:
                done.append(Transferred.MOVED)
            if progress is not None and found.size:
                progress(found.size)

    async def copy_ranges(self, root: str, source: str, copies: Sequence[RangeCopy]) -> None:
        """Copy runs of one file into others; pages that take no room are holes."""
        self._check(root, source, writing=False)
        origin = self._find(root, source)
        for copy in copies:
            self._check(root, copy.to, writing=True)
            target = self._open(root, copy.to, create=True)
            if len(target.data) < copy.length:
                self._resize(target, copy.length)
            if isinstance(origin, _File):
                for offset, to, length in copy.ranges:
                    for start, end in _filled(origin, offset, offset + length):
                        data = bytes(memoryview(origin.data)[start:end])
                        self.write_at(root, copy.to, to + start - offset, data)

    async def delete_many(self, root: str, paths: Sequence[str]) -> None:
        """Remove files."""
        first: StorageError | None = None
        for path in paths:
            try:
                found = await self.stat(root, path)
                if found is not None and found.is_directory:
                    raise _error(root, path, errno.EISDIR)
                await self.delete(root, path)
            except StorageError as error:
                first = first or error
        if first is not None:
            raise first

    async def remove_empty_directories(self, root: str, paths: Sequence[str]) -> None:
        """Remove directories in which nothing is."""
        for path in paths:
            try:
                node = self._find(root, path)
            except StorageError:
                continue  # below a file there is nothing
            if isinstance(node, _Directory) and not node.entries:
                await self.delete(root, path)

    async def identify(self, root: str) -> str | None:
        """The number of the root's directory."""
        self._check(root, "", writing=False)
        directory = self._roots.get(root)
        return None if directory is None else f"memory:{directory.number}"

    async def same_disk(self, root: str, other: str) -> bool:
        """Whether neither is set apart."""
        return self._disk_of(root) == self._disk_of(other)

    async def free_space(self, root: str) -> int:
        """Bytes that can still be written; 1 TiB without a capacity."""
        self._check(root, "", writing=False)
        if self.capacity is None:
            return UNLIMITED_SPACE
        return max(0, self.capacity - self._used)

    async def close(self) -> None:
        """There is nothing to free."""

    # For the disk queue, and for whoever sets a scene

    def read_at(self, root: str, path: str, offset: int, into: memoryview) -> None:
        """Fill `into` from a file; raises StorageError, also if the file ends before."""
        self._check(root, path, writing=False)
        data = self._open(root, path, create=False).data
        end = offset + len(into)
        if end > len(data):
            raise StorageError(_full(root, path), f"ends at {len(data)}, before byte {end}")
        into[:] = memoryview(data)[offset:end]

    def write_at(
        self,
        root: str,
        path: str,
        offset: int,
        data: memoryview | bytes,
        *,
        create: bool = True,
    ) -> None:
        """Write into a file, creating it and its parents if need be; raises StorageError."""
        self._check(root, path, writing=True)
        file = self._open(root, path, create=create)
        end = offset + len(data)
        self._take_room(root, path, file, offset, end)
        if end > len(file.data):
            self._resize(file, end)
        memoryview(file.data)[offset:end] = data
        file.mtime = self._change()

    def write_file(self, root: str, path: str, data: bytes) -> None:
        """Put a file there with exactly this content."""
        self._resize(self._open(root, path, create=True), 0)
        self.write_at(root, path, 0, data)

    def read_file(self, root: str, path: str) -> bytes | None:
        """Return the whole content; None if there is no such file. Faults do not count."""
        try:
            return bytes(self._open(root, path, create=False).data)
        except StorageError:
            return None

    def unmount(self, root: str, *, mount_point: bool = False) -> None:
        """Take a root away, with all that is in it; `mount_point` leaves an empty directory."""
        self._unmounted[root] = self._roots.pop(root)
        if mount_point:
            self._roots[root] = self._new_directory()

    def mount(self, root: str) -> None:
        """Undo `unmount`; what was put there meanwhile is hidden."""
        self._roots[root] = self._unmounted.pop(root)

    def set_apart(self, root: str) -> None:
        """Let a root, and those below, be as on a disk of its own: what goes there, or comes from there, is copied."""
        self._apart.add(root)

    def fail(
        self, path: str | None, number: int, *, reads: bool = True, writes: bool = True
    ) -> None:
        """Let every use of a path (None: of any path) fail from now on.

        Args:
            path: relative to whichever root, exactly as it will be used.
            number: the system's error, as `errno.ENOSPC`.
            reads: whether reading, hashing, describing and listing fail.
            writes: whether everything that changes something fails.
        """
        self._faults[path] = _Fault(number, reads, writes)

    def heal(self, path: str | None = None) -> None:
        """Take back `fail` for a path (None: every `fail`)."""
        if path is None:
            self._faults.clear()
        else:
            self._faults.pop(path, None)

    # The tree

    def _check(self, root: str, path: str, *, writing: bool) -> None:
        if self._faults:
            for key in (path, None):
                fault = self._faults.get(key)
                if fault is not None and (fault.writes if writing else fault.reads):
                    raise _error(root, path, fault.errno)

    def _change(self) -> float:
        self._changes += 1
        return float(self._changes)

    def _new_directory(self) -> _Directory:
        mtime = self._change()
        return _Directory(mtime, self._changes)

    def _find(self, root: str, path: str) -> _File | _Directory | None:
        node: _File | _Directory | None = self._roots.get(root)
        for part in _split(path):
            if node is None:
                return None
            if isinstance(node, _File):
                raise _error(root, path, errno.ENOTDIR)
            node = node.entries.get(part)
        return node

    def _make_directory(self, root: str, parts: Sequence[str]) -> _Directory:
        if root not in self._roots:
            self._roots[root] = self._new_directory()
        directory = self._roots[root]
        for position, part in enumerate(parts, 1):
            node = directory.entries.get(part)
            if node is None:
                node = directory.entries[part] = self._new_directory()
            elif isinstance(node, _File):
                raise _error(root, "/".join(parts[:position]), errno.ENOTDIR)
            directory = node
        return directory

    def _open(self, root: str, path: str, *, create: bool) -> _File:
        node = self._find(root, path)
        if node is None:
            if not create:
                raise _error(root, path, errno.ENOENT)
            *parents, name = _split(path) or [""]
            directory = self._make_directory(root, parents)
            node = directory.entries[name] = _File(self._change())
        if isinstance(node, _Directory):
            raise _error(root, path, errno.EISDIR)
        return node

    def _disk_of(self, root: str) -> str:
        above = (apart for apart in self._apart if f"{root}/".startswith(f"{apart}/"))
        return max(above, key=len, default="")

    async def _transfer(self, root: str, to_root: str, transfer: Transfer) -> Transferred:
        file = self._open(root, transfer.path, create=False)
        *parents, name = _split(transfer.to)
        entries = self._make_directory(to_root, parents).entries
        if name in entries:
            raise _error(to_root, transfer.to, errno.EEXIST)
        if not await self.same_disk(root, to_root):
            copy = _File(file.mtime)
            self._resize(copy, len(file.data))
            try:
                for start, end in _filled(file, 0, len(file.data)):
                    self._take_room(to_root, transfer.to, copy, start, end)
            except StorageError:
                self._free(copy)
                raise
            copy.data[:] = file.data
            copy.mtime = file.mtime
            entries[name] = copy
            return Transferred.COPIED
        *parents, old_name = _split(transfer.path)
        entries[name] = file
        del self._make_directory(root, parents).entries[old_name]
        return Transferred.MOVED

    # Room

    def _resize(self, file: _File, length: int) -> None:
        data = file.data
        if length < len(data):
            del data[length:]
            pages = -(-length // PAGE_LENGTH)
            self._used -= file.pages.count(1, pages) * PAGE_LENGTH
            del file.pages[pages:]
        elif not data:
            file.data = bytearray(length)  # zeros that the system hands out only when touched
        else:
            data.extend(bytes(length - len(data)))
        file.mtime = self._change()

    def _take_room(self, root: str, path: str, file: _File, start: int, end: int) -> None:
        first, last = start // PAGE_LENGTH, -(-end // PAGE_LENGTH)
        room = (last - first - file.pages.count(1, first, last)) * PAGE_LENGTH
        if self.capacity is not None and room and self._used + room > self.capacity:
            raise _error(root, path, errno.ENOSPC)
        self._used += room
        if last > len(file.pages):
            file.pages.extend(bytes(last - len(file.pages)))
        file.pages[first:last] = b"\x01" * (last - first)

    def _free(self, file: _File) -> None:
        self._used -= file.pages.count(1) * PAGE_LENGTH


def _split(path: str) -> list[str]:
    return path.split("/") if path else []


def _filled(file: _File, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The runs of a file between two offsets that take room."""
    end = min(end, len(file.data))
    while start < end:
        page = start // PAGE_LENGTH
        stop = min((page + 1) * PAGE_LENGTH, end)
        if page < len(file.pages) and file.pages[page]:
            yield start, stop
        start = stop


def _full(root: str, path: str) -> str:
    return f"{root}/{path}" if root and path else root or path


def _error(root: str, path: str, number: int) -> StorageError:
    return StorageError(_full(root, path), os.strerror(number), number)
