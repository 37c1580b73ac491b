from __future__ import annotations

import asyncio

import pytest

from millstream.engine.engine_events import TorrentAdded, TorrentRemoved
from millstream.engine.events import EventHub
from millstream.errors import StorageError
from millstream.http_server.fields import Fields
from millstream.rpc.config import ControlConfig
from millstream.rpc.control import Control
from millstream.rpc.engine_settings import EngineSettings
from millstream.rpc.refusals import Refusal


@pytest.fixture
def control():
    return Control(ControlConfig())


def test_without_an_engine_there_are_no_torrents(control):
    status = control.status()
    assert (status["running"], status["port"]) == (False, None)
    with pytest.raises(Refusal) as caught:
        control.torrent("ab" * 20)
    assert (caught.value.status, caught.value.code) == (400, "EngineNotRunning")


@pytest.mark.parametrize("name", ["", "x", "ab" * 19, "zz" * 20, "ab" * 21, "é" * 40])
def test_what_is_no_infohash_is_no_torrent(control, name):
    with pytest.raises(Refusal) as caught:
        control.torrent(name)
    assert caught.value.code == "TorrentNotFound"


async def test_what_does_not_run_cannot_be_stopped(control):
    with pytest.raises(Refusal, match="not running"):
        await control.stop()
    await control.close()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "type"),
        ({"type": "url", "data": "x"}, "type"),
        ({"type": "magnet"}, "data"),
        ({"type": "magnet", "data": 7}, "data"),
        ({"type": "magnet", "data": "/etc/passwd"}, "data"),
        ({"type": "magnet", "data": "http://192.0.2.1/x.torrent"}, "data"),
        ({"type": "file", "data": "no base64!"}, "data"),
        ({"type": "file", "data": "\u00e9"}, "data"),
        ({"type": "file", "data": "ZGU=", "storagePath": "x"}, "storagePath"),
        ({"type": "file", "data": "ZGU=", "storagePath": 7}, "storagePath"),
        ({"type": "file", "data": "ZGU=", "peers": "x"}, "peers"),
        ({"type": "file", "data": "ZGU=", "peers": [7]}, "peers[0]"),
        ({"type": "file", "data": "ZGU=", "select": ["1"]}, "select[0]"),
        ({"type": "file", "data": "ZGU=", "paused": "yes"}, "paused"),
        ({"type": "file", "data": "ZGU=", "storage": "/x"}, "storage"),
        ({"type": "file", "data": "ZGU=", "root": "x", "storagePath": "/x"}, "root"),
        ({"type": "file", "data": "ZGU=", "firstLast": 1}, "firstLast"),
    ],
)
async def test_what_is_wrong_with_a_torrent_is_named(control, body, field):
    with pytest.raises(Refusal) as caught:
        await control.add(Fields(body))
    assert (caught.value.status, caught.value.field) == (400, field)


async def test_a_session_that_cannot_be_opened_leaves_no_engine(tmp_path):
    (tmp_path / "file").touch()
    control = Control(ControlConfig(session=tmp_path / "file" / "session.db"))
    with pytest.raises(StorageError):
        await control.start(EngineSettings(control.base))
    assert control.running is None


def test_the_log_is_asked_by_level_and_place(control):
    assert control.logs(level="info", limit=5, component=None, torrent=None)["entries"] == []


class EngineDouble:
    listen_port = 1

    def __init__(self, tell):
        self.torrents = []
        self.tell = tell

    async def add(self, source, *, restored=False):
        torrent = TorrentDouble(source)
        self.torrents.append(torrent)
        self.tell(TorrentAdded(torrent, restored))
        return torrent

    async def remove(self, torrent, *, delete_data):
        self.tell(TorrentRemoved(torrent, delete_data))
        await asyncio.sleep(0)
        self.torrents.remove(torrent)
        torrent.gone()


class TorrentDouble:
    info_hash = "ab" * 20

    def __init__(self, name):
        self.name = name
        self.remembered = 0
        self.trouble = None
        self.hub = EventHub()
        self.listen = self.hub.listen
        self.events = self.hub.subscribe
        self.gone = self.hub.end

    async def remember(self):
        self.remembered += 1
        if self.trouble is not None:
            raise self.trouble


class ObserverDouble:
    def __init__(self, engine):
        self.engine = engine
        self.told = []

    def torrent_entered(self, torrent, *, is_new):
        self.told.append((torrent.name, is_new))

    def torrent_leaving(self, torrent):
        assert torrent in self.engine.torrents
        return lambda: self.told.append((torrent.name, torrent in self.engine.torrents))


async def settled(control):
    while control._farewells:
        await asyncio.wait(control._farewells)


async def test_who_observes_is_told_of_every_torrent(control):
    engine = control._engine = EngineDouble(control.happened)
    await control.add_torrent("a")
    observer = ObserverDouble(engine)
    control.observe(observer)
    added = await control.add_torrent("b")
    await engine.add("of the last run", restored=True)
    await control.remove(added)
    await settled(control)
    assert observer.told == [("a", False), ("b", True), ("of the last run", False), ("b", False)]
    control.unobserve(observer)
    await control.add_torrent("c")
    assert len(observer.told) == 4


async def test_listeners_hear_of_torrents_that_go_by_themselves(control):
    engine = control._engine = EngineDouble(control.happened)
    subscription = control.feed.subscribe()
    added = await control.add_torrent("a")
    await engine.add("of the last run", restored=True)
    await engine.remove(added, delete_data=True)
    await settled(control)
    assert await subscription.take() == [
        {"type": "torrentAdded", "id": added.info_hash, "name": "a"},
        {"type": "torrentRemoved", "id": added.info_hash},
    ]


async def test_what_was_asked_is_saved_before_it_is_answered(control, caplog):
    control._engine = EngineDouble(control.happened)
    torrent = await control.add_torrent("a")
    assert torrent.remembered == 1
    torrent.trouble = StorageError("/s", "disk full")
    await control.remember(torrent)
    assert "is not saved yet: /s: disk full" in caplog.text, "it was done all the same"
