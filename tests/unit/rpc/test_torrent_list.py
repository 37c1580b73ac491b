from __future__ import annotations

import asyncio

import pytest

from millstream import TorrentState
from millstream.rpc.torrent_list import TURN, list_torrents
from millstream.rpc.torrent_query import TorrentQuery

from .torrent_double import TorrentDouble

THREE = (
    TorrentDouble("b", upload_rate=5.0, peers=1, eta=None),
    TorrentDouble("A", TorrentState.DOWNLOADING, download_rate=2.5, peers=2, eta=7.0, idle="?"),
    TorrentDouble("c", TorrentState.STOPPED, eta=3.0),
)


async def names(**query):
    query.setdefault("fields", "name")
    answer = await list_torrents(lambda: THREE, TorrentQuery.parse(query))
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
    answer = await list_torrents(lambda: THREE, query)
    assert answer["totals"] == {
        "torrents": 3,
        "peers": 3,
        "downloadRate": 2,
        "uploadRate": 5,
        "states": {"downloading": 1, "seeding": 1, "stopped": 1},
    }
    assert (await list_torrents(list, query))["totals"]["states"] == {}


async def test_only_those_shown_are_looked_at_closely():
    torrents = [TorrentDouble(str(number), peers=number) for number in range(4)]
    query = TorrentQuery.parse({"fields": "whyIdle,name", "sort": "-peers", "limit": "1"})
    answer = await list_torrents(lambda: torrents, query)
    assert answer["torrents"] == [{"whyIdle": "", "name": "3"}]
    assert [torrent.asked for torrent in torrents] == [*[["status"]] * 3, ["status", "why_idle"]]


async def test_others_have_their_turn_meanwhile():
    turns = 0

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    many = [THREE[0]] * (4 * TURN)
    await list_torrents(lambda: many, TorrentQuery.parse({"fields": "id"}))
    task.cancel()
    assert turns >= 6


async def test_those_that_leave_meanwhile_are_passed_over():
    torrents = [TorrentDouble(str(number)) for number in range(TURN + 2)]

    async def leave():
        torrents.pop()

    task = asyncio.create_task(leave())
    answer = await list_torrents(lambda: list(torrents), TorrentQuery.parse({"fields": "name"}))
    await task
    assert [torrent["name"] for torrent in answer["torrents"]][-1] == str(TURN)
    assert len(answer["torrents"]) == TURN + 1
