from __future__ import annotations

import asyncio
import errno
import hashlib

import pytest

from millstream.adapters.memory import MemoryDiskQueue, MemoryFileSystem
from millstream.interfaces.disk import DiskConfig, Extent, Hash, Outcome, Read, VerifiedWrite
from millstream.protocol.infohash import InfoHash
from millstream.testing import in_virtual_time, run_virtual
from millstream.testing.faulty_disk import FaultyDisk

TORRENT = InfoHash(bytes(20))
ROOT = "/root"


class Scene:
    def __init__(self, config=None):
        self.files = MemoryFileSystem()
        self.disk = FaultyDisk(MemoryDiskQueue(self.files), config)
        self.results, self.resumed = [], 0
        self.disk.start(self.results.extend, self.resume)

    def resume(self):
        self.resumed += 1

    def write(self, path="a", data=b"abcd", digest=None, split=None):
        extents = (Extent(path, 0, len(data)),)
        if split is not None:
            extents = (Extent(path, 0, split), Extent("other", 0, len(data) - split))
        digest = digest or hashlib.sha1(data).digest()
        self.disk.submit_write(VerifiedWrite(TORRENT, 0, ROOT, memoryview(data), digest, extents))

    def read(self, path="a"):
        into = memoryview(bytearray(4))
        self.disk.submit_read(Read(TORRENT, ROOT, (Extent(path, 0, 4),), into))

    async def outcomes(self):
        await self.disk.drain()
        results, self.results[:] = list(self.results), []
        return [(result.outcome.name, result.error and result.error.errno) for result in results]


@in_virtual_time
class TestFaultyDisk:
    async def test_writes_fail_after_some_and_for_a_time(self):
        scene = Scene()
        scene.disk.fail(errno.ENOSPC, after=1, times=2)
        found = []
        for _ in range(5):
            scene.write()
            found += await scene.outcomes()
        failed, done = ("IO_ERROR", errno.ENOSPC), ("SUCCESS", None)
        assert found == [done, failed, failed, done, done]
        assert scene.disk.failures == 2

    async def test_only_what_is_named_fails(self):
        scene = Scene()
        scene.files.write_file(ROOT, "a", b"abcd")
        scene.files.write_file(ROOT, "b", b"abcd")
        scene.disk.fail(errno.EIO, kinds=(Read, Hash), path="a")
        scene.read("a")
        scene.read("b")
        scene.disk.submit_hash(Hash(TORRENT, 0, ROOT, (Extent("a", 0, 4),)))
        scene.write("a")
        outcomes = await scene.outcomes()
        assert sorted(outcomes, key=str) == [("IO_ERROR", errno.EIO)] * 2 + [("SUCCESS", None)] * 2
        scene.disk.heal()
        scene.read("a")
        assert await scene.outcomes() == [("SUCCESS", None)]

    @pytest.mark.parametrize("split", [None, 1, 3])
    def test_a_torn_write_puts_half_of_it_there(self, split):
        """Across files, too."""

        async def story():
            scene = Scene()
            scene.disk.fail(errno.EIO, torn=True)
            scene.write(split=split)
            assert await scene.outcomes() == [("IO_ERROR", errno.EIO)]
            there = scene.files.read_file(ROOT, "a") + (scene.files.read_file(ROOT, "other") or b"")
            assert there == b"ab"

        run_virtual(story())

    async def test_what_is_wrong_is_never_written(self):
        scene = Scene()
        scene.disk.fail(errno.EIO, torn=True)
        scene.write(digest=bytes(20))
        assert await scene.outcomes() == [("IO_ERROR", errno.EIO)]
        assert scene.files.read_file(ROOT, "a") is None

    async def test_a_slow_disk_takes_one_piece_after_the_other_and_is_full_meanwhile(self):
        scene = Scene(DiskConfig(max_queued_bytes=1 << 20))
        scene.disk.seconds_per_write = 2.0
        for _ in range(3):
            scene.write(data=bytes(1 << 19))
        scene.disk.flush()
        assert scene.disk.is_full
        await asyncio.sleep(3)
        assert [result.outcome for result in scene.results] == [Outcome.SUCCESS]
        assert (scene.disk.is_full, scene.resumed) == (False, 1)
        await scene.disk.close()
        assert asyncio.get_running_loop().time() == pytest.approx(6.0)
        assert len(scene.results) == 3
        assert scene.disk.most_queued == 3 << 19
