"""Which files are wanted, and which of them first: from priorities of files to sets of pieces."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from millstream.core.piece_set import set_of_ranges
from millstream.protocol.bitfield import every_piece, piece_set


class FilePriority(enum.IntEnum):
    """How much a file is wanted; the numbers are libtorrent's and qBittorrent's."""

    SKIP = 0
    LOW = 1
    NORMAL = 4
    HIGH = 7


@dataclass(frozen=True, slots=True)
class PiecePriorities:
    """Which pieces are wanted, and in which order.

    Attributes:
        wanted: the set (an int) of the wanted pieces.
        classes: the same pieces, parted into disjoint sets none of which is empty: what is to come
            first is in the first one. There is one class if all files are wanted alike, and none
            if nothing is wanted.
    """

    wanted: int
    classes: tuple[int, ...]

    @classmethod
    def everything(cls, count: int) -> Self:
        """All `count` pieces are wanted, and all alike."""
        return cls._of_levels([every_piece(count)])

    @classmethod
    def of_files(
        cls,
        files: Iterable[tuple[range, FilePriority]],
        count: int,
        *,
        first_last: bool = False,
    ) -> Self:
        """What priorities of files mean for the pieces.

        A piece of several files is wanted as much as the most wanted of them. Padding is best left
        out, or given the priority of the file that it follows: else it makes that file's last piece
        wanted as much as itself.

        Args:
            files: the pieces of which a file has bytes, none for an empty one, and its priority.
                Pieces of no file here are not wanted.
            count: how many pieces the torrent has.
            first_last: the first and the last piece of every wanted file come before all else: there
                players find what they need to begin (qBittorrent takes these two pieces, too).
        """
        ranges: dict[int, list[range]] = {}
        for pieces, priority in files:
            if priority and pieces:
                ranges.setdefault(int(priority), []).append(pieces)
        levels = [set_of_ranges(ranges[level], count) for level in sorted(ranges, reverse=True)]
        if first_last:
            ends = (end for level in ranges.values() for r in level for end in (r[0], r[-1]))
            levels.insert(0, piece_set(ends, count))
        return cls._of_levels(levels)

    @classmethod
    def _of_levels(cls, levels: Iterable[int]) -> Self:
        """Of sets that may overlap, the first is the most wanted one."""
        wanted = 0
        classes = []
        for level in levels:
            rest = level & ~wanted
            if rest:
                classes.append(rest)
                wanted |= rest
        return cls(wanted, tuple(classes))
