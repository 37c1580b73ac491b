from __future__ import annotations

import asyncio

from millstream.engine.announce_turns import AnnounceTurns
from millstream.testing import in_virtual_time


class Torrent:
    """Wants to announce, and keeps its turn until it is told to give it back."""

    def __init__(self, turns, log):
        self.turns = turns
        self.log = log
        self.is_willing = True
        self.needs_peers = False

    def proceed(self):
        if self.is_willing and self.turns.take(self, needs_peers=self.needs_peers):
            self.log.append((asyncio.get_running_loop().time(), self))


def line_up(turns, count):
    log = []
    torrents = [Torrent(turns, log) for _ in range(count)]
    for torrent in torrents:
        torrent.proceed()
    return torrents, log


@in_virtual_time
class TestAnnounceTurns:
    async def test_a_few_need_not_wait(self):
        torrents, log = line_up(AnnounceTurns(per_second=10), 10)
        assert [torrent for _, torrent in log] == torrents

    async def test_many_come_one_after_the_other(self):
        torrents, log = line_up(AnnounceTurns(per_second=10), 100)
        await asyncio.sleep(100)
        assert [torrent for _, torrent in log] == torrents
        for number, (at, _) in enumerate(log):
            assert abs(at - max(0.0, (number - 9) / 10)) < 0.01

    async def test_nobody_begins_where_too_many_announce(self):
        turns = AnnounceTurns(per_second=100, most=3)
        torrents, log = line_up(turns, 5)
        await asyncio.sleep(10)
        assert len(log) == 3
        turns.give_back()
        await asyncio.sleep(10)
        assert [torrent for _, torrent in log] == torrents[:4]

    async def test_downloads_come_before_seeds(self):
        turns = AnnounceTurns(per_second=1)
        torrents, log = line_up(turns, 5)
        late = Torrent(turns, log)
        late.needs_peers = torrents[3].needs_peers = True
        late.proceed()
        torrents[3].proceed()  # it waits already, and lacks something by now
        await asyncio.sleep(10)
        first, *rest, needy = torrents[:4]
        assert [torrent for _, torrent in log] == [first, late, needy, *rest, torrents[4]]

    async def test_a_seed_is_not_forgotten_behind_endless_downloads(self):
        turns = AnnounceTurns(per_second=1)
        (first, seed), log = line_up(turns, 2)
        assert [torrent for _, torrent in log] == [first]
        for _ in range(50):
            download = Torrent(turns, log)
            download.needs_peers = True
            download.proceed()
        await asyncio.sleep(100)
        assert len(log) == 52
        assert [torrent for _, torrent in log].index(seed) == 10

    async def test_who_left_is_passed_over(self):
        turns = AnnounceTurns(per_second=1, most=10)
        torrents, log = line_up(turns, 4)
        turns.leave(torrents[1])
        await asyncio.sleep(10)
        assert [torrent for _, torrent in log] == [torrents[0], *torrents[2:]]

    async def test_who_has_nothing_to_say_when_its_turn_comes_takes_no_place(self):
        turns = AnnounceTurns(per_second=10, most=1)
        torrents, log = line_up(turns, 3)
        torrents[1].is_willing = False
        await asyncio.sleep(10)
        turns.give_back()
        await asyncio.sleep(10)
        assert [torrent for _, torrent in log] == [torrents[0], torrents[2]]

    async def test_nobody_is_called_after_the_end(self):
        turns = AnnounceTurns(per_second=1)
        _, log = line_up(turns, 3)
        turns.close()
        await asyncio.sleep(10)
        assert len(log) == 1
