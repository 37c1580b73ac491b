"""Which files of a torrent are wanted, and which of them first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from millstream.core.file_priority import FilePriority, PiecePriorities
from millstream.errors import ConfigError
from millstream.storage.layout import FileLayout

_NORMAL, _SKIP = FilePriority.NORMAL, FilePriority.SKIP


@dataclass(frozen=True, slots=True)
class FileChoice:
    """What a user chose.

    Attributes:
        priorities: a `FilePriority` for each file, a byte each; empty if all are normal.
        first_last: whether the first and last pieces of each file come before all others.
    """

    priorities: bytes = b""
    first_last: bool = False

    @classmethod
    def of_selection(cls, indexes: Iterable[int] | None, file_count: int) -> Self:
        """Want these files and no others; None wants all. Raises ConfigError."""
        if indexes is None:
            return cls()
        priorities = bytearray([_SKIP]) * file_count
        for index in indexes:
            try:
                _check(index, file_count)
            except ConfigError as error:
                raise ConfigError(f"select: {error}") from None
            priorities[index] = _NORMAL
        return cls(bytes(priorities))

    def changed(self, priorities: Mapping[int, FilePriority], file_count: int) -> Self:
        """With these priorities, by number of the file. Raises ConfigError."""
        changed = bytearray(self.priorities or bytes([_NORMAL]) * file_count)
        for index, priority in priorities.items():
            _check(index, file_count)
            try:
                changed[index] = FilePriority(priority)
            except ValueError as error:
                raise ConfigError(f"file {index}: {priority!r} is no priority") from error
        is_plain = changed.count(_NORMAL) == file_count
        return replace(self, priorities=b"" if is_plain else bytes(changed))

    @classmethod
    def restored(cls, priorities: bytes, file_count: int, *, first_last: bool) -> Self:
        """What was saved, as far as it fits the torrent."""
        known = {priority.value for priority in FilePriority}
        if len(priorities) != file_count or not known.issuperset(priorities):
            priorities = b""
        return cls(priorities, first_last)

    @property
    def wants_all(self) -> bool:
        """Whether no file is skipped."""
        return _SKIP not in self.priorities

    def wants(self, index: int) -> bool:
        """Whether the file is not skipped."""
        return not self.priorities or self.priorities[index] != _SKIP

    def of(self, index: int) -> FilePriority:
        """The file's priority."""
        return FilePriority(self.priorities[index]) if self.priorities else _NORMAL

    def pieces(self, layout: FileLayout, piece_count: int) -> PiecePriorities:
        """What it means for the pieces."""
        if not self.priorities and not self.first_last:
            return PiecePriorities.everything(piece_count)
        # Padding belongs to nobody: it comes if all does, and makes no file's end more wanted.
        padding = FilePriority.LOW if self.wants_all else _SKIP
        files = (
            (span, padding if name is None else self.of(index))
            for index, name in enumerate(layout.names)
            for span in layout.pieces_of([index])
        )
        return PiecePriorities.of_files(files, piece_count, first_last=self.first_last)


# Of most torrents everything is wanted, and one object says so.
NO_CHOICE = FileChoice()


def _check(index: int, file_count: int) -> None:
    if not 0 <= index < file_count:
        raise ConfigError(f"there is no file {index}: the torrent has {file_count}")
