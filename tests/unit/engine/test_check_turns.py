from __future__ import annotations

import asyncio

from millstream.engine.check_turns import CheckTurns
from millstream.protocol.infohash import InfoHash
from millstream.testing.virtual_time import run_virtual


def torrent(number):
    return InfoHash(number.to_bytes(20, "big"))


def rank(info_hash):
    return int.from_bytes(info_hash, "big")


class Reading:
    """Torrents that read their files, a second each."""

    def __init__(self, limit):
        self.turns = CheckTurns(limit, rank)
        self.began = []
        self.tasks = {}

    def begin(self, *numbers, is_exempt=False):
        for number in numbers:
            self.tasks[number] = asyncio.create_task(self.read(number, is_exempt=is_exempt))

    async def read(self, number, *, is_exempt):
        async with self.turns.turn(torrent(number), is_exempt=is_exempt):
            self.began.append((number, asyncio.get_running_loop().time()))
            await asyncio.sleep(1)

    async def finish(self):
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        assert len(self.turns._waiting) == self.turns._reading == 0


def test_so_many_read_at_a_time_in_the_order_of_the_queue():
    async def story():
        reading = Reading(2)
        reading.begin(5, 4, 3, 1, 2)
        await asyncio.sleep(0.5)
        assert [reading.turns.is_waiting(torrent(number)) for number in (1, 5)] == [True, False]
        await reading.finish()
        assert reading.began == [(5, 0), (4, 0), (1, 1), (2, 1), (3, 2)]

    run_virtual(story())


def test_who_is_exempt_neither_waits_nor_counts():
    async def story():
        reading = Reading(1)
        reading.begin(1, 2, is_exempt=True)
        reading.begin(3)
        await reading.finish()
        assert {when for _, when in reading.began} == {0}

    run_virtual(story())


def test_a_check_that_is_cancelled_gives_its_turn_away():
    async def story():
        reading = Reading(1)
        reading.begin(1, 2, 3)
        await asyncio.sleep(0.5)
        reading.tasks[2].cancel()  # it waits
        reading.tasks[1].cancel()  # it reads
        await reading.finish()
        assert reading.began == [(1, 0), (3, 0.5)]

    run_virtual(story())


def test_a_check_that_is_cancelled_when_its_turn_comes():
    async def story():
        reading = Reading(1)
        reading.begin(1, 2, 3)
        await asyncio.sleep(0)
        reading.tasks[1].cancel()
        await asyncio.sleep(0)  # now it is the second's turn, which has not noticed yet
        assert not reading.turns.is_waiting(torrent(2))
        reading.tasks[2].cancel()
        await reading.finish()
        assert reading.began == [(1, 0), (3, 0)]

    run_virtual(story())


def test_the_limit_may_change():
    async def story():
        reading = Reading(1)
        reading.begin(1, 2, 3, 4, 5)
        await asyncio.sleep(0.5)
        reading.turns.limit = 3
        assert reading.turns.limit == 3
        await asyncio.sleep(0.25)
        reading.turns.limit = 1
        await reading.finish()
        assert reading.began == [(1, 0), (2, 0.5), (3, 0.5), (4, 1.5), (5, 2.5)]

    run_virtual(story())
