"""Disks that fail: a clear state, nothing verified lost, and on again when it is mended."""

import errno

import pytest

from millstream import TorrentState
from millstream.adapters.memory import LinkProfile
from millstream.errors import StorageError, TorrentFailedError
from millstream.events import TorrentFailed
from millstream.storage.config import StorageConfig
from millstream.testing.swarm import ALL, SimulatedSwarm
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
