from __future__ import annotations

import asyncio
import random

from millstream.adapters.memory.http import MemoryHttp, MemoryWeb
from millstream.interfaces.http import HttpRequest
from millstream.protocol.bencode import decode
from millstream.testing import run_virtual
from millstream.testing.tracker import MemoryTracker
from millstream.tracker.announce import AnnounceEvent
from millstream.tracker.registry import RegistryConfig


def query(number, more=""):
    return f"?info_hash={'%ff' * 20}&peer_id={number:020}&port={number}{more}"


class Client:
    def __init__(self, web, number):
        self.number = number
        self.address = f"192.0.2.{number}"
        self.http = MemoryHttp(web, self.address)

    async def announce(self, tracker, more=""):
        url = tracker.url + query(self.number, more)
        return decode((await self.http.get(HttpRequest(url=url))).body)


def test_clients_of_a_simulated_web_find_each_other():
    async def story(rng: random.Random) -> None:
        web = MemoryWeb()
        tracker = MemoryTracker(web, rng, RegistryConfig(interval=100), latency=0.5)
        first, second = Client(web, 1), Client(web, 2)
        assert (await first.announce(tracker, "&event=started&left=0"))[b"peers"] == b""
        assert asyncio.get_running_loop().time() == 1.0
        answer = await second.announce(tracker)
        assert answer[b"peers"] == bytes((192, 0, 2, 1, 0, 1))
        assert answer[b"complete"] == 1
        await asyncio.sleep(199)
        assert (await second.announce(tracker))[b"complete"] == 0
        assert [client for client, _ in tracker.announces] == ["192.0.2.1"] + 2 * ["192.0.2.2"]
        assert tracker.announces[0][1].event is AnnounceEvent.STARTED

    run_virtual(story, seed=1)


def test_scrapes_failures_and_outages():
    async def story(rng: random.Random) -> None:
        web = MemoryWeb()
        tracker = MemoryTracker(web, rng, host="t.test", port=6969)
        assert tracker.url == "http://t.test:6969/announce"
        client = Client(web, 1)
        await client.announce(tracker)
        url = "http://t.test:6969/scrape?info_hash=" + "%ff" * 20
        answer = decode((await client.http.get(HttpRequest(url=url))).body)
        assert answer[b"files"][b"\xff" * 20][b"incomplete"] == 1
        bad = decode((await client.http.get(HttpRequest(url=tracker.url))).body)
        assert b"failure reason" in bad
        elsewhere = HttpRequest(url="http://t.test:6969/")
        assert (await client.http.get(elsewhere)).status == 404
        tracker.is_down = True
        assert (await client.http.get(HttpRequest(url=url))).status == 503
        assert len(tracker.announces) == 1

    run_virtual(story, seed=1)


def test_a_clock_of_its_own():
    async def story(rng: random.Random) -> None:
        now = 0.0
        web = MemoryWeb()
        tracker = MemoryTracker(web, rng, RegistryConfig(interval=100), clock=lambda: now)
        await Client(web, 1).announce(tracker)
        now = 200.0
        assert (await Client(web, 2).announce(tracker))[b"incomplete"] == 1

    run_virtual(story, seed=1)
