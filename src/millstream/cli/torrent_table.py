"""The daemon's torrents as a table of plain text, for `list` and `top`.

Ten thousand rows are laid out in a tenth of a second; a table of rich's would take ten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from millstream.cli.formatting import (
    format_eta,
    format_percent,
    format_rate,
    format_size,
    safe_text,
)

View = Mapping[str, Any]

FIELDS = (
    *("id", "name", "state", "trouble", "progress", "metadataProgress", "size"),
    *("downloadRate", "uploadRate", "peers", "eta", "ratio"),
)
"""The fields of a torrent that a row is made of."""

# What Git shows of a commit by default, and one more.
SHORT_ID = 8

GAP = "  "

_STATES = {"downloading_metadata": "metadata"}


def state_words(state: str) -> str:
    """What a torrent is doing, in a word or two."""
    return _STATES.get(state) or state.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        label: its head.
        text: its cell in a torrent's row.
        sort: the field by which the daemon sorts it.
        width: what its cells take, but for rare ones.
        left: whether its cells begin below the head's beginning, rather than end below its end.
    """

    label: str
    text: Callable[[View], str]
    sort: str
    width: int
    left: bool = False

    def cell(self, text: str, width: int) -> str:
        """A text at its place in a cell."""
        return text.ljust(width) if self.left else text.rjust(width)


ID = Column("ID", lambda view: str(view["id"][:SHORT_ID]), "id", SHORT_ID, left=True)
DONE = Column("DONE", lambda view: format_percent(_progress(view)), "progress", 6)
STATE = Column("STATE", lambda view: state_words(view["state"]), "state", 11, left=True)
SIZE = Column("SIZE", lambda view: format_size(view["size"]) if view["size"] else "", "size", 8)
DOWN = Column("DOWN", lambda view: _rate(view["downloadRate"]), "downloadRate", 9)
UP = Column("UP", lambda view: _rate(view["uploadRate"]), "uploadRate", 9)
PEERS = Column("PEERS", lambda view: f"{view['peers']:,}" if view["peers"] else "", "peers", 5)
ETA = Column(
    "ETA", lambda view: format_eta(view["eta"]) if view["eta"] is not None else "", "eta", 10
)
RATIO = Column("RATIO", lambda view: format_ratio(view["ratio"]), "ratio", 5)

COLUMNS = (ID, DONE, STATE, SIZE, DOWN, UP, PEERS, ETA, RATIO)
"""All but the name, which is the last and as wide as it is."""

NAME = "NAME"


def table_lines(views: Sequence[View]) -> Iterator[str]:
    """A line with the heads, and one for each torrent. Columns without anything are left out."""
    columns: list[list[str]] = []
    for column in COLUMNS:
        cells = [column.text(view) for view in views]
        if not any(cells):
            continue
        width = max(len(column.label), *map(len, cells))
        columns.append([column.cell(text, width) for text in (column.label, *cells)])
    names = [NAME, *map(name_and_trouble, views)]
    return map(GAP.join, zip(*columns, names, strict=True))


def name_and_trouble(view: View) -> str:
    """What it is called, and what hinders it if something does."""
    name = safe_text(view["name"])
    return f"{name} ({safe_text(view['trouble'])})" if view["trouble"] else name


def format_ratio(ratio: float | None) -> str:
    """What was sent for each byte that came; empty if nothing came."""
    return "" if ratio is None else f"{ratio:.2f}"


def _progress(view: View) -> float:
    is_magnet = view["state"] == "downloading_metadata"
    return float(view["metadataProgress"] if is_magnet else view["progress"])


def _rate(rate: float) -> str:
    return format_rate(rate) if rate else ""
