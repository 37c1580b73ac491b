from __future__ import annotations

import asyncio

import pytest

from millstream.cli.following import Following
from millstream.errors import StorageError, TorrentFailedError

from .shown import URL, Recording, peer, status, tracker


class Looking(Recording):
    def __init__(self):
        super().__init__()
        self.fifth = asyncio.Event()

    def transfer(self, snapshot):
        super().transfer(snapshot)
        if len(self.snapshots) == 5:
            self.fifth.set()


class Torrent:
    """What a torrent shows of itself."""

    name = "x"

    def __init__(self, error=None, trackers=(), **values):
        self.error = error
        self._trackers = list(trackers)
        self._status = status(**values)

    def status(self):
        return self._status

    def piece_states(self):
        return b"\2"

    def trackers(self):
        return self._trackers

    def peers(self):
        return [peer()]


async def test_the_last_thing_shown_is_how_it_ended():
    display = Looking()
    await Following(display, Torrent(), interval=60).until(asyncio.sleep(0))
    (shown,) = display.snapshots
    assert (shown.name, shown.pieces, shown.peers) == ("x", b"\2", None)
    assert shown.status == status()


async def test_shown_again_and_again_until_it_is_over():
    display, over = Looking(), asyncio.Event()
    following = asyncio.create_task(Following(display, Torrent(), interval=0).until(over.wait()))
    await display.fifth.wait()
    over.set()
    await following
    assert len(display.snapshots) >= 5


async def test_the_cause_of_a_failure_is_raised():
    async def fail():
        raise TorrentFailedError("stopped")

    cause = StorageError("/x", "full")
    with pytest.raises(StorageError):
        await Following(Looking(), Torrent(cause)).until(fail())
    with pytest.raises(TorrentFailedError):
        await Following(Looking(), Torrent()).until(fail())
    with pytest.raises(StorageError):
        await Following(Looking(), Torrent(cause)).until_cancelled()


async def test_nothing_is_left_behind_when_it_is_cancelled():
    end = asyncio.Event().wait()
    following = asyncio.create_task(Following(Looking(), Torrent()).until(end))
    await asyncio.sleep(0)
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_trackers_failure_is_told_once():
    display = Looking()
    torrent = Torrent(trackers=[tracker("failed", error="gone")], peers=0, seeds=0)
    following = Following(display, torrent)
    following.show()
    following.show()
    assert [sentence for _, sentence, _ in display.events] == [f"Tracker {URL}: gone"]
    assert display.snapshots[-1].waiting_for == "the tracker fails"


@pytest.mark.parametrize(
    ("state", "peers", "words"),
    [
        ("downloading", 0, "trying 2 known peers"),
        ("fetching metadata", 0, "trying 2 known peers"),
        ("downloading", 1, ""),
        ("checking", 0, ""),
    ],
)
async def test_who_waits_says_for_what(state, peers, words):
    torrent = Torrent(state=state, peers=peers)
    assert Following(Looking(), torrent, named_peers=2).snapshot().waiting_for == words


async def test_peers_are_shown_if_wanted():
    assert Following(Looking(), Torrent(), show_peers=True).snapshot().peers == [peer()]
