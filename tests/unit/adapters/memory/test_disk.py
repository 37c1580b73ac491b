from __future__ import annotations

import asyncio
import errno
import hashlib

import pytest

from millstream.adapters.memory import MemoryDiskQueue, MemoryFileSystem
from millstream.errors import StorageError
from millstream.interfaces.disk import (
    DiskConfig,
    DiskQueue,
    DiskResult,
    Extent,
    Hash,
    Outcome,
    Read,
    VerifiedWrite,
)
from millstream.protocol.infohash import InfoHash
from millstream.testing import run_virtual

ROOT = "/downloads"
TORRENT = InfoHash(bytes(20))


def write(data: bytes, *extents: Extent, piece: int = 0) -> VerifiedWrite:
    digest = hashlib.sha1(data).digest()
    return VerifiedWrite(TORRENT, piece, ROOT, memoryview(data), digest, extents)


class Receiver:
    """Notes the batches, and when they came."""

    def __init__(self, disk: DiskQueue) -> None:
        self.batches: list[tuple[float, list[DiskResult]]] = []
        self.resumed: list[float] = []
        disk.start(self.deliver, self.resume)

    def deliver(self, results: list[DiskResult]) -> None:
        self.batches.append((asyncio.get_running_loop().time(), results))

    def resume(self) -> None:
        self.resumed.append(asyncio.get_running_loop().time())


def test_a_flush_gives_one_batch_in_order() -> None:
    async def story() -> None:
        disk = MemoryDiskQueue(MemoryFileSystem())
        receiver = Receiver(disk)
        for piece in range(5):
            disk.submit_write(write(b"x", Extent("file", piece, 1), piece=piece))
        disk.flush()
        assert not receiver.batches
        await disk.drain()
        ((when, results),) = receiver.batches
        assert when == 0.0
        assert [r.job.piece for r in results if isinstance(r.job, VerifiedWrite)] == [*range(5)]

    run_virtual(story())


def test_latency_and_rate_take_virtual_time() -> None:
    async def story() -> None:
        files = MemoryFileSystem()
        files.write_file(ROOT, "there", bytes(1_000_000))
        disk = MemoryDiskQueue(files, latency=0.5, rate=1e6)
        receiver = Receiver(disk)
        data = bytes(1_000_000)
        disk.submit_write(write(data, Extent("a", 0, len(data))))
        disk.flush()
        disk.submit_hash(Hash(TORRENT, 0, ROOT, (Extent("there", 0, 1_000_000),)))
        disk.submit_read(
            Read(TORRENT, ROOT, (Extent("there", 0, 500_000),), memoryview(bytearray(500_000)))
        )
        disk.flush()
        await disk.drain()
        assert [when for when, _ in receiver.batches] == [1.5, 3.0]
        disk.submit_write(write(b"x", Extent("b", 0, 1)))
        disk.flush()
        await disk.close()
        assert receiver.batches[-1][0] == pytest.approx(3.500001)

    run_virtual(story())


def test_a_slow_disk_is_full_until_its_results_are_delivered() -> None:
    async def story() -> None:
        config = DiskConfig(max_queued_bytes=1 << 20)
        disk = MemoryDiskQueue(MemoryFileSystem(), config, rate=1 << 20)
        receiver = Receiver(disk)
        data = bytes(1 << 20)
        for number in range(3):
            disk.submit_write(write(data, Extent(f"{number}", 0, len(data))))
            disk.flush()
        assert disk.is_full
        await asyncio.sleep(1.5)
        assert disk.is_full
        assert not receiver.resumed
        await disk.drain()
        assert receiver.resumed == [2.0]

    run_virtual(story())


def test_a_full_disk_fails_writes_until_there_is_room() -> None:
    async def story() -> None:
        files = MemoryFileSystem(capacity=8192)
        disk = MemoryDiskQueue(files)
        receiver = Receiver(disk)
        data = bytes(8192)
        job = write(data, Extent("a", 0, 4096), Extent("b", 0, 4096))
        more = write(data, Extent("c", 0, 8192))
        disk.submit_write(job)
        disk.submit_write(more)
        disk.flush()
        await disk.drain()
        ((_, results),) = receiver.batches
        assert [result.outcome for result in results] == [Outcome.SUCCESS, Outcome.IO_ERROR]
        assert results[1].error is not None
        assert results[1].error.errno == errno.ENOSPC
        assert results[1].error.path == "/downloads/c"
        files.capacity = None
        disk.submit_write(more)
        disk.flush()
        await disk.drain()
        assert receiver.batches[-1][1][0].outcome is Outcome.SUCCESS

    run_virtual(story())


def test_close_hands_over_what_was_submitted() -> None:
    async def story() -> None:
        files = MemoryFileSystem()
        disk = MemoryDiskQueue(files)
        receiver = Receiver(disk)
        disk.submit_write(write(b"late", Extent("file", 0, 4)))
        await disk.close()
        assert files.read_file(ROOT, "file") == b"late"
        assert len(receiver.batches) == 1
        with pytest.raises(StorageError, match="closed"):
            disk.submit_write(write(b"too late", Extent("file", 0, 8)))

    run_virtual(story())


@pytest.mark.parametrize(
    "job",
    [
        write(b"abc", Extent("file", -1, 3)),
        write(b"abc", Extent("file", 0, 4), Extent("file", 0, -1)),
        VerifiedWrite(TORRENT, 0, ROOT, memoryview(b"abc"), b"short", (Extent("file", 0, 3),)),
    ],
)
def test_nonsense_is_refused(job: VerifiedWrite) -> None:
    async def story() -> None:
        files = MemoryFileSystem()
        disk = MemoryDiskQueue(files)
        receiver = Receiver(disk)
        disk.submit_write(job)
        disk.flush()
        await disk.drain()
        (result,) = receiver.batches[0][1]
        assert result.outcome is Outcome.INVALID_ARGS
        assert result.error is not None
        assert files.read_file(ROOT, "file") is None

    run_virtual(story())


def test_a_cancelled_drain_disturbs_nobody() -> None:
    async def story() -> None:
        disk = MemoryDiskQueue(MemoryFileSystem(), latency=1)
        receiver = Receiver(disk)
        disk.submit_write(write(b"x", Extent("file", 0, 1)))
        disk.flush()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(disk.drain(), 0.5)
        await disk.drain()
        assert len(receiver.batches) == 1

    run_virtual(story())
