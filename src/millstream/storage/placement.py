"""Where the bytes of one torrent are now.

`storage.layout` says where they would be if nobody had touched anything. A placement knows the root
they are under, the files that a user renamed, those that still have the suffix of incomplete files,
and those that are skipped and have their share of shared pieces in the parts file. It changes only
while no disk job of the torrent is under way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType

from millstream.errors import ConfigError
from millstream.interfaces.disk import Extent
from millstream.storage.chosen_names import (
    check_distinct,
    check_path,
    check_suffix,
    directories_above,
)
from millstream.storage.layout import FileLayout
from millstream.storage.names import MAX_COMPONENT_LENGTH, collision_key
from millstream.storage.parts import PartsLayout

_NONE: frozenset[int] = frozenset()
_NO_NAMES: Mapping[int, str] = MappingProxyType({})


class Placement:
    """The map from a torrent's bytes to the files that hold them.

    Two files never have the same path, whatever is renamed or suffixed.

    Args:
        layout: the torrent's own names.
        root: the file system's root that the files are under.
        parts_path: the path of the parts file below the root.
    """

    __slots__ = (
        "_in_parts",
        "_parts",
        "_renames",
        "_suffix",
        "_suffixed",
        "layout",
        "parts_path",
        "root",
    )

    def __init__(self, layout: FileLayout, root: str, parts_path: str) -> None:
        self.layout = layout
        self.root = root
        self.parts_path = parts_path
        self._renames = _NO_NAMES
        self._in_parts = _NONE
        self._parts: PartsLayout | None = None
        self._suffix = ""
        self._suffixed: set[int] | frozenset[int] = _NONE

    # Where bytes are

    def piece_extents(self, piece: int) -> tuple[Extent, ...]:
        """Say where a piece lies.

        Raises:
            IndexError: there is no such piece, or it is one of `placeless_pieces`.
        """
        if self.is_plain:
            return self.layout.piece_extents(piece)
        length, total = self.layout.piece_length, self.layout.total_length
        offset = piece * length
        if not 0 <= offset < total:
            raise IndexError(f"there is no piece {piece}")
        return self.extents(offset, min(length, total - offset))

    def extents(self, offset: int, length: int) -> tuple[Extent, ...]:
        """Say where a run of the torrent's bytes lies: one extent per file that it touches.

        Args:
            offset: bytes from the torrent's start.
            length: bytes.

        Raises:
            IndexError: the run is not within the torrent, or has bytes of `placeless_pieces`.
        """
        if self.is_plain:
            return self.layout.extents(offset, length)
        return tuple([self._extent(*span) for span in self.layout.spans(offset, length)])

    def placeless_pieces(self) -> Iterator[range]:
        """The pieces that lie wholly within a file that is in the parts file, not at its ends.

        Nobody wants them, and there is no place for them.
        """
        for index in sorted(self._in_parts):
            [pieces] = self.layout.pieces_of([index])
            if len(pieces) > 2:
                yield pieces[1:-1]

    @property
    def parts(self) -> PartsLayout:
        """The places in the parts file."""
        if self._parts is None:
            self._parts = PartsLayout(self.layout)
        return self._parts

    @property
    def is_plain(self) -> bool:
        """Whether all files are where the layout has them."""
        return not (self._renames or self._suffixed or self._in_parts)

    def _extent(self, index: int, offset: int, length: int) -> Extent:
        if index in self._in_parts:
            return Extent(self.parts_path, self.parts.place(index, offset, length), length)
        path = self.own_path(index)
        return Extent(path, 0 if path is None else offset, length)

    # Paths

    def name(self, index: int) -> str | None:
        """The path of a file as users know it; None if it is not stored."""
        return self._renames.get(index) or self.layout.names[index]

    def own_path(self, index: int) -> str | None:
        """The path of a file itself, its suffix included; None if it is not stored."""
        name = self.name(index)
        return name + self._suffix if name is not None and index in self._suffixed else name

    def path(self, index: int) -> str | None:
        """Where bytes of a file are: its own path or the parts file's; None if it is not stored."""
        return self.parts_path if index in self._in_parts else self.own_path(index)

    @property
    def paths(self) -> tuple[str, ...]:
        """The own paths of all stored files that are not in the parts file, in their order."""
        if self.is_plain:
            return self.layout.paths
        return tuple([path for _, path in self.own_paths()])

    @property
    def all_paths(self) -> tuple[str, ...]:
        """`paths`, and the parts file's if there are files in it."""
        return (*self.paths, self.parts_path) if self._in_parts else self.paths

    def own_paths(self) -> Iterator[tuple[int, str]]:
        """Number and own path of all stored files that are not in the parts file."""
        for index in range(len(self.layout.names)):
            path = self.own_path(index)
            if path is not None and index not in self._in_parts:
                yield index, path

    # Names

    @property
    def renames(self) -> Mapping[int, str]:
        """The paths that a user chose, by the number of the file, without a suffix."""
        return self._renames

    def rename(self, index: int, path: str) -> None:
        """Let a file have another path from now on; nothing is moved.

        Raises:
            ConfigError: there is no such file, or the path cannot be had; nothing is changed.
        """
        self.rename_many({index: path})

    def rename_many(self, paths: Mapping[int, str]) -> None:
        """Let files have other paths, all at once; one that gets its original path is not renamed.

        Raises:
            ConfigError: as `check_renames`; nothing is changed.
        """
        self.check_renames(paths)
        names = self.layout.names
        renames = {**self._renames, **paths}
        chosen = {index: path for index, path in renames.items() if path != names[index]}
        self._renames = MappingProxyType(chosen) if chosen else _NO_NAMES

    def check_renames(self, paths: Mapping[int, str]) -> None:
        """Find out whether files can have other paths.

        Raises:
            ConfigError: there is no such file, a path is not safe on every system, or two files
                would have the same one, also if case is ignored, with or without their suffixes.
        """
        names = self.layout.names
        for index, path in paths.items():
            if not 0 <= index < len(names) or names[index] is None:
                raise ConfigError(f"rename: there is no stored file {index}")
            check_path(path)
        stored = {
            index: paths.get(index) or self._renames.get(index) or name
            for index, name in enumerate(names)
            if name is not None
        }
        suffixed = [stored[index] + self._suffix for index in self._suffixed]
        for index in self._suffixed & paths.keys():
            check_path(stored[index] + self._suffix)
        check_distinct([*stored.values(), *suffixed], paths, [self.parts_path])

    # The parts file

    @property
    def in_parts(self) -> frozenset[int]:
        """The files that have their bytes in the parts file."""
        return self._in_parts

    def put_in_parts(self, indexes: Iterable[int]) -> None:
        """From now on the bytes of these skipped files go into the parts file.

        Files that have no bytes, or are not stored, stay out.
        """
        names, lengths = self.layout.names, self.layout.lengths
        self._in_parts |= {
            index for index in indexes if lengths[index] and names[index] is not None
        }

    def take_out_of_parts(self, indexes: Iterable[int]) -> None:
        """From now on the bytes of these files are in the files themselves."""
        self._in_parts -= frozenset(indexes)

    # The suffix of incomplete files

    @property
    def suffix(self) -> str:
        """What the names of `suffixed` end with; empty if there are none."""
        return self._suffix

    @property
    def suffixed(self) -> AbstractSet[int]:
        """The files that have the suffix."""
        return self._suffixed

    def add_suffix(self, indexes: Iterable[int], suffix: str) -> None:
        """Let the paths of these files end with the suffix; nothing is moved.

        A file stays without it if it is not stored, if the name would get too long, or if another
        file of the torrent has the name it would get, or could get it one day.

        Args:
            indexes: numbers of files.
            suffix: such as `.part`.

        Raises:
            ConfigError: as `chosen_names.check_suffix`, or files have another suffix now.
        """
        check_suffix(suffix)
        if self._suffixed and suffix != self._suffix:
            raise ConfigError(f"incomplete suffix: files have {self._suffix!r} now")
        taken = self._keys_with(suffix)
        added = set()
        for index in indexes:
            path = self.name(index)
            if path is None or len((path + suffix).rpartition("/")[2].encode()) > (
                MAX_COMPONENT_LENGTH
            ):
                continue
            if not taken or collision_key(path + suffix) not in taken:
                added.add(index)
        if added:
            self._suffix = suffix
            self._suffixed = self._suffixed | added if self._suffixed else added

    def drop_suffix(self, indexes: Iterable[int]) -> None:
        """Let the paths of these files be without the suffix; nothing is moved."""
        if isinstance(self._suffixed, set):
            self._suffixed.difference_update(indexes)
            if not self._suffixed:
                self._suffixed, self._suffix = _NONE, ""

    def _keys_with(self, suffix: str) -> set[str]:
        """The collision keys of all files and directories that have the suffix in their path."""
        suffix = collision_key(suffix)
        found: set[str] = set()
        for index in range(len(self.layout.names)):
            key = collision_key(self.name(index) or "")
            if suffix in key:
                found.add(key)
                found |= directories_above([key.rpartition("/")[0]])
        return found
