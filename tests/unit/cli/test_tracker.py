from __future__ import annotations

import asyncio
import contextlib
import re

import aiohttp
import pytest
import typer

from millstream.cli.display import Silent
from millstream.cli.tracker import host_is_given, parse_infohashes, track
from millstream.errors import NetworkError
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import ScrapeEntry
from millstream.tracker.registry import RegistryConfig
from millstream.tracker_service.config import TrackerServiceConfig

TORRENT = InfoHash(b"h" * 20)
LOCAL = TrackerServiceConfig(hosts=("127.0.0.1",), port=0)


class Recording(Silent):
    def __init__(self):
        self.events = asyncio.Queue()
        self.notes = []
        self.looks = asyncio.Queue()

    def event(self, name, sentence="", /, *, good=None, **facts):
        self.events.put_nowait((name, sentence, facts))

    def note(self, sentence, /):
        self.notes.append(sentence)

    def swarms(self, swarms):
        if swarms:
            self.looks.put_nowait(swarms)


@contextlib.asynccontextmanager
async def tracking(config=LOCAL):
    display = Recording()
    task = asyncio.create_task(track(display, config, interval=0.001))
    yield display
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_says_where_it_is_first_and_then_how_its_swarms_stand():
    async with tracking() as display:
        name, sentence, facts = await display.events.get()
        assert name == "tracking"
        assert sentence == (
            f"Tracking everything at {facts['http_url']} and {facts['udp_url']}; Ctrl-C stops."
        )
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/announce", facts["http_url"])
        assert facts["udp_url"] == f"udp://127.0.0.1:{facts['port']}/announce"
        assert (facts["hosts"], facts["interval"]) == (["127.0.0.1"], 1800)
        query = f"?info_hash={'h' * 20}&peer_id={'p' * 20}&port=1"
        async with aiohttp.ClientSession() as session, session.get(facts["http_url"] + query):
            pass
        (counts,) = (await display.looks.get()).items()
        assert counts == (TORRENT, ScrapeEntry(0, 0, 1))
        assert display.notes == []


async def test_says_how_many_torrents_and_how_to_reach_it():
    config = TrackerServiceConfig(
        port=0, http=False, registry=RegistryConfig(allowed=frozenset([TORRENT]))
    )
    async with tracking(config) as display:
        _, sentence, facts = await display.events.get()
        assert sentence == f"Tracking 1 torrent at {facts['udp_url']}; Ctrl-C stops."
        assert facts["http_url"] is None
        await asyncio.sleep(0)
        assert display.notes == ["From elsewhere it is reached by this machine's name or address."]


async def test_a_taken_port_is_an_error():
    async with tracking() as display:
        _, _, facts = await display.events.get()
        config = TrackerServiceConfig(hosts=("127.0.0.1",), port=facts["port"])
        with pytest.raises(NetworkError, match="cannot listen on port"):
            await track(Recording(), config)


def test_infohashes():
    assert parse_infohashes(None) is None
    assert parse_infohashes([str(TORRENT).upper()]) == {TORRENT}
    with pytest.raises(typer.BadParameter, match="not an infohash: 'x'"):
        parse_infohashes(["x"])


def test_whether_it_listens_everywhere():
    assert host_is_given(["127.0.0.1"])
    assert not host_is_given(["127.0.0.1", "::"])
