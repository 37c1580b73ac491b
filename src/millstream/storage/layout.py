"""Where the bytes of a torrent lie in files: the only maker of paths.

Everything that opens a file gets its path from here. For any torrent, these paths are relative to
the root the user chose and stay below it, have no part that is empty, `.` or `..`, and differ from
each other on every file system, those included that ignore case or Unicode composition; and none
is a directory that another needs.

The first file of a name keeps it; later ones are numbered, `a.1.txt`, as libtorrent does. Where a
file has the name of a directory, the file is numbered. Pad files (BEP 47) are zeros that are never
stored, and symlinks are not made: one that points out of the root would undo all of this.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, count
from typing import NamedTuple

from millstream.core.geometry import Geometry
from millstream.interfaces.disk import Extent
from millstream.protocol.metainfo import FileAttribute, FileEntry, Metainfo
from millstream.storage.names import (
    ON_WINDOWS,
    collision_key,
    numbered,
    safe_component,
    split_extension,
)

_NO_ATTRIBUTES = FileAttribute(0)
_NOT_STORED = FileAttribute.PAD | FileAttribute.SYMLINK


class StoredFile(NamedTuple):
    """A file of the torrent and its place in it.

    Attributes:
        path: relative to the root, its parts joined by `/`, the torrent's name included. None for
            what is not stored: a pad file, or a symlink, which has no length.
        offset: bytes of the torrent before this file.
        length: bytes.
        attributes: what BEP 47 says of it.
    """

    path: str | None
    offset: int
    length: int
    attributes: FileAttribute


class FileSpan(NamedTuple):
    """A run of bytes in one file of the torrent, by the file's number; `offset` is within it."""

    file: int
    offset: int
    length: int


