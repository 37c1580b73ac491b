"""Which files `--select` means: numbers as `millstream info` shows them, or patterns of names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.formatting import plural, safe_text

_NUMBERS = re.compile(r"\d{1,9}(-\d{1,9})?(,\d{1,9}(-\d{1,9})?)*", re.ASCII)


class Selection:
    """The values of `--select`: a file is chosen if any of them means it.

    Args:
        values: `3`, `1,4-6`, or a pattern such as `*.mkv` or `extras/*`, in any case of letters.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._ranges: list[tuple[int, int]] = []
        self._patterns: list[str] = []
        for value in values:
            if _NUMBERS.fullmatch(value):
                for part in value.split(","):
                    first, _, last = part.partition("-")
                    self._ranges.append((int(first), int(last or first)))
            else:
                self._patterns.append(value.casefold())

    def indexes(self, paths: Sequence[str]) -> list[int]:
        """The chosen files, from 0.

        Args:
            paths: the files' paths in the torrent, without its name.

        Raises:
            CommandError: a number is of no file, or a pattern means none.
        """
        chosen: set[int] = set()
        for first, last in self._ranges:
            if not 1 <= first <= last <= len(paths):
                raise CommandError(
                    f"--select {first}{f'-{last}' if last != first else ''}: the torrent has "
                    f"{plural(len(paths), 'file')}; `millstream info` numbers them",
                    ExitCode.USAGE,
                )
            chosen.update(range(first - 1, last))
        folded = [path.casefold() for path in paths]
        for pattern in self._patterns:
            found = [index for index, path in enumerate(folded) if _matches(path, pattern)]
            if not found:
                raise CommandError(
                    f"--select {safe_text(pattern)}: no file of the torrent has such a name",
                    ExitCode.USAGE,
                )
            chosen.update(found)
        return sorted(chosen)


def _matches(path: str, pattern: str) -> bool:
    """Whether the pattern means the whole path, or the file's name alone."""
    return fnmatchcase(path, pattern) or fnmatchcase(path.rpartition("/")[2], pattern)
