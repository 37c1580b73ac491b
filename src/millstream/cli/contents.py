"""The files of a torrent, under the names they have on the disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from millstream import Metainfo


class ContentFile(NamedTuple):
    """A file: its path below the directory of the download, its place in the torrent, its size.

    `file_index` counts all files of the torrent, from 0, also those that are not stored.
    """

    path: str
    offset: int
    length: int
    file_index: int = 0

    def pieces(self, piece_length: int) -> range:
        """The pieces that hold bytes of the file."""
        if not self.length:
            return range(0)
        return range(
            self.offset // piece_length, (self.offset + self.length - 1) // piece_length + 1
        )


class FileReport(NamedTuple):
    """What a verification found out about a file that is not whole."""

    path: str
    problem: str
    bad_pieces: int
    piece_count: int


def content_files(metainfo: Metainfo) -> list[ContentFile]:
    """All files but padding, in the torrent's order."""
    from millstream.storage.layout import FileLayout

    return [
        ContentFile(file.path, file.offset, file.length, index)
        for index, file in enumerate(FileLayout.from_metainfo(metainfo).files)
        if file.path is not None
    ]


def bad_files(
    files: list[ContentFile], piece_length: int, bad: frozenset[int], directory: Path
) -> list[FileReport]:
    """Name the files that are missing, or that bad pieces touch, and say what is wrong with each.

    Args:
        files: the torrent's files.
        piece_length: in bytes.
        bad: the pieces that are not there or do not match.
        directory: where the files are looked for.
    """
    reports = []
    for file in files:
        pieces = file.pieces(piece_length)
        # Few bad pieces and large files, or many bad pieces and small files: look through the fewer.
        count = (
            sum(p in pieces for p in bad)
            if len(bad) < len(pieces)
            else sum(p in bad for p in pieces)
        )
        try:
            size = os.stat(directory / file.path).st_size  # noqa: PTH116 - one call per file
        except OSError:
            size = None
        if size is None:
            problem = "missing"
        elif not count:
            continue
        elif size < file.length:
            problem = "too short"
        else:
            problem = "bad"
        reports.append(FileReport(file.path, problem, count, len(pieces)))
    return reports
