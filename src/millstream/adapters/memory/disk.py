"""The disk queue over files in memory: no threads, the loop's clock."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable

from millstream.adapters.memory.filesystem import MemoryFileSystem
from millstream.errors import StorageError
from millstream.interfaces.disk import (
    DiskConfig,
    DiskJob,
    DiskResult,
    Extent,
    Hash,
    Outcome,
    Read,
    VerifiedWrite,
)

DIGEST_LENGTH = 20


class MemoryDiskQueue:
    """Implements `interfaces.disk.DiskQueue`.

    The jobs of a flush run at the flush, and their results come back in one batch, in order, once
    the simulated disk is through with them.

    Args:
        files: where the bytes go.
        config: only `max_queued_bytes` means something here.
        latency: seconds that every flush takes.
        rate: bytes per second that the disk reads, hashes or writes; None: unlimited.
    """

    def __init__(
        self,
        files: MemoryFileSystem,
        config: DiskConfig | None = None,
        *,
        latency: float = 0.0,
        rate: float | None = None,
    ) -> None:
        self._files = files
        self._config = config or DiskConfig()
        self._latency = latency
        self._rate = rate
        self._deliver: Callable[[list[DiskResult]], None] | None = None
        self._resume: Callable[[], None] | None = None
        self._submitted: list[DiskJob] = []
        self._underway: deque[list[DiskResult]] = deque()
        self._free_at = 0.0
        self._queued_bytes = 0
        self._was_full = False
        self._idle: list[asyncio.Future[None]] = []
        self._closed = False

    def start(
        self, deliver: Callable[[list[DiskResult]], None], resume: Callable[[], None]
    ) -> None:
        """Name the receivers of results and of the news that `is_full` no longer holds."""
        self._deliver = deliver
        self._resume = resume

    def submit_write(self, job: VerifiedWrite) -> None:
        """Queue a verified write for the next flush."""
        self._queued_bytes += len(job.data)
        self._was_full = self.is_full
        self._submit(job)

    def submit_read(self, job: Read) -> None:
        """Queue a read for the next flush."""
        self._submit(job)

    def submit_hash(self, job: Hash) -> None:
        """Queue a hash for the next flush."""
        self._submit(job)

    def _submit(self, job: DiskJob) -> None:
        if self._closed:
            raise StorageError(job.root, "the disk queue is closed")
        self._submitted.append(job)

    def flush(self) -> None:
        """Run everything queued; the results follow in a later iteration of the loop."""
        if not self._submitted:
            return
        jobs, self._submitted = self._submitted, []
        self._underway.append([self._run(job) for job in jobs])
        loop = asyncio.get_running_loop()
        if self._rate is not None:
            busy = sum(map(_length, jobs)) / self._rate
            self._free_at = max(loop.time(), self._free_at) + busy
            loop.call_at(self._free_at + self._latency, self._finish)
        elif self._latency:
            loop.call_later(self._latency, self._finish)
        else:
            loop.call_soon(self._finish)

    @property
    def is_full(self) -> bool:
        """Whether unfinished writes hold more bytes than `max_queued_bytes`."""
        return self._queued_bytes > self._config.max_queued_bytes

    def release(self, root: str, paths: tuple[str, ...]) -> None:
        """Do nothing: no handles are kept."""

    async def drain(self) -> None:
        """Flush, then return when every job has its result delivered."""
        self.flush()
        while self._underway:
            idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle.append(idle)
            await idle

    async def close(self) -> None:
        """Hand over what was submitted, drain, and take no more."""
        self.flush()
        self._closed = True
        await self.drain()

    # The jobs

    def _finish(self) -> None:
        # Left at the head while it is delivered: a drain that begins meanwhile waits for it.
        results = self._underway[0]
        self._queued_bytes -= sum(
            len(result.job.data) for result in results if isinstance(result.job, VerifiedWrite)
        )
        try:
            if self._deliver is not None:
                self._deliver(results)
            if self._was_full and not self.is_full:
                self._was_full = False
                if self._resume is not None:
                    self._resume()
        finally:
            self._underway.popleft()
            if not self._underway:
                self._wake_drains()

    def _wake_drains(self) -> None:
        waiting, self._idle = self._idle, []
        for idle in waiting:
            if not idle.done():
                idle.set_result(None)

    def _run(self, job: DiskJob) -> DiskResult:
        problem = _invalid(job)
        if problem is not None:
            return DiskResult(job, Outcome.INVALID_ARGS, StorageError(job.root, problem))
        try:
            if isinstance(job, VerifiedWrite):
                return self._write(job)
            if isinstance(job, Read):
                return self._read(job)
            return self._hash(job)
        except StorageError as error:
            return DiskResult(job, Outcome.IO_ERROR, error)

    def _write(self, job: VerifiedWrite) -> DiskResult:
        if hashlib.sha1(job.data).digest() != job.expected_digest:
            return DiskResult(job, Outcome.HASH_MISMATCH)
        position = 0
        for path, offset, length in job.extents:
            if path is not None:
                part = job.data[position : position + length]
                self._files.write_at(job.root, path, offset, part, create=job.may_create)
            position += length
        return DiskResult(job, Outcome.SUCCESS)

    def _read(self, job: Read) -> DiskResult:
        position = 0
        for extent in job.extents:
            self._read_extent(job.root, extent, job.into[position : position + extent.length])
            position += extent.length
        return DiskResult(job, Outcome.SUCCESS)

    def _hash(self, job: Hash) -> DiskResult:
        digest = hashlib.sha1()
        for extent in job.extents:
            buffer = bytearray(extent.length)
            self._read_extent(job.root, extent, memoryview(buffer))
            digest.update(buffer)
        return DiskResult(job, Outcome.SUCCESS, digest=digest.digest())

    def _read_extent(self, root: str, extent: Extent, into: memoryview) -> None:
        if extent.path is None:
            into[:] = bytes(extent.length)
        else:
            self._files.read_at(root, extent.path, extent.offset, into)


def _length(job: DiskJob) -> int:
    return sum(extent.length for extent in job.extents)


def _invalid(job: DiskJob) -> str | None:
    """Say what is wrong with a job, or None."""
    if any(extent.offset < 0 or extent.length < 0 for extent in job.extents):
        return "an extent has a negative offset or length"
    if isinstance(job, Hash):
        return None
    buffer = job.data if isinstance(job, VerifiedWrite) else job.into
    if _length(job) != len(buffer):
        return f"the extents have {_length(job)} bytes and the buffer {len(buffer)}"
    if isinstance(job, VerifiedWrite) and len(job.expected_digest) != DIGEST_LENGTH:
        return f"the expected digest has {len(job.expected_digest)} bytes, not {DIGEST_LENGTH}"
    return None
