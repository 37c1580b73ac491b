"""What every `interfaces.disk.DiskQueue` must do."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import random
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from millstream.interfaces.disk import (
    DiskConfig,
    DiskJob,
    DiskQueue,
    DiskResult,
    Extent,
    Hash,
    Outcome,
    Read,
    VerifiedWrite,
)
from millstream.protocol.infohash import INFOHASH_LENGTH, InfoHash
from millstream.testing.conformance_waiting import settle, until

TORRENT = InfoHash(bytes(INFOHASH_LENGTH))
SMALL_QUEUE = DiskConfig(workers=2, max_queued_bytes=1 << 20)


@dataclass(frozen=True, slots=True)
class DiskUnderTest:
    """A disk queue that was not started, and a way past it.

    Attributes:
        queue: the implementation; closed by whoever made it, and by the tests before.
        root: a root whose directory exists and is empty.
        put: put a whole new file under the root in place of whatever was there; parents too.
        get: read a whole file under the root; None if there is none.
    """

    queue: DiskQueue
    root: str
    put: Callable[[str, bytes], None]
    get: Callable[[str], bytes | None]


class _Bench:
    """A started queue, jobs for it, and what came of them."""

    def __init__(self, place: DiskUnderTest) -> None:
        self.place = place
        self.queue = place.queue
        self.batches: list[list[DiskResult]] = []
        self.resumed: list[bool] = []  # is_full at each call
        self.breaches: list[str] = []
        self._thread = threading.get_ident()
        self._calling = False
        self.queue.start(self._deliver, self._resume)

    @property
    def results(self) -> list[DiskResult]:
        return [result for batch in self.batches for result in batch]

    def result(self, job: DiskJob) -> DiskResult:
        (result,) = [result for result in self.results if result.job is job]
        return result

    def write(
        self,
        data: bytes,
        *extents: Extent,
        digest: bytes | None = None,
        piece: int = 0,
        may_create: bool = True,
    ) -> VerifiedWrite:
        expected = hashlib.sha1(data).digest() if digest is None else digest
        root, view = self.place.root, memoryview(data)
        job = VerifiedWrite(TORRENT, piece, root, view, expected, extents, may_create)
        self._submit(lambda: self.queue.submit_write(job))
        return job

    def read(self, *extents: Extent) -> Read:
        length = sum(extent.length for extent in extents)
        # Not zeros: what is not filled in must not look like padding.
        into = memoryview(bytearray(b"\xee" * length))
        job = Read(TORRENT, self.place.root, extents, into, tag=object())
        self._submit(lambda: self.queue.submit_read(job))
        return job

    def hash(self, *extents: Extent) -> Hash:
        job = Hash(TORRENT, 0, self.place.root, extents)
        self._submit(lambda: self.queue.submit_hash(job))
        return job

    def is_full(self) -> bool:
        return self.queue.is_full

    def flush(self) -> None:
        self._submit(self.queue.flush)

    async def done(self) -> None:
        """Flush, and wait for all results."""
        self.flush()
        await self.queue.drain()

    def _submit(self, call: Callable[[], None]) -> None:
        self._calling = True
        call()
        self._calling = False

    def _deliver(self, results: list[DiskResult]) -> None:
        self._check("results were delivered")
        if not results:
            self.breaches.append("an empty batch was delivered")
        self.batches.append(list(results))

    def _resume(self) -> None:
        self._check("resume was called")
        self.resumed.append(self.queue.is_full)

    def _check(self, what: str) -> None:
        if self._calling:
            self.breaches.append(f"{what} from within a submit or flush")
        if threading.get_ident() != self._thread:
            self.breaches.append(f"{what} in another thread than the loop's")


class DiskQueueConformance:
    """Derive, override `open_disk`, and run the tests."""

    def open_disk(self, config: DiskConfig) -> AbstractAsyncContextManager[DiskUnderTest]:
        """Give a queue that was not started, with an empty root."""
        raise NotImplementedError

    @asynccontextmanager
    async def _bench(self, config: DiskConfig = SMALL_QUEUE) -> AsyncIterator[_Bench]:
        async with self.open_disk(config) as place:
            bench = _Bench(place)
            try:
                yield bench
                await place.queue.close()
                assert not bench.breaches, bench.breaches
                for result in bench.results:
                    _check_shape(result)
            finally:
                await place.queue.close()

    # Handing over

    async def test_nothing_happens_before_the_flush(self) -> None:
        """Jobs that were not handed over touch nothing and have no results."""
        async with self._bench() as bench:
            job = bench.write(b"data", Extent("file", 0, 4))
            await settle(lambda: (len(bench.batches), bench.place.get("file")))
            assert bench.place.get("file") is None
            assert not bench.batches
            await bench.done()
            assert bench.result(job).outcome is Outcome.SUCCESS
            assert bench.place.get("file") == b"data"

    async def test_every_job_gets_one_result(self) -> None:
        """A hundred jobs of all kinds, of one flush and of several, end once each."""
        async with self._bench(DiskConfig(workers=3)) as bench:
            bench.place.put("there", bytes(1000))
            jobs: list[DiskJob] = []
            for number in range(100):
                jobs.append(bench.write(b"%03d" % number, Extent("new", 3 * number, 3)))
                jobs.append(bench.read(Extent("there", number, 10)))
                jobs.append(bench.hash(Extent("there", number, 10)))
                if number % 10 == 9:
                    bench.flush()
            await bench.done()
            assert len(bench.results) == len(jobs)
            assert {id(result.job) for result in bench.results} == {id(job) for job in jobs}
            assert all(result.outcome is Outcome.SUCCESS for result in bench.results)
            assert bench.place.get("new") == b"".join(b"%03d" % n for n in range(100))

    async def test_a_flush_of_nothing_is_fine(self) -> None:
        """No jobs, no results, and nothing to drain."""
        async with self._bench() as bench:
            bench.flush()
            await bench.queue.drain()
            assert not bench.batches

    async def test_jobs_may_be_submitted_while_results_are_delivered(self) -> None:
        """A receiver may submit and flush the next job, and drain waits for that too."""
        async with self.open_disk(SMALL_QUEUE) as place:
            results: list[DiskResult] = []

            def deliver(batch: list[DiskResult]) -> None:
                results.extend(batch)
                if len(results) < 5:
                    submit()

            def submit() -> None:
                into = memoryview(bytearray(4))
                place.queue.submit_read(
                    Read(TORRENT, place.root, (Extent("file", len(results), 4),), into)
                )
                place.queue.flush()

            place.put("file", b"0123456789")
            place.queue.start(deliver, lambda: None)
            submit()
            await until(lambda: len(results) == 5, "the chain ended")
            await place.queue.drain()
            read = [bytes(result.job.into) for result in results if isinstance(result.job, Read)]
            assert read == [b"0123", b"1234", b"2345", b"3456", b"4567"]
            await place.queue.close()

    # Verified writes

    async def test_a_write_goes_to_its_place(self) -> None:
        """Bytes land at their offset; the rest of the file stays; a longer file results."""
        async with self._bench() as bench:
            bench.place.put("file", b"..........")
            bench.write(b"abc", Extent("file", 2, 3))
            bench.write(b"xyz", Extent("file", 12, 3))
            await bench.done()
            assert bench.place.get("file") == b"..abc.....\0\0xyz"

    async def test_a_write_creates_the_file_and_its_parents(self) -> None:
        """Where there is nothing yet, the file and its directories come into being."""
        async with self._bench() as bench:
            job = bench.write(b"abc", Extent("a/b ü/file", 0, 3))
            await bench.done()
            assert bench.result(job).outcome is Outcome.SUCCESS
            assert bench.place.get("a/b ü/file") == b"abc"

    async def test_a_write_that_may_not_create_finds_the_file_or_says_that_it_is_gone(self) -> None:
        """A disk that was unmounted must not get its files anew."""
        async with self._bench() as bench:
            bench.place.put("there", b"xxxx")
            found = bench.write(b"abcd", Extent("there", 0, 4), may_create=False)
            lost = bench.write(b"abcd", Extent("some/absent", 0, 4), may_create=False)
            await bench.done()
            assert bench.result(found).outcome is Outcome.SUCCESS
            assert bench.place.get("there") == b"abcd"
            result = bench.result(lost)
            assert result.outcome is Outcome.IO_ERROR
            assert result.error is not None
            assert result.error.errno == errno.ENOENT
            assert result.error.path.endswith("absent")
            assert bench.place.get("some/absent") is None

    async def test_a_piece_across_files(self) -> None:
        """Several extents take their parts of the data in order."""
        async with self._bench() as bench:
            bench.place.put("b", b"-" * 6)
            bench.write(b"tail whole head", Extent("a", 4, 5), Extent("b", 0, 6), Extent("c", 0, 4))
            await bench.done()
            assert bench.place.get("a") == b"\0\0\0\0tail "
            assert bench.place.get("b") == b"whole "
            assert bench.place.get("c") == b"head"

    async def test_padding_is_hashed_and_never_stored(self) -> None:
        """The zeros of a pad file (BEP 47) count for the digest and go nowhere."""
        async with self._bench() as bench:
            data = b"abc" + bytes(5) + b"de"
            job = bench.write(
                data, Extent("first", 0, 3), Extent(None, 0, 5), Extent("second", 0, 2)
            )
            await bench.done()
            assert bench.result(job).outcome is Outcome.SUCCESS
            assert bench.place.get("first") == b"abc"
            assert bench.place.get("second") == b"de"

    async def test_a_mismatch_touches_no_disk(self) -> None:
        """Data with another digest changes no file and creates none, also across files."""
        async with self._bench() as bench:
            bench.place.put("there", b"before")
            wrong = hashlib.sha1(b"something else").digest()
            job = bench.write(
                b"afterwards",
                Extent("there", 0, 6),
                Extent(None, 0, 1),
                Extent("new/file", 0, 3),
                digest=wrong,
            )
            good = bench.write(b"good", Extent("good", 0, 4))
            await bench.done()
            assert bench.result(job).outcome is Outcome.HASH_MISMATCH
            assert bench.result(good).outcome is Outcome.SUCCESS
            assert bench.place.get("there") == b"before"
            assert bench.place.get("new/file") is None
            assert bench.place.get("good") == b"good"

    async def test_data_and_extents_must_agree(self) -> None:
        """A job whose extents do not add up is refused whole, before anything is touched."""
        async with self._bench() as bench:
            short = bench.write(b"abc", Extent("short", 0, 2))
            long = bench.write(b"abc", Extent("long", 0, 3), Extent("longer", 0, 1))
            await bench.done()
            for job in (short, long):
                assert bench.result(job).outcome is Outcome.INVALID_ARGS
            for path in ("short", "long", "longer"):
                assert bench.place.get(path) is None

    async def test_an_io_error_names_the_path(self) -> None:
        """A write that fails says where and why, claims nothing, and hurts no other job."""
        async with self._bench() as bench:
            bench.place.put("blocked", b"a file, where a directory should be")
            bad = bench.write(b"firstsecond", Extent("first", 0, 5), Extent("blocked/second", 0, 6))
            good = bench.write(b"good", Extent("good", 0, 4))
            await bench.done()
            result = bench.result(bad)
            assert result.outcome is Outcome.IO_ERROR
            assert result.error is not None
            assert result.error.path.startswith(bench.place.root)
            assert "blocked" in result.error.path
            assert result.error.cause
            assert result.error.errno
            assert bench.result(good).outcome is Outcome.SUCCESS
            assert bench.place.get("good") == b"good"

    async def test_a_mismatch_is_found_before_an_io_error(self) -> None:
        """Bad data for a bad place is bad data: the digest is compared first."""
        async with self._bench() as bench:
            bench.place.put("blocked", b"x")
            job = bench.write(b"abc", Extent("blocked/file", 0, 3), digest=bytes(20))
            await bench.done()
            assert bench.result(job).outcome is Outcome.HASH_MISMATCH

    async def test_a_failed_write_can_be_repeated(self) -> None:
        """Once the cause is gone the same job succeeds."""
        async with self._bench() as bench:
            bench.place.put("blocked", b"x")
            first = bench.write(b"abc", Extent("blocked/file", 0, 3))
            await bench.done()
            assert bench.result(first).outcome is Outcome.IO_ERROR
            second = bench.write(b"abc", Extent("free/file", 0, 3))
            await bench.done()
            assert bench.result(second).outcome is Outcome.SUCCESS
            assert bench.place.get("free/file") == b"abc"

    async def test_big_pieces_keep_their_bytes(self) -> None:
        """Sixteen pieces of 256 KiB each across three files, written at once, read back."""
        async with self._bench() as bench:
            length = 256 << 10
            data = random.Random(2).randbytes(16 * length)
            sizes = {"one": 100_003, "two": 3 * length, "three": 0}
            sizes["three"] = len(data) - sizes["one"] - sizes["two"]
            for piece in range(16):
                start = piece * length
                bench.write(data[start : start + length], *_extents(sizes, start, length))
            whole = [bench.hash(*_extents(sizes, 0, 0))]
            await bench.done()
            whole.append(bench.hash(*_extents(sizes, 0, len(data))))
            read = bench.read(*_extents(sizes, 50_001, len(data) - 60_007))
            await bench.done()
            assert bench.result(whole[0]).digest == hashlib.sha1(b"").digest()
            assert bench.result(whole[1]).digest == hashlib.sha1(data).digest()
            assert bytes(read.into) == data[50_001:-10_006]
            assert b"".join(bench.place.get(path) or b"" for path in sizes) == data

    # Reads and hashes

    async def test_a_read_crosses_extents_and_padding(self) -> None:
        """Extents are read in order, padding as zeros; the job comes back with its tag."""
        async with self._bench() as bench:
            bench.place.put("a", b"0123456789")
            bench.place.put("b", b"abcdef")
            job = bench.read(
                Extent("a", 7, 3), Extent(None, 0, 4), Extent("b", 0, 6), Extent("a", 0, 1)
            )
            tag = job.tag
            await bench.done()
            result = bench.result(job)
            assert result.outcome is Outcome.SUCCESS
            assert bytes(job.into) == b"789\0\0\0\0abcdef0"
            assert isinstance(result.job, Read)
            assert result.job.tag is tag

    async def test_a_hash_crosses_extents_and_padding(self) -> None:
        """The digest of the extents' bytes, padding as zeros."""
        async with self._bench() as bench:
            bench.place.put("a", b"0123456789")
            bench.place.put("b", bytes(700_000))
            job = bench.hash(Extent("a", 7, 3), Extent(None, 0, 400_000), Extent("b", 1, 699_999))
            await bench.done()
            expected = hashlib.sha1(b"789" + bytes(1_099_999)).digest()
            assert bench.result(job).outcome is Outcome.SUCCESS
            assert bench.result(job).digest == expected

    async def test_reads_and_hashes_see_delivered_writes(self) -> None:
        """What a delivered result says is written, later jobs read."""
        async with self._bench() as bench:
            for turn in range(5):
                data = b"%d" % turn * 1000
                bench.write(data, Extent("file", 0, 1000))
                await bench.done()
                read = bench.read(Extent("file", 0, 1000))
                digest = bench.hash(Extent("file", 0, 1000))
                await bench.done()
                assert bytes(read.into) == data
                assert bench.result(digest).digest == hashlib.sha1(data).digest()

    async def test_a_missing_file_fails_reads_and_hashes(self) -> None:
        """The error names the file; it is not created."""
        async with self._bench() as bench:
            bench.place.put("there", b"x")
            jobs = (
                bench.read(Extent("there", 0, 1), Extent("some/absent", 0, 1)),
                bench.hash(Extent("there", 0, 1), Extent("some/absent", 0, 1)),
            )
            await bench.done()
            for job in jobs:
                result = bench.result(job)
                assert result.outcome is Outcome.IO_ERROR
                assert result.digest is None
                assert result.error is not None
                assert result.error.path.endswith("absent")
                assert result.error.path.startswith(bench.place.root)
                assert result.error.errno
            assert bench.place.get("some/absent") is None

    async def test_a_short_file_fails_reads_and_hashes(self) -> None:
        """Bytes that are not there are an error that names the file, never zeros."""
        async with self._bench() as bench:
            bench.place.put("short", b"12345")
            jobs = (
                bench.read(Extent("short", 3, 3)),
                bench.hash(Extent("short", 0, 6)),
                bench.hash(Extent("short", 100, 1)),
            )
            await bench.done()
            for job in jobs:
                result = bench.result(job)
                assert result.outcome is Outcome.IO_ERROR
                assert result.error is not None
                assert result.error.path.endswith("short")
                assert result.error.cause
            assert bench.place.get("short") == b"12345"

    # Back-pressure

    async def test_is_full_above_the_bound(self) -> None:
        """More bytes than the bound fill the queue, submitted ones too; reads do not count."""
        async with self._bench() as bench:
            half = bytes(512 << 10)
            assert not bench.is_full()
            bench.write(half, Extent("a", 0, len(half)))
            bench.write(half, Extent("b", 0, len(half)))
            bench.place.put("there", half)
            bench.read(Extent("there", 0, len(half)))
            assert not bench.is_full()
            bench.write(b"x", Extent("c", 0, 1))
            assert bench.is_full()
            bench.flush()
            assert bench.is_full()
            await until(lambda: bool(bench.resumed), "resume was called")
            assert not bench.is_full()
            await bench.queue.drain()
            assert bench.resumed == [False]

    async def test_resume_follows_every_time_it_was_full(self) -> None:
        """Three rounds above the bound, three calls; mismatches free their bytes as well."""
        async with self._bench() as bench:
            data = bytes((1 << 20) + 1)
            for turn in range(3):
                digest = bytes(20) if turn == 1 else None
                bench.write(data, Extent("file", 0, len(data)), digest=digest)
                assert bench.is_full()
                await bench.done()
                assert not bench.is_full()
                assert bench.resumed == [False] * (turn + 1)

    async def test_resume_is_only_called_after_it_was_full(self) -> None:
        """A queue that was never full has nothing to tell."""
        async with self._bench() as bench:
            for number in range(5):
                bench.write(b"x", Extent("file", number, 1))
                assert not bench.is_full()
                await bench.done()
            assert bench.resumed == []

    # Draining and closing

    async def test_drain_waits_for_all_results(self) -> None:
        """Drain returns after the last result of everything handed over, to all who wait."""
        async with self._bench() as bench:
            data = bytes(100_000)
            for number in range(10):
                bench.write(data, Extent(f"file{number}", 0, len(data)))
            bench.flush()
            await asyncio.gather(bench.queue.drain(), bench.queue.drain())
            assert len(bench.results) == 10

    async def test_close_drains_and_may_be_repeated(self) -> None:
        """What was handed over is finished and told before close returns; twice is fine."""
        async with self._bench() as bench:
            data = bytes(100_000)
            for number in range(10):
                bench.write(data, Extent(f"file{number}", 0, len(data)))
            bench.flush()
            await bench.queue.close()
            assert len(bench.results) == 10
            await bench.queue.close()
            assert all(bench.place.get(f"file{number}") == data for number in range(10))

    async def test_a_queue_never_started_can_be_closed(self) -> None:
        """Closing needs no start."""
        async with self.open_disk(SMALL_QUEUE) as place:
            await place.queue.close()
            await place.queue.close()

    async def test_released_files_are_opened_afresh(self) -> None:
        """After a release a file may be replaced: later jobs meet the new one."""
        async with self._bench() as bench:
            for content in (b"old", b"new"):
                bench.place.put("file", content)
                bench.queue.release(bench.place.root, ("file", "never/used"))
                read = bench.read(Extent("file", 0, 3))
                await bench.done()
                assert bytes(read.into) == content
            bench.queue.release(bench.place.root, ("file",))
            bench.write(b"third", Extent("file", 0, 5))
            await bench.done()
            assert bench.place.get("file") == b"third"

    async def test_a_release_while_jobs_run_breaks_none(self) -> None:
        """Handles in use are closed later; every job still succeeds."""
        async with self._bench() as bench:
            data = bytes(200_000)
            for number in range(20):
                bench.write(data, Extent("file", number * len(data), len(data)))
                bench.flush()
                bench.queue.release(bench.place.root, ("file",))
            await bench.queue.drain()
            assert all(result.outcome is Outcome.SUCCESS for result in bench.results)
            assert len(bench.place.get("file") or b"") == 20 * len(data)

    async def test_more_files_than_handles(self) -> None:
        """The bound on open files bounds handles, not torrents."""
        async with self._bench(DiskConfig(workers=2, max_open_files=4)) as bench:
            for number in range(40):
                bench.write(b"%02d" % number, Extent(f"file{number}", 0, 2))
            await bench.done()
            reads = [bench.read(Extent(f"file{number}", 0, 2)) for number in range(40)]
            await bench.done()
            assert [bytes(read.into) for read in reads] == [b"%02d" % n for n in range(40)]


def _extents(sizes: dict[str, int], offset: int, length: int) -> tuple[Extent, ...]:
    """Lay a range over files that follow each other."""
    extents: list[Extent] = []
    for path, size in sizes.items():
        start, end = max(offset, 0), min(offset + length, size)
        if start < end:
            extents.append(Extent(path, start, end - start))
        offset -= size
    return tuple(extents)


def _check_shape(result: DiskResult) -> None:
    failed = result.outcome in {Outcome.IO_ERROR, Outcome.INVALID_ARGS}
    assert (result.error is not None) == failed
    hashed = isinstance(result.job, Hash) and result.outcome is Outcome.SUCCESS
    assert (result.digest is not None) == hashed
