from __future__ import annotations

import asyncio
import json
import random

import pytest

from millstream import TorrentState
from millstream.rpc import turns
from millstream.rpc.json_blocks import json_blocks
from millstream.rpc.torrent_list import TOGETHER, list_torrents
from millstream.rpc.torrent_query import TorrentQuery
from millstream.rpc.torrent_view import torrent_view

from .torrent_double import TorrentDouble

THREE = (
    TorrentDouble("b", upload_rate=5.0, peers=1, eta=None),
    TorrentDouble("A", TorrentState.DOWNLOADING, download_rate=2.5, peers=2, eta=7.0, idle="?"),
    TorrentDouble("c", TorrentState.STOPPED, eta=3.0),
)


class EngineDouble:
    """Has these torrents."""

    def __init__(self, torrents):
        for number, torrent in enumerate(torrents):
            torrent.info_hash = f"{number:040x}"
        self.here = {torrent.info_hash: torrent for torrent in torrents}

    @property
    def torrents(self):
        return list(self.here.values())

    def find(self, info_hash):
        return self.here.get(info_hash)


async def listed(torrents, query):
    """What a client reads."""
    engine = torrents if isinstance(torrents, EngineDouble) else EngineDouble(torrents)
    return json.loads(b"".join(await json_blocks(await list_torrents(engine, query))))


async def names(**query):
    query.setdefault("fields", "name")
    answer = await listed(THREE, TorrentQuery.parse(query))
    return "".join([torrent["name"] for torrent in answer["torrents"]]), answer["count"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, "bAc"),
        ({"sort": "name"}, "Abc"),
        ({"sort": "-name"}, "cbA"),
        ({"sort": "-peers"}, "Abc"),
        # Who has no value is last in both directions.
        ({"sort": "eta"}, "cAb"),
        ({"sort": "-eta"}, "Acb"),
        ({"sort": "progress,-name"}, "cbA"),
        ({"state": "seeding,stopped"}, "bc"),
        ({"name": "a"}, "A"),
        ({"name": "x"}, ""),
    ],
)
async def test_order_and_choice(query, found):
    assert await names(**query) == (found, len(found))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"limit": "2"}, "bA"),
        ({"limit": "0"}, ""),
        ({"offset": "1"}, "Ac"),
        ({"offset": "1", "limit": "1", "sort": "name"}, "b"),
        ({"offset": "9"}, ""),
    ],
)
async def test_a_part_of_the_list_and_the_length_of_all(query, found):
    assert await names(**query) == (found, 3)


async def test_sums_are_of_all_torrents():
    query = TorrentQuery.parse({"fields": "id", "state": "error", "totals": "1"})
    answer = await listed(THREE, query)
    assert answer["totals"] == {
        "torrents": 3,
        "peers": 3,
        "downloadRate": 2,
        "uploadRate": 5,
        "states": {"downloading": 1, "seeding": 1, "stopped": 1},
    }
    assert (await listed([], query))["totals"]["states"] == {}


async def test_only_those_shown_are_looked_at_closely():
    torrents = [TorrentDouble(str(number), peers=number) for number in range(4)]
    query = TorrentQuery.parse({"fields": "whyIdle,name", "sort": "-peers", "limit": "1"})
    answer = await listed(torrents, query)
    assert answer["torrents"] == [{"whyIdle": "", "name": "3"}]
    assert [torrent.asked for torrent in torrents] == [*[["status"]] * 3, ["status", "why_idle"]]


async def test_it_is_the_same_as_if_it_were_made_in_one_go():
    rng = random.Random(7)
    many = [
        TorrentDouble(
            f"{rng.randrange(40):02}",
            rng.choice(list(TorrentState)),
            download_rate=rng.choice([0.0, 1.5, 70.25]),
            peers=rng.randrange(3),
            eta=rng.choice([None, 1.0, 2.0]),
        )
        for _ in range(3 * TOGETHER + 1)
    ]
    plain = await json_blocks(await list_torrents(EngineDouble(many), TorrentQuery()))
    views = [torrent_view(torrent) for torrent in many]
    told = {"torrents": views, "count": len(many)}
    assert b"".join(plain) == json.dumps(told, separators=(",", ":")).encode()
    query = TorrentQuery.parse({"sort": "-eta,name,-peers", "state": "seeding,error,queued"})
    views = [view for view in views if view["state"] in query.states]
    views.sort(key=lambda view: view["peers"], reverse=True)
    views.sort(key=lambda view: view["name"])
    views.sort(key=lambda view: view["eta"] or 0.0, reverse=True)
    assert await listed(many, query) == {"torrents": views, "count": len(views)}


async def test_others_have_their_turn_meanwhile(monkeypatch):
    monkeypatch.setattr(turns, "TURN_TIME", 0.0)
    had = 0

    async def other():
        nonlocal had
        while True:
            had += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    many = [TorrentDouble() for _ in range(4 * TOGETHER)]
    await listed(many, TorrentQuery.parse({"fields": "id", "sort": "name"}))
    task.cancel()
    assert had >= 8


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("left", [slice(0, 1), slice(-1, None), slice(2, 2 * TOGETHER + 1)])
@pytest.mark.parametrize("sort", ["name", ""])
async def test_those_that_leave_meanwhile_are_passed_over(monkeypatch, turn, left, sort):
    torrents = [TorrentDouble(f"{number:04}") for number in range(3 * TOGETHER)]
    engine = EngineDouble(torrents)
    turns_left = turn

    class Turns:
        async def next(self):
            nonlocal turns_left
            turns_left -= 1
            if not turns_left:
                for torrent in torrents[left]:
                    del engine.here[torrent.info_hash]
                    del torrent.queue_position  # of one that has left nothing can be said

    monkeypatch.setattr("millstream.rpc.torrent_list.Turns", Turns)
    query = TorrentQuery.parse({"fields": "name,queuePosition", "sort": sort})
    answer = await listed(engine, query)
    shown = [torrent["name"] for torrent in answer["torrents"]]
    assert set(shown) >= {torrent.name for torrent in engine.torrents}
    assert shown == sorted(shown)
    assert answer["count"] == len(shown)


async def test_who_is_not_what_was_asked_for_any_more_is_passed_over(monkeypatch):
    monkeypatch.setattr(turns, "TURN_TIME", 0.0)
    torrents = [TorrentDouble(str(number)) for number in range(2)]

    async def stop():
        torrents[0].state = TorrentState.STOPPED

    task = asyncio.create_task(stop())
    query = TorrentQuery.parse({"fields": "name,state", "state": "seeding"})
    answer = await listed(torrents, query)
    await task
    assert answer == {"torrents": [{"name": "1", "state": "seeding"}], "count": 1}
