from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from millstream import EngineConfig, LimitsConfig, NetworkConfig
from millstream.errors import ConfigError, EngineClosedError
from millstream.service.config import LogConfig, ServiceConfig, WatchConfig
from millstream.service.service import Service
from millstream.settings.catalogue import UserSettings


class RootsDouble:
    roots = (SimpleNamespace(token="t1", label="disk"),)  # noqa: S106 - of a root

    def find(self, token):
        return self.roots[0] if token == "t1" else None  # noqa: S105 - of a root


class EngineDouble:
    roots = RootsDouble()

    def __init__(self):
        self.configured = []
        self.saves = 0

    def configure(self, config):
        self.configured.append(config)

    async def save_session(self):
        self.saves += 1


class OwnerDouble:
    def __init__(self):
        self.base = EngineConfig()
        self.running = EngineDouble()
        self.observers = []
        self.added = []

    def observe(self, observer):
        self.observers.append(observer)

    def unobserve(self, observer):
        self.observers.remove(observer)

    async def add_torrent(self, source, **options):
        self.added.append((source, options))


@pytest.fixture
def owner():
    return OwnerDouble()


@pytest.fixture
def readings():
    """What the settings file says, reading by reading."""
    return []


@pytest.fixture
async def service(owner, readings):
    def load():
        reading = readings.pop(0)
        if isinstance(reading, Exception):
            raise reading
        return reading

    async with Service(owner, UserSettings(), load) as running:
        yield running
    assert owner.observers == []


async def test_what_is_read_again_holds(service, owner, readings, caplog):
    caplog.set_level("INFO", logger="millstream.service")
    engine = EngineConfig(limits=LimitsConfig(upload=5000), network=NetworkConfig(listen_port=1))
    log = LogConfig(components=("disk=error",))
    readings += [UserSettings(engine=engine, service=ServiceConfig(log=log))] * 2
    found = await service.reload()
    assert found.in_force == ("limits.upload", "log.components")
    assert found.at_restart == ("network.listen_port",)
    assert owner.base is engine, "for the next engine"
    assert owner.running.configured == [engine]
    assert logging.getLogger("millstream.disk").level == logging.ERROR
    assert not await service.reload()
    assert caplog.messages == [
        "settings read again; in force now: limits.upload, log.components",
        "these hold from the next start on: network.listen_port",
        "settings read again; nothing changed",
    ]


async def test_a_wrong_setting_leaves_all_as_they_are(service, owner, readings):
    before = service.settings
    readings.append(ConfigError("limits.upload is 5"))
    with pytest.raises(ConfigError):
        await service.reload()
    assert service.settings is before
    assert owner.running.configured == []


async def test_without_an_engine_the_next_one_has_them(service, owner, readings):
    owner.running = None
    engine = EngineConfig(limits=LimitsConfig(upload=5000))
    readings.append(UserSettings(engine=engine))
    await service.reload()
    assert owner.base is engine


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({}, {"save_path": None, "root": None, "sequential": False, "start": True}),
        (
            {"save_path": "/s", "paused": True, "sequential": True},
            {"save_path": "/s", "root": None, "sequential": True, "start": False},
        ),
        ({"root": "disk"}, {"save_path": None, "root": "t1", "sequential": False, "start": True}),
        ({"root": "t1"}, {"save_path": None, "root": "t1", "sequential": False, "start": True}),
        ({"root": "no"}, {"save_path": None, "root": "no", "sequential": False, "start": True}),
    ],
)
async def test_torrents_are_added_as_their_folder_says(service, owner, values, wanted):
    await service._add("source", WatchConfig(folder="/in", **values))
    assert owner.added == [("source", wanted)]
    await service._save()
    assert owner.running.saves == 1


async def test_nothing_is_added_to_what_does_not_run(service, owner):
    owner.running = None
    with pytest.raises(EngineClosedError):
        await service._add("source", WatchConfig(folder="/in"))
    with pytest.raises(EngineClosedError):
        await service._save()
