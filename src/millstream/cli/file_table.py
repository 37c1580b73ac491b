"""The files of one of the daemon's torrents, a line for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from millstream.cli.formatting import format_percent, format_size, safe_text

# Said of those alone that are not as usual.
NORMAL = "normal"


def file_lines(files: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Number, share that is here, size, priority and path; numbers are those of `millstream info`."""
    words = ["" if file["priority"] == NORMAL else str(file["priority"]) for file in files]
    width = max(map(len, words), default=0)
    for number, (file, word) in enumerate(zip(files, words, strict=True), 1):
        done = file["done"] / file["size"] if file["size"] else 1.0
        cells = [f"{number:>3}", f"{format_percent(done):>7}", f"{format_size(file['size']):>9}"]
        if width:
            cells.append(word.ljust(width))
        yield "  ".join([*cells, safe_text(file["path"])])


def paths_within(files: Sequence[Mapping[str, Any]]) -> list[str]:
    """The files' paths without the torrent's name, which is above all of them and tells nothing."""
    return [str(file["path"]).partition("/")[2] or str(file["path"]) for file in files]
