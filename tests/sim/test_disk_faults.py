"""Disks that fail: a clear state, nothing verified lost, and on again when it is mended."""

import asyncio
import errno

import pytest

from millstream import Allocation, DiskConfig, EngineConfig, TorrentState
from millstream.adapters.memory import LinkProfile, MemoryFileSystem
from millstream.errors import NoSpaceError, StorageError, TorrentFailedError
from millstream.events import TorrentFailed
from millstream.presets.memory import create_memory_engine
from millstream.storage.config import StorageConfig
from millstream.testing.swarm import ALL, ROOT, SimulatedSwarm
from millstream.testing.virtual_time import run_virtual

LINE = LinkProfile(up=1 << 20, latency=0.01)
TO_THE_LAST_BYTE = StorageConfig(min_free_space=0, require_room=False)


def test_a_full_disk_stops_the_torrent_and_room_lets_it_go_on():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            await swarm.add(have=ALL, profile=LINE)
            leech = await swarm.add(capacity=1 << 20, storage=TO_THE_LAST_BYTE)
            with pytest.raises(TorrentFailedError, match=r"content\.bin"):
                await leech.torrent.wait_complete()
            assert leech.torrent.state is TorrentState.ERROR
            assert isinstance(leech.torrent.error, StorageError)
            assert leech.torrent.error.errno == errno.ENOSPC
            have = leech.torrent.status().pieces_have
            assert have > 0
            leech.watch.cancel()
            leech.watch = None
            leech.files.capacity = None
            await leech.torrent.start()
            assert leech.torrent.status().pieces_have >= have
            await swarm.wait_complete(leech)

    run_virtual(story, seed=1)


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.EACCES])
def test_a_disk_that_refuses_names_the_path_and_the_cause(number):
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            await swarm.add(have=ALL, profile=LINE)
            leech = await swarm.add(knows=[])
            leech.watch.cancel()
            await leech.torrent.wait_checked()
            leech.files.fail(None, number, reads=False)
            events = leech.torrent.events()
            leech.torrent.add_peer(swarm.members[0].address)
            async for event in events:
                if isinstance(event, TorrentFailed):
                    assert "content.bin" in str(event.error)
                    break
            assert leech.torrent.peers() == []
            assert leech.torrent.status().error
            leech.watch = None
            leech.files.heal()
            await leech.torrent.start()
            await swarm.wait_complete(leech)

    run_virtual(story, seed=2)


def test_a_seed_whose_file_fails_stops_and_the_leech_goes_on_with_another():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            broken = await swarm.add(have=ALL, profile=LINE)
            await swarm.add(have=ALL, profile=LINE)
            await broken.torrent.wait_checked()
            broken.files.fail(None, errno.EIO)
            leech = await swarm.add()
            await swarm.wait_complete(leech)
            assert broken.torrent.state is TorrentState.ERROR

    run_virtual(story, seed=3)


@pytest.mark.parametrize(
    ("allocation", "second"),
    [(Allocation.SPARSE, TorrentState.DOWNLOADING), (Allocation.FULL, TorrentState.ERROR)],
)
def test_only_full_allocation_reserves_room(allocation, second):
    """Two downloads of 6 MiB for 10 MiB: `docs/storage.md` says which begin."""

    async def story(rng):
        async with (
            SimulatedSwarm(rng, length=6 << 20) as swarm,
            SimulatedSwarm(rng, length=6 << 20) as other,
        ):
            config = EngineConfig(
                disk=DiskConfig(allocation=allocation),
                storage=StorageConfig(min_free_space=1 << 20),
            )
            host = swarm.network.host("10.9.9.9")
            files = MemoryFileSystem(10 << 20)
            async with create_memory_engine(
                config, network=host, files=files, save_path=ROOT
            ) as engine:
                states = []
                for each in (swarm, other):
                    torrent = await engine.add(each.metainfo, save_path=str(len(states)))
                    await asyncio.sleep(1)
                    states.append(torrent.state)
                assert states == [TorrentState.DOWNLOADING, second]
                assert (second is TorrentState.ERROR) == isinstance(torrent.error, NoSpaceError)

    run_virtual(story, seed=9)
