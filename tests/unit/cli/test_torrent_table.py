from __future__ import annotations

import pytest

from millstream.cli.torrent_table import (
    COLUMNS,
    FIELDS,
    format_ratio,
    name_and_trouble,
    state_words,
    table_lines,
)
from millstream.rpc.torrent_view import FIELDS as KNOWN

from .daemon_double import VIEW

NOTHING = {"downloadRate": 0, "peers": 0, "eta": None, "size": 0, "state": "stopped", "name": "x"}
QUIET = {**VIEW, **NOTHING}


def test_columns_are_as_wide_as_they_must():
    other = {**VIEW, "id": "cd" * 20, "progress": 1.0, "state": "seeding", "name": "y", "ratio": 1}
    assert list(table_lines([VIEW, other])) == [
        "ID          DONE  STATE       SIZE    DOWN  PEERS         ETA  RATIO  NAME",
        "abababab  50.0 %  metadata  10 MiB  2 MB/s      1  1 min 01 s         x\ufffd[2J",
        "cdcdcdcd   100 %  seeding   10 MiB  2 MB/s      1  1 min 01 s   1.00  y",
    ]


def test_columns_without_anything_are_left_out():
    assert list(table_lines([QUIET])) == [
        "ID          DONE  STATE    NAME",
        "abababab  50.0 %  stopped  x",
    ]


def test_a_magnet_shows_how_much_of_its_metadata_is_here():
    magnet = {**VIEW, "progress": 0.0, "metadataProgress": 0.25}
    assert "25.0 %" in list(table_lines([magnet]))[1]


def test_what_hinders_it_is_beside_its_name_and_harmless():
    assert name_and_trouble({**QUIET, "trouble": "all\x1b fail"}) == "x (all\ufffd fail)"
    assert name_and_trouble(QUIET) == "x"


@pytest.mark.parametrize(("ratio", "text"), [(None, ""), (0, "0.00"), (12.345, "12.35")])
def test_ratios(ratio, text):
    assert format_ratio(ratio) == text


def test_states():
    assert [state_words(state) for state in ("downloading_metadata", "seeding")] == [
        "metadata",
        "seeding",
    ]


def test_the_daemon_knows_what_is_asked_of_it():
    assert set(FIELDS) <= set(KNOWN)
    assert {column.sort for column in COLUMNS} <= set(KNOWN)
