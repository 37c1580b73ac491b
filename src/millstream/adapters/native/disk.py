"""The disk queue on threads: hashing, reads and writes release the interpreter's lock.

A flush hands each worker a list of jobs, not jobs one by one, and results wake the loop once for
all that is there. File access is positional, never through a shared offset and never by mmap: a
file truncated under a mapping kills the process.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import queue
import threading
from collections import deque
from collections.abc import Callable

from millstream.adapters.native.file_pool import FilePool
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
from millstream.logging.component_logger import component_logger

logger = component_logger("disk")

# A hash job reads this much at a time: in the second-level cache it is hashed while warm.
HASH_STEP = 256 << 10

# Jobs of fewer bytes than this stay together on one worker: waking another costs more.
MIN_BATCH_BYTES = 1 << 20

# Read by the loop's thread itself in one flush, if it is in the page cache: a fraction of a
# millisecond's work.
MAX_AT_ONCE_BYTES = 4 << 20

# Finished jobs that may wait for the loop to be woken while workers are busy.
MAX_UNTOLD_RESULTS = 8


class NativeDiskQueue:
    """Implements `interfaces.disk.DiskQueue`. Create and use it in the loop's thread.

    Args:
        config: its limits.
        files: how files are opened, by a job's root, `/` and path; None for the system's paths.
    """

    def __init__(self, config: DiskConfig | None = None, files: FilePool | None = None) -> None:
        self._config = config or DiskConfig()
        self._files = files or FilePool(self._config.max_open_files)
        self._deliver: Callable[[list[DiskResult]], None] = lambda _results: None
        self._resume: Callable[[], None] = lambda: None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queued: list[DiskJob] = []
        self._batches: queue.SimpleQueue[list[DiskJob] | None] = queue.SimpleQueue()
        self._finished: deque[DiskResult] = deque()
        self._waking = False
        self._pending_jobs = 0
        self._pending_write_bytes = 0
        self._was_full = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self._threads: list[threading.Thread] = []

    def start(
        self, deliver: Callable[[list[DiskResult]], None], resume: Callable[[], None]
    ) -> None:
        """See `interfaces.disk.DiskQueue`."""
        self._deliver, self._resume = deliver, resume
        self._loop = asyncio.get_running_loop()
        workers = self._config.workers or max(2, min(8, os.cpu_count() or 2))
        for number in range(workers):
            thread = threading.Thread(
                target=self._work, name=f"millstream-disk-{number}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def submit_write(self, job: VerifiedWrite) -> None:
        """See `interfaces.disk.DiskQueue`."""
        self._pending_write_bytes += len(job.data)
        self._queued.append(job)

    def submit_read(self, job: Read) -> None:
        """See `interfaces.disk.DiskQueue`."""
        self._queued.append(job)

    def submit_hash(self, job: Hash) -> None:
        """See `interfaces.disk.DiskQueue`."""
        self._queued.append(job)

    def flush(self) -> None:
        """See `interfaces.disk.DiskQueue`."""
        queued = self._queued
        if not queued:
            return
        self._queued = []
        self._pending_jobs += len(queued)
        self._idle.clear()
        batch: list[DiskJob] = []
        batch_bytes = at_once_bytes = 0
        for job in queued:
            if (
                isinstance(job, Read)
                and at_once_bytes < MAX_AT_ONCE_BYTES
                and self._read_at_once(job)
            ):
                at_once_bytes += len(job.into)
                continue
            batch.append(job)
            batch_bytes += _job_length(job)
            if batch_bytes >= MIN_BATCH_BYTES:
                self._batches.put(batch)
                batch, batch_bytes = [], 0
        if batch:
            self._batches.put(batch)

    def _read_at_once(self, job: Read) -> bool:
        """Read what is in the page cache without waiting; False if that is not all of the job.

        A hand-over to a worker and back costs as much as copying half a megabyte.
        """
        if len(job.extents) != 1:
            return False
        path, offset, length = job.extents[0]
        if path is None or length != len(job.into):
            return False
        try:
            with self._files.use(os.path.join(job.root, path), write=False) as file:
                if not file.cached.read(job.into, offset):
                    return False
        except OSError:  # a worker meets it again and reports it
            return False
        self._finished.append(DiskResult(job, Outcome.SUCCESS))
        if not self._waking and self._loop is not None:
            self._waking = True
            self._loop.call_soon(self._collect)
        return True

    @property
    def is_full(self) -> bool:
        """See `interfaces.disk.DiskQueue`."""
        full = self._pending_write_bytes > self._config.max_queued_bytes
        self._was_full = self._was_full or full
        return full

    def release(self, root: str, paths: tuple[str, ...]) -> None:
        """See `interfaces.disk.DiskQueue`."""
        for path in paths:
            self._files.release(os.path.join(root, path))

    async def drain(self) -> None:
        """See `interfaces.disk.DiskQueue`."""
        self.flush()
        await self._idle.wait()

    async def close(self) -> None:
        """See `interfaces.disk.DiskQueue`."""
        if self._closed:
            return
        self._closed = True
        if self._threads:
            await self.drain()
        for _ in self._threads:
            self._batches.put(None)
        for thread in self._threads:
            thread.join()
        self._files.close()

    # In the loop's thread, woken by the workers.

    def _collect(self) -> None:
        self._waking = False
        finished = self._finished
        results = [finished.popleft() for _ in range(len(finished))]
        for result in results:
            if isinstance(result.job, VerifiedWrite):
                self._pending_write_bytes -= len(result.job.data)
        self._pending_jobs -= len(results)
        if results:
            self._deliver(results)
        if self._was_full and not self.is_full:
            self._was_full = False
            self._resume()
        if not self._pending_jobs:
            self._idle.set()

    # In the workers' threads.

    def _work(self) -> None:
        hash_buffer = memoryview(bytearray(HASH_STEP))
        loop = self._loop
        while (batch := self._batches.get()) is not None:
            for job in batch:
                self._finished.append(self._run(job, hash_buffer))
            # While there is more to do, results wait to share a wake-up of the loop. Two workers
            # may both wake it; the second finds nothing and that is fine.
            if self._waking or loop is None:
                continue
            if self._batches.empty() or len(self._finished) >= MAX_UNTOLD_RESULTS:
                self._waking = True
                loop.call_soon_threadsafe(self._collect)

    def _run(self, job: DiskJob, hash_buffer: memoryview) -> DiskResult:
        """Do a job. Whatever goes wrong becomes its result: a worker must not end."""
        extent: Extent | None = None
        try:
            if isinstance(job, VerifiedWrite | Read) and not _agrees(job):
                failure = StorageError(job.root, "the job's data and extents differ in length")
                return DiskResult(job, Outcome.INVALID_ARGS, failure)
            if isinstance(job, VerifiedWrite):
                if hashlib.sha1(job.data).digest() != job.expected_digest:
                    return DiskResult(job, Outcome.HASH_MISMATCH)
                at = 0
                for extent in job.extents:
                    data = job.data[at : at + extent.length]
                    self._write(job.root, extent, data, may_create=job.may_create)
                    at += extent.length
                return DiskResult(job, Outcome.SUCCESS)
            if isinstance(job, Read):
                at = 0
                for extent in job.extents:
                    self._read(job.root, extent, job.into[at : at + extent.length])
                    at += extent.length
                return DiskResult(job, Outcome.SUCCESS)
            digest = hashlib.sha1()
            for extent in job.extents:
                for begin in range(0, extent.length, len(hash_buffer)):
                    step = min(len(hash_buffer), extent.length - begin)
                    part = Extent(extent.path, extent.offset + begin, step)
                    self._read(job.root, part, hash_buffer[:step])
                    digest.update(hash_buffer[:step])
            return DiskResult(job, Outcome.SUCCESS, digest=digest.digest())
        except OSError as error:
            path = os.path.join(job.root, (extent.path if extent else None) or "")
            failure = StorageError(path, error.strerror or str(error), error.errno)
            return DiskResult(job, Outcome.IO_ERROR, failure)
        except Exception as error:
            logger.exception("a disk job failed in an unexpected way")
            return DiskResult(job, Outcome.INVALID_ARGS, StorageError(job.root, str(error)))

    def _write(self, root: str, extent: Extent, data: memoryview, *, may_create: bool) -> None:
        if extent.path is None:
            return
        path = os.path.join(root, extent.path)
        if not may_create and path not in self._files:
            self._files.stat(path)
        with self._files.use(path, write=True) as file, file.write_lock:
            if not may_create:
                self._files.see(file, path)
            at = extent.offset
            while data:
                written = os.pwrite(file.descriptor, data, at)
                if not written:
                    raise OSError(None, "the disk takes no more")
                data = data[written:]
                at += written

    def _read(self, root: str, extent: Extent, into: memoryview) -> None:
        if extent.path is None:
            into[:] = bytes(extent.length)
            return
        with self._files.use(os.path.join(root, extent.path), write=False) as file:
            at = extent.offset
            while into:
                length = os.preadv(file.descriptor, [into], at)
                if not length:
                    raise OSError(None, "the file is shorter than it should be")
                into = into[length:]
                at += length


def _agrees(job: VerifiedWrite | Read) -> bool:
    return _job_length(job) == _extents_length(job.extents)


def _job_length(job: DiskJob) -> int:
    if isinstance(job, VerifiedWrite):
        return len(job.data)
    if isinstance(job, Read):
        return len(job.into)
    return _extents_length(job.extents)


def _extents_length(extents: tuple[Extent, ...]) -> int:
    if len(extents) == 1:
        return extents[0].length
    return sum(extent.length for extent in extents)
