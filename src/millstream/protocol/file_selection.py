"""A choice of files by their indexes, `0,2,4-6`: the `so=` of magnet links (BEP 53)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Self

from millstream.errors import MalformedDataError

# Libtorrent's type for the index of a file. It reads none above 10,000 in a link, for it makes a
# list as long as the last of them; here ranges stay ranges, whatever they span.
MAX_FILE_INDEX = (1 << 31) - 1

_TOKEN = re.compile(r"([0-9]{1,10})(?:-([0-9]{1,10}))?")


@dataclass(frozen=True, slots=True)
class FileSelection:
    """Some files of a torrent, which may have fewer.

    Attributes:
        ranges: first and last index of each run of files, in order; they neither
            overlap nor touch.
    """

    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, indexes: Iterable[int]) -> Self:
        """These files; none at all, which cannot be written in a link, is a selection, too."""
        inside = (index for index in indexes if 0 <= index <= MAX_FILE_INDEX)
        return cls._of_ranges((index, index) for index in inside) or cls(())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `0,2,4-6`; ranges include both ends.

        Raises:
            MalformedDataError: another form, a range that ends before it begins, or an index over
                MAX_FILE_INDEX.
        """
        ranges = [_read_range(token) for token in text.split(",")]
        selection = cls._of_ranges(span for span in ranges if span is not None)
        if selection is None or None in ranges:
            raise MalformedDataError(f"files are chosen like 0,2,4-6, not {text[:80]!r}")
        return selection

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Read as `parse` does, but leave out what makes no sense, as libtorrent does.

        Returns:
            None where nothing is left.
        """
        ranges = map(_read_range, text.split(","))
        return cls._of_ranges(span for span in ranges if span is not None)

    @classmethod
    def _of_ranges(cls, ranges: Iterable[tuple[int, int]]) -> Self | None:
        merged: list[tuple[int, int]] = []
        for first, last in sorted(ranges):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
            else:
                merged.append((first, last))
        return cls(tuple(merged)) if merged else None

    def __contains__(self, index: int) -> bool:
        at = bisect_right(self.ranges, index, key=lambda span: span[0]) - 1
        return at >= 0 and index <= self.ranges[at][1]

    def indexes(self, file_count: int) -> list[int]:
        """The chosen ones among this many files, in order."""
        return list(
            chain.from_iterable(
                range(first, min(last + 1, file_count)) for first, last in self.ranges
            )
        )

    def __str__(self) -> str:
        return ",".join(
            f"{first}" if first == last else f"{first}-{last}" for first, last in self.ranges
        )


def _read_range(token: str) -> tuple[int, int] | None:
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    first = int(match[1])
    last = first if match[2] is None else int(match[2])
    return (first, last) if first <= last <= MAX_FILE_INDEX else None
