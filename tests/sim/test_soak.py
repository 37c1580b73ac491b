"""A week of a home server in virtual time: nothing may grow.

Two engines that run on keep three torrents. Every day visitors come, download by magnet or torrent file,
and go; torrents are stopped and started, checked again, removed and added, limits change, peers talk
nonsense, the tracker is away for a while. After each day all is quiet again, and is counted: whatever is
alive of our modules, tasks, timers, threads, connections and the tables that remember things.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import random
import threading
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import millstream
from millstream.adapters.memory import (
    LinkProfile,
    MemoryFileSystem,
    MemoryHost,
    MemoryNetwork,
    MemorySessionStore,
)
from millstream.adapters.memory.http import MemoryHttp, MemoryWeb
from millstream.core.config import SwarmConfig
from millstream.engine import heartbeat
from millstream.engine.config import EngineConfig, NetworkConfig
from millstream.engine.engine import Engine
from millstream.presets.memory import create_memory_engine
from millstream.protocol.magnet import Magnet
from millstream.protocol.metainfo import Metainfo
from millstream.testing.content import multi_file_torrent, single_file_torrent
from millstream.testing.swarm import PLAIN, PORT, ROOT
from millstream.testing.tracker import MemoryTracker
from millstream.testing.virtual_time import run_virtual
from millstream.tracker.config import TrackerConfig

DAY = 86_400.0
DAYS = 7
# Until then tables fill that are full from then on, such as known peers.
WARM_UP = 2
# After so many days the same is done to the same torrents again.
PERIOD = 3
VISITORS = 6
PIECE = 16 << 10
SOURCE = str(Path(millstream.__file__).parent)
# Bytes that what our modules allocated may grow by in PERIOD days; a torrent has 20,000.
TOLERANCE = 10_000

# Threads of this process that were there before: of tests that ran in it earlier.
OTHERS: set[threading.Thread] = set()


class Household:
    """The tracker, the engines that stay, and the hosts that visitors come from."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.network = MemoryNetwork(rng)
        self.web = MemoryWeb()
        self.tracker = MemoryTracker(self.web, rng)
        contents = [rng.randbytes(length) for length in (9 * PIECE + 77, 5 * PIECE, 12 * PIECE)]
        self.torrents = [
            Metainfo.parse(single_file_torrent("one", contents[0], PIECE)),
            Metainfo.parse(
                multi_file_torrent(
                    "two", [(("a",), contents[1][:PIECE]), (("b", "c"), contents[1][PIECE:])], PIECE
                )
            ),
            Metainfo.parse(single_file_torrent("three", contents[2], PIECE)),
        ]
        self.contents = contents
        # All have been somebody when the warm-up is over: the simulation keeps them.
        self.hosts = [self.host(f"10.0.1.{number}") for number in range(1, WARM_UP * VISITORS + 1)]
        self.boots = 0

    def host(self, address: str) -> MemoryHost:
        return self.network.host(address, LinkProfile(up=400_000, latency=0.01))

    def engine(
        self, host: MemoryHost, *, files: MemoryFileSystem, store: MemorySessionStore | None = None
    ) -> Engine:
        self.boots += 1
        config = EngineConfig(
            network=NetworkConfig(listen_hosts=(host.address,), listen_port=PORT),
            swarm=SwarmConfig(max_known_peers=4),
            encryption=PLAIN,
            trackers=TrackerConfig(allow_local=True),
            seed=self.boots,
        )
        http = MemoryHttp(self.web, host.address)
        return create_memory_engine(
            config, network=host, files=files, save_path=ROOT, http=http, session=store
        )

    def stocked(self) -> MemoryFileSystem:
        files = MemoryFileSystem()
        files.write_file(ROOT, "one", self.contents[0])
        files.write_file(ROOT, "two/a", self.contents[1][:PIECE])
        files.write_file(ROOT, "two/b/c", self.contents[1][PIECE:])
        files.write_file(ROOT, "three", self.contents[2])
        return files


async def quiet(seconds: float) -> None:
    """Nothing happens but what engines and trackers do by themselves, at a slow beat.

    A week of half seconds would be a minute of this test's time for each engine.
    """
    heartbeat.BEAT = 10.0
    await asyncio.sleep(seconds)
    heartbeat.BEAT = 0.5
    await asyncio.sleep(11)


async def visit(home: Household, number: int) -> None:
    """Somebody comes, gets a torrent and goes."""
    host = home.hosts[number % len(home.hosts)]
    metainfo = home.torrents[number % len(home.torrents)]
    async with home.engine(host, files=MemoryFileSystem()) as engine:
        by_magnet = number % 2 == 0
        source = Magnet(metainfo.info_hash) if by_magnet else metainfo
        torrent = await engine.add(source, trackers=[home.tracker.url], sequential=number % 3 == 0)
        watching = torrent.events()
        await torrent.wait_complete()
        assert await anext(watching)
        if number % 4 == 0:
            await engine.remove(torrent)


async def talk_nonsense(home: Household, number: int) -> None:
    """Somebody connects who is no peer."""

    class Stranger:
        def data_received(self, view: memoryview) -> None: ...

        def output_drained(self) -> None: ...

        def connection_lost(self, reason: Exception | None) -> None: ...

    host = home.hosts[number % len(home.hosts)]
    for target in ("10.0.0.1", "10.0.0.2"):
        connection = None

        def connected(opened):
            nonlocal connection
            connection = opened
            return Stranger()

        await host.connect(millstream.PeerAddress(target, PORT), connected)
        connection.write(home.rng.randbytes(200))
        await asyncio.sleep(30)
        connection.close()


