"""Whole engines whose torrents wait for their turn, and end when they have seeded enough."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from millstream.adapters.memory import LinkProfile, MemoryFileSystem, MemoryNetwork
from millstream.core.goals import Goals
from millstream.core.goals_config import GoalAction, GoalsConfig
from millstream.core.queue_config import QueueConfig
from millstream.core.queue_order import QueueMove
from millstream.core.queueing import MIN_TURN
from millstream.core.torrent_state import TorrentState as State
from millstream.engine.config import EngineConfig, NetworkConfig
from millstream.engine.goal_watch import LOOK_INTERVAL
from millstream.events import StateChanged
from millstream.presets.memory import create_memory_engine
from millstream.protocol.magnet import Magnet
from millstream.protocol.metainfo import Metainfo
from millstream.testing.content import single_file_torrent
from millstream.testing.virtual_time import run_virtual

MIB = 1 << 20
PORT = 6881
LETTERS = {
    State.STOPPED: "-",
    State.QUEUED: "q",
    State.FETCHING_METADATA: "M",
    State.CHECKING: "C",
    State.DOWNLOADING: "D",
    State.SEEDING: "S",
    State.ERROR: "E",
}


class Content:
    """A torrent and its bytes."""

    def __init__(self, rng, length=MIB):
        self.name = f"{rng.getrandbits(32)}.bin"
        self.bytes = rng.randbytes(length)
        self.metainfo = Metainfo.parse(single_file_torrent(self.name, self.bytes, 64 << 10))


class Town:
    """Engines on one network."""

    def __init__(self, rng):
        self.rng = rng
        self.network = MemoryNetwork(rng, LinkProfile(latency=0.01, up=256e3, down=256e3))
        self.stack = AsyncExitStack()
        self.count = 0

    async def engine(self, *contents, disk_rate=None, **config):
        """An engine that has these contents on its disk, and where it is."""
        self.count += 1
        host = self.network.host(f"10.0.0.{self.count}")
        files = MemoryFileSystem()
        for content in contents:
            files.write_file("memory", content.name, content.bytes)
        engine = create_memory_engine(
            EngineConfig(
                network=NetworkConfig(listen_hosts=(host.address,), listen_port=PORT),
                seed=self.rng.getrandbits(64),
                **config,
            ),
            network=host,
            files=files,
            disk_rate=disk_rate,
        )
        await self.stack.enter_async_context(engine)
        return engine, f"{host.address}:{PORT}"

    async def seed(self, *contents):
        """Somebody who has all of them; where."""
        engine, where = await self.engine(*contents)
        for content in contents:
            await engine.add(content.metainfo)
        return where


@asynccontextmanager
async def town(rng):
    there = Town(rng)
    async with there.stack:
        yield there


def limits(**limits):
    """A queue in which torrents without peers take room, too."""
    return QueueConfig(count_slow=True, **limits)


def states(engine):
    return "".join(LETTERS[torrent.state] for torrent in engine.torrents)


def history(torrent):
    """The states that it takes, as a list that grows."""
    seen = []
    torrent.listen(
        lambda event: seen.append(event.after) if isinstance(event, StateChanged) else None
    )
    return seen


def test_downloads_take_turns_and_all_are_complete_in_the_end():
    async def story(rng):
        async with town(rng) as there:
            contents = [Content(rng) for _ in range(4)]
            where = await there.seed(*contents)
            queue = limits(active_downloads=1, active_seeds=2)
            engine, _ = await there.engine(queue=queue)
            order = []
            for content in contents:
                torrent = await engine.add(content.metainfo, peers=[where])
                torrent.listen(
                    lambda event, name=content.name: (
                        order.append(name)
                        if isinstance(event, StateChanged) and event.after is State.DOWNLOADING
                        else None
                    )
                )
            await asyncio.sleep(1.5)
            assert states(engine) == "Dqqq"
            assert "position 2" in engine.torrents[1].why_idle()
            assert not engine.torrents[1].peers()
            await engine.torrents[3].wait_complete()
            assert order == [content.name for content in contents]
            # Nobody's turn ends within a minute for the sake of others.
            await asyncio.sleep(MIN_TURN + 2)
            assert states(engine) == "SSqq"
            assert all(torrent.status().progress == 1 for torrent in engine.torrents)

    run_virtual(story, seed=1)


def test_magnets_wait_for_their_turn_to_fetch_the_metadata():
    async def story(rng):
        async with town(rng) as there:
            contents = [Content(rng) for _ in range(2)]
            where = await there.seed(*contents)
            engine, _ = await there.engine(queue=limits(active_downloads=1))
            for content in contents:
                await engine.add(Magnet(content.metainfo.info_hash), peers=[where])
            first, second = engine.torrents
            seen = history(first)
            assert states(engine) == "qq"
            await asyncio.sleep(2)
            assert states(engine) == "Dq"
            assert not second.has_metadata
            # Its turn lasts through the metadata and the check.
            assert seen == [State.FETCHING_METADATA, State.CHECKING, State.DOWNLOADING]
            await second.wait_complete()

    run_virtual(story, seed=2)


def test_the_user_moves_forces_stops_and_starts():
    async def story(rng):
        async with town(rng) as there:
            engine, _ = await there.engine(queue=limits(active_downloads=1))
            for _ in range(4):
                await engine.add(Content(rng).metainfo)
            torrents = engine.torrents
            await asyncio.sleep(2)
            assert states(engine) == "Dqqq"
            engine.queue.move([torrents[2].info_hash, torrents[3].info_hash], QueueMove.TOP)
            await asyncio.sleep(1)
            assert states(engine) == "qqDq"
            assert [torrent.queue_position for torrent in torrents] == [2, 3, 0, 1]
            torrents[1].is_forced = True
            await asyncio.sleep(1)
            assert states(engine) == "qDDq"
            await torrents[2].stop()
            await asyncio.sleep(2)
            assert states(engine) == "qD-D"
            await torrents[0].stop()
            await torrents[2].start()
            assert states(engine) == "-DqD"
            await asyncio.sleep(MIN_TURN + 2)
            assert states(engine) == "-DDq"
            torrents[1].is_forced = False
            await asyncio.sleep(1)
            assert states(engine) == "-qDq"
            await engine.remove(torrents[2])
            await asyncio.sleep(2)
            assert states(engine) == "-qD"
            assert [torrent.queue_position for torrent in engine.torrents] == [1, 2, 0]

    run_virtual(story, seed=3)


def test_a_torrent_that_waits_can_be_checked_again_and_told_other_files():
    async def story(rng):
        async with town(rng) as there:
            engine, _ = await there.engine(queue=limits(active_downloads=1, active_seeds=0))
            for _ in range(2):
                await engine.add(Content(rng).metainfo)
            await asyncio.sleep(2)
            first, second = engine.torrents
            await second.recheck()
            await second.wait_checked()
            await first.recheck()
            await first.wait_checked()
            await asyncio.sleep(2)
            assert states(engine) == "Dq"

    run_virtual(story, seed=4)


def test_a_peer_finds_nobody_where_a_torrent_waits():
    async def story(rng):
        async with town(rng) as there:
            content = Content(rng)
            engine, where = await there.engine(content, queue=limits(active_seeds=0))
            await engine.add(content.metainfo)
            leech, _ = await there.engine()
            torrent = await leech.add(content.metainfo, peers=[where])
            await asyncio.sleep(30)
            assert states(engine) == "q"
            assert not torrent.peers()
            engine.torrents[0].is_auto_managed = False
            await torrent.wait_complete()

    run_virtual(story, seed=5)


def test_checks_that_read_take_turns():
    async def story(rng):
        async with town(rng) as there:
            contents = [Content(rng) for _ in range(4)]
            engine, _ = await there.engine(*contents, disk_rate=MIB)
            began = asyncio.get_running_loop().time()
            for content in [*contents, Content(rng)]:
                await engine.add(content.metainfo)
            await asyncio.sleep(0.1)
            # The last has no files: there is nothing to read, nor to wait for.
            assert states(engine) == "CCCCD"
            assert engine.torrents[4].state is State.DOWNLOADING
            waiting = [
                engine.queue.checks.is_waiting(torrent.info_hash) for torrent in engine.torrents
            ]
            assert waiting == [False, False, True, True, False]
            engine.queue.place(engine.torrents[3].info_hash, 0)
            await engine.torrents[3].wait_checked()
            assert states(engine) == "SSCSD"
            await engine.torrents[2].wait_checked()
            assert asyncio.get_running_loop().time() - began == pytest.approx(4, abs=0.5)

    run_virtual(story, seed=6)


def test_closing_starts_nobody_who_waits():
    async def story(rng):
        async with town(rng) as there:
            engine, _ = await there.engine(queue=limits(active_downloads=1))
            for _ in range(3):
                await engine.add(Content(rng).metainfo)
            await asyncio.sleep(2)
            seen = [history(torrent) for torrent in engine.torrents]
            await engine.close()
            assert seen == [[State.STOPPED]] * 3

    run_virtual(story, seed=7)


# Goals


@pytest.mark.parametrize("action", [GoalAction.STOP, GoalAction.REMOVE])
def test_a_seed_ends_when_it_has_given_enough(action):
    async def story(rng):
        async with town(rng) as there:
            content = Content(rng)
            engine, where = await there.engine(content, goals=GoalsConfig(ratio=2, action=action))
            await engine.add(content.metainfo)
            for _ in range(2):
                leech, _ = await there.engine()
                torrent = await leech.add(content.metainfo, peers=[where])
                assert states(engine) in {"C", "S"}
                await torrent.wait_complete()
            await asyncio.sleep(LOOK_INTERVAL + 1)
            assert states(engine) == {GoalAction.STOP: "-", GoalAction.REMOVE: ""}[action]
            for torrent in engine.torrents:
                assert torrent.why_idle() == "it is stopped; it has reached its goal"

    run_virtual(story, seed=8)


def test_a_torrent_of_its_own_goals_makes_room_for_the_next():
    async def story(rng):
        async with town(rng) as there:
            contents = [Content(rng) for _ in range(2)]
            engine, _ = await there.engine(*contents, queue=limits(active_seeds=1))
            for content in contents:
                await engine.add(content.metainfo)
            first, _ = engine.torrents
            first.set_goals(Goals(idle_time=60))
            await asyncio.sleep(30)
            assert states(engine) == "Sq"
            await asyncio.sleep(60)
            assert states(engine) == "-S"
            await first.start()
            await asyncio.sleep(1000)
            # It has had its share: the other comes first though it is behind.
            assert states(engine) == "qS"

    run_virtual(story, seed=9)
