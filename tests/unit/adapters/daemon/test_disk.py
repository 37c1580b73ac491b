from __future__ import annotations

import asyncio
import hashlib

from millstream.adapters.daemon.disk import MAX_LOSSES, BatchingDiskQueue
from millstream.adapters.daemon.disk_batch import MAX_BATCH_BYTES
from millstream.errors import RootUnavailableError
from millstream.interfaces.disk import DiskConfig, Extent, Outcome, Read, VerifiedWrite
from millstream.io_wire.batches import unpack_spans, unpack_writes
from millstream.io_wire.calls import parse_call
from millstream.io_wire.envelope import Opcode
from millstream.io_wire.results import Result, pack_write_results
from millstream.protocol.infohash import InfoHash
from millstream.testing import run_virtual

TORRENT = InfoHash(bytes(20))


class Disk:
    def __init__(self, daemon, config=None):
        self.daemon = daemon
        self.queue = BatchingDiskQueue(daemon, config)
        self.results = []
        self.resumed = 0
        self.queue.start(self.results.extend, self._resume)

    def _resume(self):
        self.resumed += 1

    def write(self, length=4, path="a"):
        data = bytes(length)
        extents = (Extent(path, 0, length),)
        digest = hashlib.sha1(data).digest()
        self.queue.submit_write(VerifiedWrite(TORRENT, 0, "f", memoryview(data), digest, extents))

    def read(self, length):
        into = memoryview(bytearray(length))
        self.queue.submit_read(Read(TORRENT, "f", (Extent("a", 0, length),), into))

    @property
    def outcomes(self):
        return [result.outcome for result in self.results]

    def succeed(self):
        """Answer the oldest batch of writes."""
        _, opcode, payload = self.daemon.asked[0]
        assert opcode is Opcode.WRITE_BATCH
        records = unpack_writes(memoryview(payload)).records
        results = [Result(record.id, Outcome.SUCCESS, len(record.data)) for record in records]
        self.daemon.answer(Opcode.WRITE_RESULTS, pack_write_results(results))


async def turn():
    for _ in range(3):
        await asyncio.sleep(0)


def test_a_tick_is_one_batch(daemon):
    async def main():
        disk = Disk(daemon)
        for _ in range(5):
            disk.write()
        assert not daemon.asked
        disk.queue.flush()
        assert len(daemon.asked) == 1
        snapshot = disk.queue.snapshot()
        assert (snapshot.in_flight, snapshot.in_flight_bytes, snapshot.queued) == (1, 20, 0)
        disk.succeed()
        assert not disk.results, "not from within the frame"
        await disk.queue.drain()
        assert disk.outcomes == [Outcome.SUCCESS] * 5
        metrics = disk.queue.snapshot().metrics
        assert (metrics.writes, metrics.write_batches, metrics.answered) == (5, 1, 1)

    run_virtual(main())


def test_batches_do_not_wait_for_results(daemon):
    async def main():
        disk = Disk(daemon)
        for _ in range(7):
            disk.write(100)
            disk.queue.flush()
        assert len(daemon.asked) == 7

    run_virtual(main())


def test_no_more_is_on_its_way_than_the_daemon_takes(daemon):
    async def main():
        disk = Disk(daemon)
        for _ in range(3):
            disk.write(600)
            disk.queue.flush()
        snapshot = disk.queue.snapshot()
        assert (snapshot.in_flight, snapshot.waiting) == (1, 2)
        disk.succeed()
        assert len(daemon.asked) == 1
        disk.succeed()
        disk.succeed()
        await disk.queue.drain()
        assert disk.outcomes == [Outcome.SUCCESS] * 3

    run_virtual(main())


def test_one_that_is_larger_than_that_goes_alone(daemon):
    async def main():
        disk = Disk(daemon)
        disk.write(5000)
        disk.queue.flush()
        assert len(daemon.asked) == 1

    run_virtual(main())


def test_a_path_that_is_too_long_fails_alone(daemon):
    async def main():
        disk = Disk(daemon)
        disk.write()
        disk.write(path="x" * 5000)
        disk.write()
        disk.queue.flush()
        disk.succeed()
        disk.succeed()
        await disk.queue.drain()
        assert sorted(disk.outcomes) == [Outcome.SUCCESS, Outcome.SUCCESS, Outcome.INVALID_ARGS]
        (refused,) = [each for each in disk.results if each.outcome is Outcome.INVALID_ARGS]
        assert "path" in refused.error.cause

    run_virtual(main())


