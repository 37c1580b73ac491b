"""Everything that can be done to the files of a torrent, in any order and at the same time."""

from __future__ import annotations

import asyncio

import pytest

from millstream import TorrentState
from millstream.adapters.memory import LinkProfile
from millstream.core.file_priority import FilePriority
from millstream.errors import (
    ConfigError,
    EngineClosedError,
    RootUnavailableError,
    StorageError,
)
from millstream.testing.swarm import ALL, ROOT, SimulatedSwarm
from millstream.testing.virtual_time import run_virtual

from .machine import Machine, placement_of, right_pieces, until

SIZES = [100_000, 200_000, 70_000, 150_000, 0, 30_000, 64 << 10, 3, 250_000]
ROOTS = [ROOT, "second", "apart"]


class Chaos:
    """Does this and that to the one torrent of a machine."""

    def __init__(self, rng, machine, seeder, *, faulty):
        self.rng = rng
        self.faulty = faulty
        self.machine = machine
        self.seeder = seeder
        self.engine = self.torrent = None
        self.tasks = set()

    async def boot(self):
        self.engine = self.machine.boot()
        await self.engine.start()
        self.machine.faults.delay = self.rng.choice([0.0, 0.05, 0.5])
        restored = (await self.engine.restore_session()).torrents
        swarm = self.machine.swarm
        self.torrent = restored[0] if restored else await self.engine.add(swarm.metainfo)
        self.torrent.add_peer(self.seeder.address)

    def begin(self, work):
        task = asyncio.create_task(self._do(work))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _do(self, work):
        try:
            await work
        except (StorageError, ConfigError, EngineClosedError):
            pass
        except asyncio.CancelledError:
            if not self.was_cancelled:
                raise

    was_cancelled = False

    async def step(self):
        rng, torrent = self.rng, self.torrent
        index = rng.randrange(len(SIZES))
        match rng.randrange(15 if self.faulty else 13):
            case 0 | 1 | 2:
                self.begin(torrent.move(rng.choice(ROOTS)))
            case 3 | 4:
                self.begin(
                    torrent.rename_file(index, rng.choice(["content/x", f"content/{index}", "y/z"]))
                )
            case 5:
                folder = (placement_of(torrent).name(0) or "").rpartition("/")[0]
                self.begin(torrent.rename_folder(folder, rng.choice(["content", "folder/deep"])))
            case 6 | 7 | 8:
                self.begin(
                    torrent.set_file_priorities(
                        {index: rng.choice(list(FilePriority)), rng.randrange(9): FilePriority.SKIP}
                    )
                )
            case 9:
                self.begin(torrent.recheck())
            case 10:
                self.begin(torrent.stop())
                self.begin(torrent.start())
            case 11:
                for task in list(self.tasks):
                    self.was_cancelled = True
                    task.cancel()
            case 12:
                if rng.random() < 0.5:
                    self.machine = self.machine.copy()  # the power goes
                    await self.shut()
                else:
                    await self.shut()
                await self.boot()
            case 13:
                self.machine.faults.arm(rng.randrange(9), failures=rng.choice([1, 2, 1000]))
            case 14:
                path = placement_of(torrent).own_path(index)
                if not placement_of(torrent).suffixed:
                    await self.machine.files.delete(torrent.save_path, path)
        await asyncio.sleep(rng.choice([0, 0.01, 0.3, 2.0]))

    async def shut(self):
        await self.engine.close()
        for task in list(self.tasks):
            await task

    async def calm(self):
        self.machine.faults.disarm()
        for task in list(self.tasks):
            await asyncio.wait([task])
        if isinstance(self.torrent.error, RootUnavailableError):
            # After a crash, and with the files gone by which it is known.
            await self.engine.accept_root(self.torrent.root.token)
        if self.torrent.state in {TorrentState.STOPPED, TorrentState.ERROR}:
            await self.torrent.start()
        await self.torrent.wait_checked()
        if self.faulty:
            await self.torrent.recheck()
            await self.torrent.wait_checked()
        disk = self.torrent._session.disk
        await until(lambda: not disk.is_fenced and not disk.arranging.locked())


# Of the others, these found something.
@pytest.mark.parametrize("seed", [*range(4), 105, 107, 140, 143, 154, 182, 197, 247, 735])
@pytest.mark.parametrize("suffix", ["", ".part"])
@pytest.mark.parametrize("faulty", [False, True])
def test_whatever_is_done_nothing_is_lost_or_claimed_wrongly(seed, suffix, faulty):
    async def story(rng):
        async with SimulatedSwarm(rng, files=SIZES) as swarm:
            line = LinkProfile(up=rng.choice([40_000, 200_000]), latency=0.01)
            seeder = await swarm.add(have=ALL, profile=line)
            await seeder.torrent.wait_checked()
            machine = Machine(swarm, suffix)
            machine.files.set_apart("apart")
            chaos = Chaos(rng, machine, seeder, faulty=faulty)
            await chaos.boot()
            for _ in range(60):
                await chaos.step()
            await chaos.calm()
            torrent, machine = chaos.torrent, chaos.machine
            right_pieces(torrent, swarm, machine.files)
            await torrent.select_files(None)
            await torrent.start()
            torrent.add_peer(seeder.address)
            await torrent.wait_complete()
            await until(lambda: not placement_of(torrent).suffixed)
            tree = machine.tree(torrent.save_path)
            assert b"".join(tree[path] for path in torrent.file_paths()) == swarm.content
            assert set(tree) == set(torrent.file_paths()) or faulty
            # Where files could not be deleted, they are still.
            for root in set(ROOTS) - {torrent.save_path} if not faulty else ():
                assert machine.tree(root) == {}
                assert machine.directories(root) == set()
            await chaos.shut()
            leak = [task for task in asyncio.all_tasks() if "unbroken" in str(task)]
            assert leak == []

    run_virtual(story, seed=seed)
