from __future__ import annotations

import asyncio
import errno

import pytest

from millstream.errors import (
    ConfigError,
    DuplicateTorrentError,
    EngineClosedError,
    StorageError,
)
from millstream.protocol.metainfo import FileEntry
from millstream.protocol.metainfo_building import build
from millstream.service import watch_files
from millstream.service import watch_folder as module
from millstream.service.config import AfterAdding, WatchConfig
from millstream.service.watch_folder import PATIENCE, WatchFolder


def torrent(name):
    return build(name, [FileEntry((name,), 1)], 16384, bytes(20), is_multi_file=False)


class EngineDouble:
    def __init__(self):
        self.names = []
        self.saved = []
        self.refusal = None
        self.cannot_save = None

    async def add(self, torrent, config):
        if self.refusal is not None:
            raise self.refusal
        if torrent.name in self.names:
            raise DuplicateTorrentError(f"{torrent.name!r} is in the engine already")
        self.names.append(torrent.name)

    async def save(self):
        if self.cannot_save is not None:
            raise self.cannot_save
        self.saved = list(self.names)


@pytest.fixture
def engine():
    return EngineDouble()


@pytest.fixture
def put(tmp_path):
    def put(name, data=None):
        data = torrent(name.partition(".")[0]) if data is None else data
        (tmp_path / name).write_bytes(data)

    return put


@pytest.fixture
def folder(tmp_path, engine):
    return WatchFolder(WatchConfig(folder=str(tmp_path)), engine.add, engine.save)


@pytest.fixture
def log(caplog):
    caplog.set_level("INFO", logger="millstream.service")
    return caplog


def names(tmp_path):
    return sorted(path.name for path in tmp_path.iterdir())


async def looks(folder, *times):
    for now in times:
        await folder.look(now)


async def test_what_is_new_and_whole_is_added_saved_and_renamed(folder, put, tmp_path, engine):
    put("a.torrent")
    await looks(folder, 0)
    assert engine.names == [], "it may still be growing"
    await looks(folder, 5)
    assert engine.saved == ["a"]
    assert names(tmp_path) == ["a.torrent.added"]
    put("b.torrent", b"")
    await looks(folder, 10)
    put("b.torrent")
    await looks(folder, 15)
    assert engine.names == ["a"], "it grew between the two looks"
    await looks(folder, 20)
    assert engine.names == ["a", "b"]


@pytest.mark.parametrize(
    ("after", "left"),
    [
        (AfterAdding.RENAME, ["a.torrent.added", "done"]),
        (AfterAdding.DELETE, ["done"]),
        (AfterAdding.MOVE, ["done"]),
    ],
)
async def test_what_becomes_of_the_file(put, tmp_path, engine, after, left):
    put("a.torrent")
    done = tmp_path / "done"
    done.mkdir()
    move_to = str(done) if after is AfterAdding.MOVE else None
    config = WatchConfig(folder=str(tmp_path), after=after, move_to=move_to)
    await looks(WatchFolder(config, engine.add, engine.save), 0, 5)
    assert names(tmp_path) == left
    assert names(done) == (["a.torrent"] if move_to else [])


async def test_a_duplicate_counts_as_added(folder, put, tmp_path, engine, log):
    engine.names = ["a"]
    put("a.torrent")
    await looks(folder, 0, 5)
    assert names(tmp_path) == ["a.torrent.added"]
    assert "'a.torrent' is in the engine already" in log.messages


async def test_what_makes_no_torrent_is_put_aside_once_and_not_at_once(
    folder, put, tmp_path, engine, log
):
    put("a.torrent", b"no torrent")
    await looks(folder, 0, 5, PATIENCE - 1)
    assert names(tmp_path) == ["a.torrent"], "a copy over a network may pause"
    await looks(folder, PATIENCE, PATIENCE + 5)
    assert names(tmp_path) == ["a.torrent.invalid"]
    (message,) = log.messages
    assert message.startswith("'a.torrent' makes no torrent and is put aside: ")


async def test_what_is_too_long_need_not_be_waited_for(folder, tmp_path):
    with (tmp_path / "a.torrent").open("wb") as file:
        file.truncate(101 << 20)
    await looks(folder, 0, 5)
    assert names(tmp_path) == ["a.torrent.invalid"]