def test_a_batch_that_the_daemon_does_not_understand(daemon):
    async def main():
        disk = Disk(daemon)
        disk.write()
        disk.queue.flush()
        daemon.refuse("what is that?")
        disk.write()
        disk.queue.flush()
        daemon.answer(Opcode.WRITE_RESULTS, b"\xff" * 9)
        await disk.queue.drain()
        assert disk.outcomes == [Outcome.IO_ERROR] * 2
        assert "what is that?" in disk.results[0].error.cause
        assert "no sense" in disk.results[1].error.cause
        assert all(result.error.errno for result in disk.results)

    run_virtual(main())


def test_a_piece_that_is_too_long_for_a_message_fails_alone(daemon):
    async def main():
        disk = Disk(daemon)
        disk.write()
        disk.write(2 << 20)
        disk.queue.flush()
        disk.succeed()
        await disk.queue.drain()
        assert sorted(disk.outcomes) == [Outcome.SUCCESS, Outcome.INVALID_ARGS]
        (refused,) = [each for each in disk.results if each.outcome is Outcome.INVALID_ARGS]
        assert "at once" in refused.error.cause

    run_virtual(main())


def test_full_and_resumed(daemon):
    async def main():
        disk = Disk(daemon, DiskConfig(max_queued_bytes=1 << 20))
        disk.write(1 << 20)
        assert not disk.queue.is_full
        disk.write(1)
        assert disk.queue.is_full
        disk.queue.flush()
        disk.succeed()
        disk.succeed()
        await disk.queue.drain()
        assert disk.resumed == 1

    run_virtual(main())


def test_batches_are_sent_again_in_their_order(daemon):
    async def main():
        disk = Disk(daemon)
        for number in range(3):
            disk.write(400, f"{number}")
            disk.queue.flush()
        assert len(daemon.asked) == 2
        daemon.go()
        disk.write(1, "3")
        disk.queue.flush()
        daemon.come()
        paths = []
        for _ in range(4):
            _, _, payload = daemon.asked[0]
            paths += [each.extents[0].path for each in unpack_writes(memoryview(payload)).records]
            disk.succeed()
        assert paths == ["0", "1", "2", "3"]
        await disk.queue.drain()
        assert disk.outcomes == [Outcome.SUCCESS] * 4
        assert disk.queue.snapshot().metrics.resent == 2

    run_virtual(main())


def test_a_batch_with_which_every_daemon_goes_down_fails(daemon):
    async def main():
        disk = Disk(daemon)
        disk.write()
        disk.queue.flush()
        for _ in range(MAX_LOSSES):
            daemon.go()
            daemon.come()
            assert len(daemon.asked) == 1
        daemon.go()
        daemon.come()
        assert not daemon.asked
        await disk.queue.drain()
        assert isinstance(disk.results[0].error, RootUnavailableError)

    run_virtual(main())


def test_without_a_daemon_jobs_fail_after_a_while(daemon):
    async def main():
        disk = Disk(daemon)
        disk.write()
        disk.queue.flush()
        daemon.go()
        await asyncio.sleep(daemon.patience - 0.1)
        assert not disk.results
        await asyncio.sleep(0.2)
        assert disk.outcomes == [Outcome.IO_ERROR]
        assert isinstance(disk.results[0].error, RootUnavailableError)
        disk.write()
        disk.queue.flush()
        await turn()
        assert disk.outcomes == [Outcome.IO_ERROR] * 2, "nobody waits twice"
        daemon.come()
        disk.write()
        disk.queue.flush()
        disk.succeed()
        await disk.queue.drain()
        assert disk.outcomes[2] is Outcome.SUCCESS

    run_virtual(main())


def test_one_that_was_never_there_is_called(daemon):
    async def main():
        daemon.is_up = False
        disk = Disk(daemon)
        disk.write()
        disk.queue.flush()
        assert daemon.is_opened
        await disk.queue.close()
        assert disk.outcomes == [Outcome.IO_ERROR]
        assert daemon.is_closed

    run_virtual(main())


def test_long_reads_go_apart(daemon):
    async def main():
        disk = Disk(daemon)
        for _ in range(3):
            disk.read(MAX_BATCH_BYTES // 2)
        disk.queue.flush()
        ((_, opcode, payload),) = daemon.asked
        assert opcode is Opcode.READ_BATCH
        assert len(unpack_spans(memoryview(payload)).records) == 2
        assert disk.queue.snapshot().waiting == 1

    run_virtual(main())


def test_release_is_told_before_what_follows(daemon):
    async def main():
        disk = Disk(daemon)
        disk.queue.release("f/sub", ("a", "b"))
        ((opcode, payload),) = daemon.puts
        assert opcode is Opcode.CALL
        call = parse_call(memoryview(payload))
        assert call == {"op": "release", "root": "f", "paths": ["sub/a", "sub/b"]}
        disk.queue.release("f", ())
        assert len(daemon.puts) == 1

    run_virtual(main())
