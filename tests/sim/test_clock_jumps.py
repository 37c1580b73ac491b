"""Somebody sets the wall clock by years, and the engine does what it did."""

from __future__ import annotations

import asyncio
import copy

import pytest

from millstream.adapters.memory import LinkProfile, MemoryFileSystem, MemorySessionStore
from millstream.adapters.memory.clock import MemoryClock
from millstream.core.limit_schedule import LimitSchedule
from millstream.core.limits_config import LimitsConfig
from millstream.engine.config import EngineConfig, NetworkConfig
from millstream.presets.memory import create_memory_engine
from millstream.storage.resume import ResumeState
from millstream.storage.session_keys import state_key
from millstream.testing.swarm import ALL, PLAIN, PORT, ROOT, SimulatedSwarm
from millstream.testing.virtual_time import run_virtual
from millstream.tracker.registry import RegistryConfig

YEARS = 10 * 365 * 86_400.0
AGES = 7 * YEARS  # back to before the epoch
LINE = LinkProfile(up=200_000, latency=0.01)
PIECE = 64 << 10


class Machine:
    """A disk, a session and a clock; an engine for each run."""

    def __init__(self, swarm):
        self.swarm = swarm
        self.files, self.store, self.clock = MemoryFileSystem(), MemorySessionStore(), MemoryClock()
        self.runs = 0

    def boot(self, limits=None):
        self.runs += 1
        host = self.swarm.network.host(f"10.8.{len(self.swarm.network._hosts)}.1", LinkProfile())
        return create_memory_engine(
            EngineConfig(
                network=NetworkConfig(listen_hosts=(host.address,), listen_port=PORT),
                encryption=PLAIN,
                limits=limits or LimitsConfig(),
                seed=self.runs,
            ),
            network=host,
            files=self.files,
            save_path=ROOT,
            session=self.store,
            clock=self.clock,
        )

    def killed(self):
        """What would be left if it were killed now."""
        left = Machine(self.swarm)
        left.files = copy.deepcopy(self.files)
        left.store._values = dict(self.store._values)
        left.clock._ahead = self.clock._ahead
        return left

    def state(self):
        return ResumeState.decode(self.store._values[state_key(self.swarm.metainfo.info_hash)])

    def stored(self, piece=None):
        content = b"".join(self.files.read_file(ROOT, path) for path in self.swarm._lengths)
        return content if piece is None else content[piece * PIECE : (piece + 1) * PIECE]


@pytest.mark.parametrize("jump", [YEARS, -YEARS, AGES, -AGES])
def test_a_download_goes_on_at_its_pace(jump):
    async def story(rng, jumps):
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=LINE)
            machine = Machine(swarm)
            async with machine.boot() as engine:
                torrent = await engine.add(swarm.metainfo, peers=[seed.address])
                done = asyncio.ensure_future(torrent.wait_complete())
                while not done.done():
                    await asyncio.sleep(1)
                    machine.clock.jump(jump if jumps else 0.0)
                    jump_back = rng.random() < 0.5
                    machine.clock.jump(-2 * jump if jumps and jump_back else 0.0)
                await done
                took = asyncio.get_running_loop().time()
            assert machine.stored() == swarm.content
            claims = machine.state().claims
            assert claims.flushed.bit_count() == swarm.geometry.piece_count
            return took

    calm = run_virtual(lambda rng: story(rng, jumps=False), seed=1)
    assert run_virtual(lambda rng: story(rng, jumps=True), seed=1) == calm


@pytest.mark.parametrize("before", [0.0, YEARS, -YEARS, -AGES])
@pytest.mark.parametrize("after", [0.0, YEARS, -YEARS])
def test_after_a_kill_no_piece_is_claimed_that_is_not_there(before, after):
    """Somebody writes into a file that was incomplete, whatever the clock says that day."""

    async def story(rng):
        line = LinkProfile(up=15_000, latency=0.01)
        async with SimulatedSwarm(rng, files=[700_000, 600_000]) as swarm:
            seed = await swarm.add(have=ALL, profile=line)
            machine = Machine(swarm)
            async with machine.boot() as engine:
                torrent = await engine.add(swarm.metainfo, peers=[seed.address])
                await asyncio.sleep(38)
                machine.clock.jump(before)
                await asyncio.sleep(5)
                left, had = machine.killed(), torrent.status().pieces_have
            claims = left.state().claims
            assert 0 < claims.flushed.bit_count() < had < swarm.geometry.piece_count
            left.clock.jump(after + 3600)
            changed = swarm.geometry.piece_count - claims.flushed.bit_length()
            path = f"content/{changed * PIECE // 700_000}"
            file = left.files._open(ROOT, path, create=False)
            at = changed * PIECE % 700_000
            file.data[at] ^= 1
            file.mtime = left.clock.wall_time()
            async with left.boot() as engine:
                [torrent] = (await engine.restore_session()).torrents
                await torrent.wait_checked()
                assert had - 2 <= torrent.status().pieces_have < had
                assert not torrent.piece_states()[changed]
                for piece, is_there in enumerate(torrent.piece_states()):
                    if is_there:
                        start = piece * PIECE
                        assert left.stored(piece) == swarm.content[start : start + PIECE]
                await torrent.wait_complete()
            assert left.stored() == swarm.content

    run_virtual(story, seed=2)


@pytest.mark.parametrize("jump", [3 * 86_400.0, YEARS, -YEARS])
def test_limits_by_the_hour_follow_the_clock_wherever_it_goes(jump):
    """From six to eight there are others, on all days."""
    schedule = LimitSchedule(begin=6 * 60, end=8 * 60)
    limits = LimitsConfig(download=900_000, alternative_download=100_000, schedule=schedule)

    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            machine = Machine(swarm)
            async with machine.boot(limits) as engine:
                await asyncio.sleep(2)
                assert engine.limits == (900_000, None)
                machine.clock.jump(jump + 7 * 3600)
                await asyncio.sleep(2)
                assert engine.limits == (100_000, None)
                machine.clock.jump(-jump - 7 * 3600)
                await asyncio.sleep(2)
                assert engine.limits == (900_000, None)

    run_virtual(story, seed=3)


def test_announces_come_at_their_interval_or_sooner_after_what_looks_like_a_sleep():
    """Never sooner than the tracker allows."""

    async def story(rng, jump):
        async with SimulatedSwarm(rng, tracked=True) as swarm:
            seed = await swarm.add(have=ALL)
            other = await swarm.add(profile=LINE)
            await swarm.wait_complete(other)
            for _ in range(60):
                for member in swarm.members:
                    member.engine._platform.clock.jump(jump)
                await asyncio.sleep(60)
            return seed.torrent.trackers(), len(swarm.tracker.announces)

    calm = run_virtual(lambda rng: story(rng, 0.0), seed=4)
    assert calm[0]
    assert run_virtual(lambda rng: story(rng, -YEARS), seed=4) == calm
    _, asked = run_virtual(lambda rng: story(rng, YEARS), seed=4)
    allowed = 2 * 3600 / RegistryConfig().min_interval
    assert calm[1] < asked <= calm[1] + allowed
