"""A disk queue whose disk fails, tears writes or is slow, as a test says."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass

from millstream.errors import StorageError
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

ANY_JOB = (VerifiedWrite, Read, Hash)


@dataclass(slots=True)
class _Fault:
    number: int
    kinds: tuple[type, ...]
    path: str | None
    after: int
    times: float
    torn: bool


class FaultyDisk:
    """Implements `interfaces.disk.DiskQueue` by another one.

    ```python
    disk = FaultyDisk(NativeDiskQueue())
    disk.fail(errno.ENOSPC, after=3)            # every write but the first three
    disk.fail(errno.EIO, kinds=(Read,), path="a/b", times=1)
    disk.fail(errno.EIO, torn=True)             # half of the piece reaches the disk
    disk.heal()
    disk.seconds_per_write = 1.0
    ```

    Args:
        disk: does what does not fail.
        config: only `max_queued_bytes` means something here.

    Attributes:
        seconds_per_write: that the disk takes for one piece, one after the other.
        failures: jobs that failed by a fault.
        most_queued: bytes of unfinished writes, when they were most.
    """

    def __init__(self, disk: DiskQueue, config: DiskConfig | None = None) -> None:
        self._disk = disk
        self._most = (config or DiskConfig()).max_queued_bytes
        self._faults: list[_Fault] = []
        self._torn: dict[VerifiedWrite, tuple[VerifiedWrite, int]] = {}
        self._broken: list[DiskResult] = []
        self._late = 0
        self._free_at = 0.0
        self._queued = 0
        self._was_full = False
        self._deliver: Callable[[list[DiskResult]], None] = lambda _: None
        self._resume: Callable[[], None] = lambda: None
        self._idle = asyncio.Event()
        self.seconds_per_write = 0.0
        self.failures = 0
        self.most_queued = 0

    # What a test says.

    def fail(
        self,
        number: int,
        *,
        kinds: tuple[type, ...] = (VerifiedWrite,),
        path: str | None = None,
        after: int = 0,
        times: float = float("inf"),
        torn: bool = False,
    ) -> None:
        """Let jobs fail from now on.

        Args:
            number: the system's error, as `errno.ENOSPC`.
            kinds: of the jobs that fail.
            path: of a file; only jobs that touch it fail. None: all.
            after: how many of them go well before.
            times: how many fail then.
            torn: whether a write puts the first half of its bytes on the disk before it fails.
        """
        self._faults.append(_Fault(number, kinds, path, after, times, torn))

    def heal(self) -> None:
        """Nothing fails any more."""
        self._faults.clear()

    # interfaces.disk.DiskQueue

    def start(
        self, deliver: Callable[[list[DiskResult]], None], resume: Callable[[], None]
    ) -> None:
        """See `interfaces.disk.DiskQueue`."""
        self._deliver, self._resume = deliver, resume
        self._disk.start(self._take, self._maybe_resume)

    def submit_write(self, job: VerifiedWrite) -> None:
        """See `interfaces.disk.DiskQueue`."""
        self._queued += len(job.data)
        self.most_queued = max(self.most_queued, self._queued)
        fault = self._fault_of(job)
        if fault is None:
            self._disk.submit_write(job)
        elif fault.torn and hashlib.sha1(job.data).digest() == job.expected_digest:
            half = _half_of(job)
            self._torn[half] = job, fault.number
            self._disk.submit_write(half)
        else:
            self._break(job, fault.number)

    def submit_read(self, job: Read) -> None:
        """See `interfaces.disk.DiskQueue`."""
        fault = self._fault_of(job)
        if fault is None:
            self._disk.submit_read(job)
        else:
            self._break(job, fault.number)

    def submit_hash(self, job: Hash) -> None:
        """See `interfaces.disk.DiskQueue`."""
        fault = self._fault_of(job)
        if fault is None:
            self._disk.submit_hash(job)
        else:
            self._break(job, fault.number)

    def flush(self) -> None:
        """See `interfaces.disk.DiskQueue`."""
        self._disk.flush()
        if self._broken:
            results, self._broken = self._broken, []
            asyncio.get_running_loop().call_soon(self._take, results)

    @property
    def is_full(self) -> bool:
        """See `interfaces.disk.DiskQueue`."""
        full = self._queued > self._most
        self._was_full = self._was_full or full
        return full or self._disk.is_full

    def release(self, root: str, paths: tuple[str, ...]) -> None:
        """See `interfaces.disk.DiskQueue`."""
        self._disk.release(root, paths)

    async def drain(self) -> None:
        """See `interfaces.disk.DiskQueue`."""
        self.flush()
        await self._disk.drain()
        while self._late:
            self._idle.clear()
            await self._idle.wait()
        await asyncio.sleep(0)

    async def close(self) -> None:
        """See `interfaces.disk.DiskQueue`."""
        await self.drain()
        await self._disk.close()

    # What becomes of it.

    def _fault_of(self, job: DiskJob) -> _Fault | None:
        for fault in self._faults:
            touches = fault.path is None or any(fault.path == each.path for each in job.extents)
            if isinstance(job, fault.kinds) and touches:
                fault.after -= 1
                if fault.after < 0 <= fault.times - 1:
                    fault.times -= 1
                    return fault
        return None

    def _break(self, job: DiskJob, number: int) -> None:
        self._broken.append(_failure(job, number))

    def _take(self, results: list[DiskResult]) -> None:
        now = []
        for given in results:
            result = given
            torn = self._torn.pop(given.job, None) if isinstance(given.job, VerifiedWrite) else None
            if torn is not None:
                result = _failure(*torn)
            if result.outcome is Outcome.IO_ERROR:
                self.failures += 1
            if self.seconds_per_write and isinstance(result.job, VerifiedWrite):
                self._delay(result)
            else:
                now.append(result)
        self._give(now)

    def _delay(self, result: DiskResult) -> None:
        loop = asyncio.get_running_loop()
        self._free_at = max(loop.time(), self._free_at) + self.seconds_per_write

        def end() -> None:
            self._late -= 1
            self._give([result])
            self._idle.set()

        self._late += 1
        loop.call_at(self._free_at, end)

    def _give(self, results: list[DiskResult]) -> None:
        writes = (each.job for each in results if isinstance(each.job, VerifiedWrite))
        self._queued -= sum(len(job.data) for job in writes)
        if results:
            self._deliver(results)
        self._maybe_resume()

    def _maybe_resume(self) -> None:
        if self._was_full and not self.is_full:
            self._was_full = False
            self._resume()


def _failure(job: DiskJob, number: int) -> DiskResult:
    path = next((each.path for each in job.extents if each.path is not None), "")
    error = StorageError(f"{job.root}/{path}", os.strerror(number), number)
    return DiskResult(job, Outcome.IO_ERROR, error)


def _half_of(job: VerifiedWrite) -> VerifiedWrite:
    """The write of the first half of a piece."""
    data = job.data[: len(job.data) // 2]
    extents, room = [], len(data)
    for extent in job.extents:
        length = min(extent.length, room)
        room -= length
        if length:
            extents.append(Extent(extent.path, extent.offset, length))
    digest = hashlib.sha1(data).digest()
    return VerifiedWrite(job.torrent, job.piece, job.root, data, digest, tuple(extents))
