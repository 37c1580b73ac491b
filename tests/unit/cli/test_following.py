from __future__ import annotations

import asyncio

import pytest

from millstream.cli.display import Silent
from millstream.cli.following import follow, keep_showing
from millstream.errors import StorageError, TorrentFailedError


class Recording(Silent):
    def __init__(self):
        self.shown = []
        self.fifth = asyncio.Event()

    def transfer(self, name, status, pieces):
        self.shown.append((name, status, pieces))
        if len(self.shown) == 5:
            self.fifth.set()


class Torrent:
    """What a torrent shows of itself."""

    name = "x"

    def __init__(self, error=None):
        self.error = error
        self.asked = 0

    def status(self):
        self.asked += 1
        return self.asked

    def piece_states(self):
        return b"\2"


async def test_the_last_thing_shown_is_how_it_ended():
    display = Recording()
    await follow(display, Torrent(), asyncio.sleep(0), interval=60)
    assert display.shown == [("x", 1, b"\2")]


async def test_shown_again_and_again_until_it_is_over():
    display, over = Recording(), asyncio.Event()
    following = asyncio.create_task(follow(display, Torrent(), over.wait(), interval=0))
    await display.fifth.wait()
    over.set()
    await following
    assert len(display.shown) >= 5


async def test_the_cause_of_a_failure_is_raised():
    async def fail():
        raise TorrentFailedError("stopped")

    cause = StorageError("/x", "full")
    with pytest.raises(StorageError):
        await follow(Recording(), Torrent(cause), fail(), interval=60)
    with pytest.raises(TorrentFailedError):
        await follow(Recording(), Torrent(), fail(), interval=60)
    with pytest.raises(StorageError):
        await keep_showing(Recording(), Torrent(cause))


async def test_nothing_is_left_behind_when_it_is_cancelled():
    following = asyncio.create_task(follow(Recording(), Torrent(), asyncio.Event().wait()))
    await asyncio.sleep(0)
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