class FileLayout(Geometry):
    """The map from a torrent's bytes to files: its geometry, and what of it is in which file.

    Args:
        entries: the files of the torrent, in its order.
        names: the path of each; None for what is not stored.
        piece_length: bytes in each piece but the last.
        root_name: the first part of every path.

    Attributes:
        names: the path of each file of the torrent, in its order; None for what is not stored.
        offsets: bytes of the torrent before each file.
        lengths: bytes of each file.
        paths: the paths of all files that are stored, in the same order, empty files included.
        root_name: the first part of every path: the file itself in a single-file torrent.
    """

    __slots__ = (
        *("_entries", "_files", "_filled", "_filled_lengths", "_filled_names", "_starts"),
        *("lengths", "names", "offsets", "paths", "root_name"),
    )

    def __init__(
        self,
        entries: Sequence[FileEntry],
        names: Sequence[str | None],
        piece_length: int,
        root_name: str,
    ) -> None:
        self.lengths = tuple([entry.length for entry in entries])
        *offsets, total_length = accumulate(self.lengths, initial=0)
        super().__init__(total_length, piece_length)
        self.offsets = tuple(offsets)
        self.paths = tuple([name for name in names if name is not None])
        is_all_stored = len(self.paths) == len(names)
        self.names: tuple[str | None, ...] = self.paths if is_all_stored else tuple(names)
        self.root_name = root_name
        self._entries = entries
        # Made when first needed: for a torrent at rest the names are enough.
        self._files: tuple[StoredFile, ...] | None = None
        self._starts, self._filled_lengths = self.offsets, self.lengths
        self._filled_names = self.names
        self._filled: Sequence[int] = range(len(self.names))
        if 0 in self.lengths:
            # Empty files would share their offset with the next one and confuse the search.
            self._filled = [index for index, length in enumerate(self.lengths) if length]
            self._starts = tuple([self.offsets[index] for index in self._filled])
            self._filled_lengths = tuple([self.lengths[index] for index in self._filled])
            self._filled_names = tuple([self.names[index] for index in self._filled])

    @classmethod
    def from_metainfo(cls, metainfo: Metainfo, *, windows: bool = ON_WINDOWS) -> FileLayout:
        """Make safe, unique paths for the files of a torrent.

        Args:
            metainfo: any torrent.
            windows: whether the files are stored by the rules of Windows (see `storage.names`).
        """
        entries = metainfo.files
        root_name = safe_component(metainfo.name, windows=windows)
        paths = [root_name]
        if metainfo.is_multi_file:
            stored = [entry for entry in entries if _is_stored(entry)]
            paths = _unique_paths(root_name, stored, windows=windows)
        path = iter(paths)
        names = [next(path) if _is_stored(entry) else None for entry in entries]
        return cls(entries, names, metainfo.piece_length, root_name)

    @property
    def files(self) -> tuple[StoredFile, ...]:
        """One for each file of the torrent, in its order, also for what is not stored."""
        if self._files is None:
            attributes = [entry.attributes for entry in self._entries]
            columns = zip(self.names, self.offsets, self.lengths, attributes, strict=True)
            self._files = tuple([StoredFile(*column) for column in columns])
        return self._files

    def piece_extents(self, piece: int) -> tuple[Extent, ...]:
        """Say where a piece lies.

        Raises:
            IndexError: there is no such piece.
        """
        offset = piece * self.piece_length
        if not 0 <= offset < self.total_length:
            raise IndexError(f"there is no piece {piece}")
        return self.extents(offset, min(self.piece_length, self.total_length - offset))

    def extents(self, offset: int, length: int) -> tuple[Extent, ...]:
        """Say where a run of the torrent's bytes lies: one extent per file that it touches.

        Args:
            offset: bytes from the torrent's start.
            length: bytes.

        Raises:
            IndexError: the run is not within the torrent.
        """
        if offset < 0 or length < 0 or offset + length > self.total_length:
            raise self._not_within(offset, length)
        extents = []
        starts = self._starts
        position = bisect_right(starts, offset) - 1
        while length:
            path = self._filled_names[position]
            skipped = offset - starts[position]
            taken = min(length, self._filled_lengths[position] - skipped)
            extents.append(Extent(path, 0 if path is None else skipped, taken))
            offset += taken
            length -= taken
            position += 1
        return tuple(extents)

    def spans(self, offset: int, length: int) -> list[FileSpan]:
        """As `extents`, but by the numbers of the files, padding included.

        Raises:
            IndexError: the run is not within the torrent.
        """
        if offset < 0 or length < 0 or offset + length > self.total_length:
            raise self._not_within(offset, length)
        spans = []
        starts = self._starts
        position = bisect_right(starts, offset) - 1
        while length:
            skipped = offset - starts[position]
            taken = min(length, self._filled_lengths[position] - skipped)
            spans.append(FileSpan(self._filled[position], skipped, taken))
            offset += taken
            length -= taken
            position += 1
        return spans

    def pieces_of(self, indexes: Iterable[int]) -> Iterator[range]:
        """The pieces of which these files have bytes, a range for each file.

        Args:
            indexes: numbers of files, from 0, in the torrent's order.

        Raises:
            IndexError: there is no such file.
        """
        for index in indexes:
            if not 0 <= index < len(self.names):
                raise IndexError(f"there is no file {index}: the torrent has {len(self.names)}")
            if length := self.lengths[index]:
                offset = self.offsets[index]
                last = (offset + length - 1) // self.piece_length
                yield range(offset // self.piece_length, last + 1)

    def _not_within(self, offset: int, length: int) -> IndexError:
        return IndexError(f"{length} bytes at {offset} are not within {self.total_length}")


def _is_stored(entry: FileEntry) -> bool:
    # Most files have no attributes, and asking an enum.Flag is slow for 100,000 of them.
    attributes = entry.attributes
    return attributes is _NO_ATTRIBUTES or not attributes & _NOT_STORED


def _unique_paths(root_name: str, entries: Iterable[FileEntry], *, windows: bool) -> list[str]:
    """Make the paths of a multi-file torrent.

    Names meet only within a directory, and directories that some file system takes for the same
    have the same number here. All directories come first: no file may take the place of one.
    """
    directories: dict[tuple[int, str], int] = {}
    known: dict[tuple[str, ...], tuple[str, int]] = {(): (root_name, 0)}
    wanted: list[tuple[str, int, str]] = []
    for entry in entries:
        parents = entry.path[:-1]
        if parents not in known:
            path, directory = root_name, 0
            for part in parents:
                name = safe_component(part, windows=windows)
                path = f"{path}/{name}"
                key = directory, collision_key(name)
                directory = directories.setdefault(key, len(directories) + 1)
            known[parents] = path, directory
        path, directory = known[parents]
        wanted.append((path, directory, safe_component(entry.path[-1], windows=windows)))

    taken: set[tuple[int, str]] = set(directories)
    paths: list[str | None] = []
    for path, directory, name in wanted:
        key = directory, collision_key(name)
        paths.append(None if key in taken else f"{path}/{name}")
        taken.add(key)

    # Only now are the others numbered: a number must not take the name that a file has by right.
    # Each stem goes on counting where it stopped, or 100,000 equal names would take forever.
    counters: dict[tuple[int, str], count[int]] = {}
    unique: list[str] = []
    for found, (path, directory, name) in zip(paths, wanted, strict=True):
        if found is None:
            stem, extension = split_extension(name)
            counter = counters.setdefault((directory, collision_key(stem + extension)), count(1))
            while True:
                candidate = safe_component(numbered(name, next(counter)), windows=windows)
                key = directory, collision_key(candidate)
                if key not in taken:
                    break
            taken.add(key)
            found = f"{path}/{candidate}"
        unique.append(found)
    return unique
