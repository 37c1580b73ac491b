from __future__ import annotations

import asyncio

from millstream.rpc import turns
from millstream.rpc.turns import Turns


async def test_a_turn_lasts_for_a_while(monkeypatch):
    monkeypatch.setattr(turns, "TURN_TIME", 3600.0)
    had_theirs = asyncio.create_task(asyncio.sleep(0))
    ours = Turns()
    assert [await ours.next() for _ in range(3)] == [False, False, False]
    assert not had_theirs.done()
    await had_theirs


async def test_when_it_is_over_others_have_theirs(monkeypatch):
    monkeypatch.setattr(turns, "TURN_TIME", 0.0)
    ours, seen = Turns(), []

    async def other():
        seen.append("other")

    task = asyncio.create_task(other())
    assert await ours.next() is True
    assert seen == ["other"]
    await task


async def test_every_turn_has_its_own_time(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now[0], raising=True)
    ours, had = Turns(), []
    for _ in range(6):
        now[0] += turns.TURN_TIME / 2
        had.append(await ours.next())
    assert had == [False, True] * 3