async def keep_house(home: Household, engine: Engine, day: int) -> None:
    """What a user does."""
    torrent = engine.torrents[day % len(engine.torrents)]
    await torrent.stop()
    await asyncio.sleep(60)
    await torrent.start()
    engine.set_limits(download=None, upload=50_000 + day)
    torrent.set_limits(download=100_000, upload=None)
    await asyncio.sleep(60)
    torrent.set_limits(download=None, upload=None)
    engine.set_limits(download=None, upload=None)
    await torrent.recheck()
    await torrent.wait_checked()
    last = engine.torrents[-1]
    metainfo = last.metainfo
    await engine.remove(last)
    await asyncio.sleep(10)
    await engine.add(metainfo, trackers=[home.tracker.url])
    assert all(status.url for status in torrent.trackers())
    assert torrent.why_idle()


async def live_a_day(home: Household, engines: list[Engine], day: int) -> None:
    for number in range(VISITORS):
        await visit(home, day * VISITORS + number)
        await quiet(DAY / 2 / VISITORS)
    await talk_nonsense(home, day)
    for engine in engines:
        await keep_house(home, engine, day)
    home.tracker.is_down = True
    await quiet(DAY / 8)
    home.tracker.is_down = False
    await quiet(DAY / 8 * 3)


def tables(engine: Engine) -> Iterator[tuple[str, int]]:
    """How much the engine remembers."""
    parts = (
        engine,
        engine._tick,
        engine._limits,
        engine._links,
        engine._links.connector,
        engine._persistence,
        engine._shared.trackers.turns,
        engine._shared.cache,
        engine._shared.pool,
        engine._shared.trackers.udp,
    )
    for part in parts:
        names = {name for cls in type(part).__mro__ for name in getattr(cls, "__slots__", ())}
        for name in sorted(names | set(getattr(part, "__dict__", ()))):
            value = getattr(part, name, None)
            if isinstance(value, dict | list | set) or type(value).__name__ == "deque":
                yield f"{type(part).__name__}.{name}", len(value)
    for member in engine._members.values():
        machine = member.stage.machine
        yield f"{member.name} knows", member.known_peers
        yield f"{member.name} links", len(member.links)
        yield f"{member.name} active", len(machine.active)
        # Nothing is made by looking: that would hide when it is made.
        if machine._transfer is not None:
            yield f"{member.name} departed", len(machine._transfer.download._departed)


def empty_caches() -> None:
    """Bounded ones, which fill with every peer id and address that ever was."""
    for each in gc.get_objects():
        if isinstance(each, functools._lru_cache_wrapper):
            each.cache_clear()


def count(home: Household, engines: list[Engine]) -> dict[str, object]:
    """What there is, when all is quiet."""
    loop = asyncio.get_running_loop()
    home.tracker.announces.clear()
    empty_caches()
    gc.collect()
    ours = Counter(
        f"{type(each).__module__}.{type(each).__qualname__}"
        for each in gc.get_objects()
        if str(type(each).__module__).startswith("millstream.")
    )
    return {
        "tasks": sorted(task.get_coro().__qualname__ for task in asyncio.all_tasks()),
        "timers": sorted(
            getattr(timer._callback, "__qualname__", repr(timer._callback))
            for timer in loop._scheduled
            if not timer.cancelled()
        ),
        "threads": len(set(threading.enumerate()) - OTHERS),
        "connections": sum(len(host._connections) for host in home.network._hosts.values()),
        "sockets": sum(
            len(host._listeners) + len(host._datagrams) for host in home.network._hosts.values()
        ),
        "tables": [dict(tables(engine)) for engine in engines],
        "objects": ours,
        "bytes": allocated(),
    }


def allocated() -> int:
    """Bytes that are in use of what our modules allocated."""
    kept = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, f"{SOURCE}/*")])
    return sum(trace.size for trace in kept.traces)


async def week(rng: random.Random) -> list[dict[str, object]]:
    home = Household(rng)
    counts = []
    stores = [MemorySessionStore(), MemorySessionStore()]
    hosts = [home.host("10.0.0.1"), home.host("10.0.0.2")]
    files = [home.stocked(), home.stocked()]
    async with (
        home.engine(hosts[0], files=files[0], store=stores[0]) as first,
        home.engine(hosts[1], files=files[1], store=stores[1]) as second,
    ):
        engines = [first, second]
        for engine in engines:
            for metainfo in home.torrents:
                await engine.add(metainfo, trackers=[home.tracker.url])
        for day in range(DAYS):
            await live_a_day(home, engines, day)
            counts.append(count(home, engines))
    return counts


@pytest.fixture
def _traced(monkeypatch):
    monkeypatch.setattr(heartbeat, "BEAT", 0.5)
    OTHERS.update(threading.enumerate())
    tracemalloc.start()
    yield
    tracemalloc.stop()
    OTHERS.clear()


@pytest.mark.usefixtures("_traced")
def test_nothing_grows_in_a_week():
    counts = run_virtual(week, seed=7, limit=(DAYS + 1) * DAY)
    for day in range(WARM_UP + PERIOD, DAYS):
        before, after = counts[day - PERIOD], counts[day]
        for what in ("tasks", "timers", "threads", "connections", "sockets", "tables"):
            assert after[what] == before[what], (day, what)
        assert after["objects"] - before["objects"] == Counter(), day
        assert after["bytes"] - before["bytes"] < TOLERANCE, day
    assert counts[-1]["connections"] == 0
    assert counts[-1]["threads"] == 0
