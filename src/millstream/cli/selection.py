"""Which files `--select` means: numbers as `millstream info` shows them, or patterns of names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import typer

from millstream.cli.contents import content_files
from millstream.cli.formatting import plural, safe_text
from millstream.errors import ConfigError

if TYPE_CHECKING:
    from millstream import Metainfo

_NUMBERS = re.compile(r"\d{1,9}(-\d{1,9})?(,\d{1,9}(-\d{1,9})?)*", re.ASCII)


class Selection:
    """The values of `--select`: a file is chosen if any of them means it.

    Args:
        values: `3`, `1,4-6`, or a pattern such as `*.mkv` or `extras/*`, in any case of letters.
        option: the option whose values they are.
        listing: the command that numbers the files.

    Attributes:
        chosen_count: how many files were chosen; None until a torrent was looked at.
        file_count: how many it has.

    Raises:
        typer.BadParameter: a value can mean no file of any torrent.
    """

    def __init__(
        self,
        values: Iterable[str],
        option: str = "--select",
        listing: str = "millstream info",
    ) -> None:
        self._option = option
        self._listing = listing
        self._ranges: list[tuple[int, int]] = []
        self._patterns: list[str] = []
        self.chosen_count: int | None = None
        self.file_count = 0
        for value in values:
            if _NUMBERS.fullmatch(value):
                self._ranges += [self._read_range(part) for part in value.split(",")]
            elif value:
                self._patterns.append(value.casefold())
            else:
                raise self._bad("which file?")

    def __call__(self, metainfo: Metainfo) -> list[int]:
        """What `Engine.add` selects by: the chosen files among all that the torrent has.

        Raises:
            ConfigError: a number is of no file, or a pattern means none.
        """
        files = content_files(metainfo)
        # The torrent's name is above all of them and tells nothing apart.
        skipped = metainfo.is_multi_file
        paths = [file.path.partition("/")[2] if skipped else file.path for file in files]
        chosen = [files[number].file_index for number in self.indexes(paths)]
        self.chosen_count, self.file_count = len(chosen), len(files)
        return chosen

    def indexes(self, paths: Sequence[str]) -> list[int]:
        """The chosen files, from 0.

        Args:
            paths: the files' paths in the torrent, without its name.

        Raises:
            ConfigError: a number is of no file, or a pattern means none.
        """
        chosen: set[int] = set()
        for first, last in self._ranges:
            if last > len(paths):
                raise ConfigError(
                    f"{self._option} {first}{f'-{last}' if last != first else ''}: the torrent has "
                    f"{plural(len(paths), 'file')}; `{self._listing}` numbers them"
                )
            chosen.update(range(first - 1, last))
        folded = [path.casefold() for path in paths]
        for pattern in self._patterns:
            found = [index for index, path in enumerate(folded) if _matches(path, pattern)]
            if not found:
                raise ConfigError(
                    f"{self._option} {safe_text(pattern)}: no file of the torrent has such a name; "
                    f"`{self._listing}` lists them"
                )
            chosen.update(found)
        return sorted(chosen)

    def _read_range(self, text: str) -> tuple[int, int]:
        first, _, last = text.partition("-")
        begin, end = int(first), int(last or first)
        if not 1 <= begin <= end:
            raise self._bad(f"{text} is no range of files: they are numbered from 1.")
        return begin, end

    def _bad(self, message: str) -> typer.BadParameter:
        return typer.BadParameter(message, param_hint=f"'{self._option}'")


def _matches(path: str, pattern: str) -> bool:
    """Whether the pattern means the whole path, or the file's name alone."""
    return fnmatchcase(path, pattern) or fnmatchcase(path.rpartition("/")[2], pattern)
