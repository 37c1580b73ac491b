from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.rpc.refusals import Refusal
from millstream.rpc.torrent_query import MAX_LIMIT, TorrentQuery
from millstream.rpc.torrent_view import FIELDS


def test_nothing_asks_for_everything():
    query = TorrentQuery.parse({})
    assert query == TorrentQuery()
    assert query.fields == tuple(FIELDS)
    assert query.limit is None


def test_everything():
    said = {"fields": "name,id,name", "state": "error,seeding", "name": "\u00dcber"}
    said |= {"sort": "-ratio,name", "offset": "7", "limit": "0", "totals": "true"}
    assert TorrentQuery.parse(said) == TorrentQuery(
        fields=("name", "id"),
        states=frozenset({"error", "seeding"}),
        name="\u00fcber",
        sort=(("ratio", True), ("name", False)),
        offset=7,
        limit=0,
        totals=True,
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fields", "nothing"),
        ("fields", "id,"[:-1] + ",x"),
        ("state", "happy"),
        ("sort", "--name"),
        ("sort", "age"),
        ("limit", "-1"),
        ("limit", ""),
        ("limit", str(MAX_LIMIT + 1)),
        ("offset", "\u0661"),
        ("totals", "perhaps"),
        ("name", "x" * 2000),
        ("nmae", "x"),
    ],
)
def test_what_makes_no_sense_is_named(key, value):
    with pytest.raises(Refusal) as caught:
        TorrentQuery.parse({key: value})
    assert (caught.value.status, caught.value.field) == (400, key)


_KEYS = st.sampled_from(["fields", "state", "name", "sort", "offset", "limit", "totals", "x"])
_VALUES = st.text(max_size=20) | st.sampled_from(["-name", "id", "error", "3", "true"])


@given(st.dictionaries(_KEYS, _VALUES))
def test_any_query_is_understood_or_refused(query):
    try:
        parsed = TorrentQuery.parse(query)
    except Refusal:
        return
    assert set(parsed.fields) <= set(FIELDS)
    assert parsed.offset >= 0