async def test_what_may_not_be_read_is_put_aside(folder, put, tmp_path, monkeypatch, log):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    put("a.torrent")
    monkeypatch.setattr(watch_files, "load", refuse)
    await looks(folder, 0, 5, PATIENCE)
    assert names(tmp_path) == ["a.torrent.invalid"]
    assert log.messages == ["'a.torrent' makes no torrent and is put aside: Permission denied"]


async def test_nothing_is_put_away_before_it_is_saved(folder, put, tmp_path, engine, log):
    put("a.torrent")
    engine.cannot_save = StorageError("/s", "full")
    await looks(folder, 0, 5, 10)
    assert names(tmp_path) == ["a.torrent"]
    assert log.messages.count("what was added cannot be saved: /s: full") == 1
    engine.cannot_save = None
    await looks(folder, 15)
    assert (names(tmp_path), engine.saved) == (["a.torrent.added"], ["a"])


async def test_after_a_crash_before_the_rename_it_is_a_duplicate(put, tmp_path, engine):
    put("a.torrent")
    engine.names = engine.saved = ["a"]
    again = WatchFolder(WatchConfig(folder=str(tmp_path)), engine.add, engine.save)
    await looks(again, 0, 5)
    assert (names(tmp_path), engine.names) == (["a.torrent.added"], ["a"])


async def test_without_an_engine_files_wait(folder, put, tmp_path, engine, log):
    put("a.torrent")
    engine.refusal = EngineClosedError("the engine is not running")
    await looks(folder, 0, 5, 100)
    assert (names(tmp_path), log.messages) == (["a.torrent"], [])
    engine.refusal = None
    await looks(folder, 105)
    assert engine.names == ["a"]


async def test_a_fault_that_is_not_the_files_is_told_once(folder, put, tmp_path, engine, log):
    put("a.torrent")
    engine.refusal = ConfigError("there is no root 'x'")
    await looks(folder, 0, 5, 100, 200)
    assert names(tmp_path) == ["a.torrent"]
    assert log.messages == ["'a.torrent' cannot be added: there is no root 'x'"]


async def test_what_cannot_be_put_away_is_not_added_again(put, tmp_path, engine, log):
    put("a.torrent")
    config = WatchConfig(
        folder=str(tmp_path), after=AfterAdding.MOVE, move_to=str(tmp_path / "none")
    )
    await looks(WatchFolder(config, engine.add, engine.save), 0, 5, 10, 15)
    assert names(tmp_path) == ["a.torrent"]
    assert log.messages == [
        "'a.torrent' was added from the watch folder",
        "'a.torrent' stays where it is: there is no such folder",
    ]


async def test_a_folder_that_goes_and_comes_back(engine, put, tmp_path, log):
    place = tmp_path / "disk"
    folder = WatchFolder(WatchConfig(folder=str(place)), engine.add, engine.save)
    await looks(folder, 0, 5)
    place.mkdir()
    (place / "a.torrent").write_bytes(torrent("a"))
    await looks(folder, 10, 15)
    assert engine.names == ["a"]
    assert log.messages[0].endswith("cannot be read: No such file or directory")
    assert log.messages[1].endswith("is back")


async def test_many_are_saved_in_batches(folder, put, engine, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 2)
    saved = []

    async def save():
        saved.append(len(engine.names))

    folder._save = save
    for number in range(5):
        put(f"t{number}.torrent")
    await looks(folder, 0, 5)
    assert saved == [2, 4, 5]


async def test_a_look_that_fails_is_not_the_last(folder, monkeypatch, log):
    seen = []

    async def look(now):
        seen.append(now)
        if len(seen) > 1:
            raise asyncio.CancelledError
        raise ZeroDivisionError

    async def at_once(_):
        """No waiting."""

    monkeypatch.setattr(folder, "look", look)
    monkeypatch.setattr(module.asyncio, "sleep", at_once)
    with pytest.raises(asyncio.CancelledError):
        await folder.run()
    assert len(seen) == 2
    assert log.messages[0].startswith("looking at the watch folder")
