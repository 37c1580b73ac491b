from __future__ import annotations

import pytest

from millstream.cli.top_state import FILTERS, SORTS, TopState
from millstream.rpc.torrent_query import TorrentQuery
from millstream.rpc.torrent_view import STATE_NAMES


def press(state, *keys, rows=10, count=100):
    for key in keys:
        state = state.pressed(key, rows, count)
    return state


@pytest.mark.parametrize("key", ["q", "escape"])
def test_keys_that_end_it(key):
    assert press(TopState(), key) is None


def test_keys_that_mean_nothing():
    assert press(TopState(), "x", "\x1b[1;5C") == TopState()


@pytest.mark.parametrize(
    ("keys", "offset"),
    [
        (["down"], 1),
        (["up"], 0),
        (["pagedown", "pagedown", "k"], 19),
        (["end"], 90),
        (["end", "down"], 90),
        (["end", "pageup"], 80),
        (["end", "home"], 0),
    ],
)
def test_moving_stays_within_what_there_is(keys, offset):
    assert press(TopState(), *keys).offset == offset
    assert press(TopState(), *keys, rows=10, count=3).offset == 0


def test_sorting_goes_through_all_columns_and_begins_at_the_top():
    state = TopState(offset=7, reverse=True)
    after = press(state, "s")
    assert (after.sort, after.offset, after.reverse) == ("UP", 0, False)
    assert press(after, "left").sort == "DOWN"
    assert press(state, *["s"] * len(SORTS)).sort == state.sort


def test_filters_go_round():
    assert press(TopState(), "f").shown == "active"
    assert press(TopState(), *["f"] * len(FILTERS)) == TopState()


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("shown", FILTERS)
def test_the_daemon_understands(sort, shown):
    asked = TopState(sort=sort, shown=shown, offset=3).query(5)
    query = TorrentQuery.parse(
        {key: str(value) for key, value in asked.items() if value is not None}
    )
    assert query.sort[0][0] == SORTS[sort]
    assert (query.offset, query.limit, query.totals) == (3, 5, True)
    assert query.states <= STATE_NAMES


def test_words_begin_with_a_and_amounts_with_the_largest():
    first = {sort: TopState(sort=sort).query(None)["sort"].partition(",")[0] for sort in SORTS}
    assert (first["NAME"], first["ETA"], first["RATIO"]) == ("name", "eta", "-ratio")
    assert TopState(sort="NAME", reverse=True).query(1)["sort"].startswith("-name,")
