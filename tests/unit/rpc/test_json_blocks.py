from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.rpc import json_blocks as module
from millstream.rpc.json_blocks import BLOCK, TOGETHER, JsonArray, json_blocks

MANY = [{"id": number, "name": "Über \ud800\U0001f600\n"} for number in range(2 * TOGETHER + 1)]


def whole(body):
    return json.dumps(body, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ok": True},
        {"torrents": []},
        {"torrents": MANY[:TOGETHER], "x": 1.5},
        {"ok": True, "torrents": MANY, "count": len(MANY)},
        {"a": MANY, "b": MANY[: TOGETHER + 1], "c": {"d": MANY}, "e": [MANY]},
    ],
)
async def test_as_if_it_were_made_in_one_go(body):
    assert b"".join(await json_blocks(body)) == whole(body)


@given(st.lists(st.lists(st.integers() | st.text() | st.none(), max_size=5), max_size=5))
def test_an_array_is_the_sum_of_its_parts(parts):
    array, elements = JsonArray(), []
    for part in parts:
        array.extend(part)
        elements += part
    assert "".join(array.pieces()).encode() == whole(elements)
    assert len(array) == len(elements)


async def test_an_array_may_be_json_already():
    array = JsonArray()
    array.extend(MANY)
    body = {"torrents": array, "none": JsonArray(), "count": 3}
    assert b"".join(await json_blocks(body)) == whole({"torrents": MANY, "none": [], "count": 3})


async def test_a_long_answer_comes_in_blocks():
    long = "x" * (BLOCK // TOGETHER)
    blocks = await json_blocks({"ok": True, "lines": [long] * (4 * TOGETHER)})
    assert [len(block) >= BLOCK for block in blocks] == [True, True, True, True, False]
    assert len(max(blocks, key=len)) < 2 * BLOCK
    assert len(await json_blocks({"ok": True, "lines": [long] * 4})) == 1


async def test_others_have_their_turn_meanwhile(monkeypatch):
    turns = []

    class Turns:
        async def next(self):
            turns.append(True)

    monkeypatch.setattr(module, "Turns", Turns)
    await json_blocks({"few": MANY[:TOGETHER]})
    assert not turns
    await json_blocks({"many": MANY})
    assert len(turns) == 3
