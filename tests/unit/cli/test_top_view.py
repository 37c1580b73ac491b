from __future__ import annotations

import pytest

from millstream.cli.top_state import TopState
from millstream.cli.top_view import KEYS, columns_for, rows_for, top_view, totals_text
from millstream.cli.torrent_table import COLUMNS

from .daemon_double import VIEW
from .drawn import drawn

TOTALS = {
    "torrents": 10_000,
    "peers": 240,
    "downloadRate": 87_300_000,
    "uploadRate": 0,
    "states": {"downloading": 1, "seeding": 9_999},
}
HEAD = "10,000 torrents: 1 downloading, 9,999 seeding   down 87.3 MB/s   up 0 B/s   240 peers"


def view(width, state=None, **values):
    answer = {"totals": TOTALS, "torrents": [{**VIEW, **values}], "count": 10_000}
    return drawn(top_view(answer, state or TopState(offset=41), width), width)


def test_totals_rows_and_keys():
    totals, heads, row, foot = view(120, name="ubuntu.iso", trouble="all peers choke us")
    assert totals == HEAD
    assert heads.split() == [*(column.label for column in COLUMNS), "NAME"]
    cells = "abababab 50.0 % metadata 10 MiB 2 MB/s 1 1 min 01 s ubuntu.iso (all peers choke us)"
    assert " ".join(row.split()) == cells
    assert row.index("ubuntu.iso") == heads.index("NAME")
    assert foot == f"42-42 of 10,000 (all), by DOWN   {KEYS}"


@pytest.mark.parametrize("width", [1, 10, 24, 40, 80, 100, 300])
def test_every_line_fits(width):
    lines = view(width, name="\u6620\u753b" * 200, trouble="x\n\x1b[2J" * 50)
    assert len(lines) == 4
    assert all(line.isprintable() for line in lines)


def test_a_narrow_terminal_has_fewer_columns():
    assert columns_for(20) == []
    assert [column.label for column in columns_for(60)] == ["DONE", "DOWN", "UP"]
    assert tuple(columns_for(200)) == COLUMNS


def test_a_wide_cell_widens_its_column():
    lines = view(140, eta=10**9, name="end")
    assert lines[1].index("NAME") == lines[2].index("end")


def test_none():
    answer = {"totals": {**TOTALS, "torrents": 0, "states": {}}, "torrents": [], "count": 0}
    lines = drawn(top_view(answer, TopState(name="x", shown="error", reverse=True), 120), 120)
    assert lines[0].startswith("0 torrents   down")
    assert lines[-1].startswith("0-0 of 0 (error, 'x'), by DOWN, reversed   q quit")


def test_sums_in_a_line():
    assert totals_text(TOTALS) == HEAD


@pytest.mark.parametrize(("height", "rows"), [(1, 1), (3, 1), (24, 21)])
def test_rows_that_fit(height, rows):
    assert rows_for(height) == rows
