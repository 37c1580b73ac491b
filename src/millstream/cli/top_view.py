"""The live view of all torrents, line by line. Pure: what the daemon answered, drawn.

```
10,000 torrents: 3 downloading, 9,997 seeding     down 87.3 MB/s   up 12 MB/s   240 peers
DONE   STATE          DOWN        UP  ETA         PEERS  RATIO  NAME
62.4 %  downloading  87.3 MB/s         22 s           12   0.10  ubuntu-24.04-desktop-amd64.iso
...
1-40 of 10,000 (all), by DOWN   q quit  s sort  r reverse  f filter  arrows, PgUp, PgDn move
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.console import Group
from rich.text import Text

from millstream.cli.formatting import format_rate, plural, safe_text
from millstream.cli.top_state import TopState
from millstream.cli.torrent_table import (
    COLUMNS,
    DONE,
    DOWN,
    ETA,
    GAP,
    ID,
    NAME,
    PEERS,
    RATIO,
    SIZE,
    STATE,
    UP,
    Column,
    View,
    state_words,
)

# The totals, the heads and the keys.
LINES_BESIDE_ROWS = 3
# Columns make room for so much of a name.
MIN_NAME = 24

# A narrow terminal lacks the last ones.
_BY_IMPORTANCE = (DONE, DOWN, UP, STATE, ETA, PEERS, RATIO, SIZE, ID)

_STYLES = {
    "downloading": "green",
    "downloading_metadata": "cyan",
    "checking": "cyan",
    "error": "red",
}

KEYS = "q quit  s sort  r reverse  f filter  arrows, PgUp, PgDn move"


def rows_for(height: int) -> int:
    """How many torrents fit on a terminal of so many lines."""
    return max(1, height - LINES_BESIDE_ROWS)


def top_view(answer: Mapping[str, Any], state: TopState, width: int) -> Group:
    """All lines.

    Args:
        answer: what `/torrents` said to the state's query.
        state: what is looked at.
        width: of the terminal.
    """
    views = answer["torrents"]
    columns = [_filled(column, views) for column in columns_for(width)]
    heads = _line(columns, [column.label for column in columns], "reverse").append(NAME)
    heads.pad_right(max(0, width - heads.cell_len))
    lines = [Text(totals_text(answer["totals"]), "bold"), heads]
    lines += [_row(columns, view) for view in views]
    lines.append(Text(_foot(state, len(views), int(answer["count"])), "dim"))
    for line in lines:
        line.no_wrap = True
        line.truncate(width, overflow="ellipsis")
    return Group(*lines)


def totals_text(totals: Mapping[str, Any]) -> str:
    """All torrents in a line."""
    states = ", ".join(
        f"{number:,} {state_words(name)}" for name, number in totals["states"].items()
    )
    head = plural(totals["torrents"], "torrent") + (f": {states}" if states else "")
    return (
        f"{head}   down {format_rate(totals['downloadRate'])}   "
        f"up {format_rate(totals['uploadRate'])}   {plural(totals['peers'], 'peer')}"
    )


def columns_for(width: int) -> list[Column]:
    """The columns that fit beside a name, in their order."""
    room = width - MIN_NAME
    chosen: list[Column] = []
    for column in _BY_IMPORTANCE:
        room -= column.width + len(GAP)
        if room < 0:
            break
        chosen.append(column)
    return [column for column in COLUMNS if column in chosen]


def _filled(column: Column, views: Sequence[View]) -> Column:
    """The column, as wide as its cells are now."""
    return replace(column, width=max([column.width, *(len(column.text(view)) for view in views)]))


def _line(columns: Sequence[Column], texts: Sequence[str], style: str) -> Text:
    cells = zip(columns, texts, strict=True)
    return Text("".join([column.cell(text, column.width) + GAP for column, text in cells]), style)


def _row(columns: Sequence[Column], view: View) -> Text:
    style = _STYLES.get(view["state"], "")
    line = _line(columns, [column.text(view) for column in columns], style)
    line.append(safe_text(view["name"]), "default")
    if view["trouble"]:
        failed = view["state"] == "error"
        line.append(f" ({safe_text(view['trouble'])})", "red" if failed else "yellow")
    return line


def _foot(state: TopState, rows: int, count: int) -> str:
    first = state.offset + 1 if rows else 0
    which = state.shown if state.name is None else f"{state.shown}, {safe_text(state.name)!r}"
    order = f"by {state.sort}" + ", reversed" * state.reverse
    return f"{first:,}-{state.offset + rows:,} of {count:,} ({which}), {order}   {KEYS}"
