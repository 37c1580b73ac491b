"""Batches of writes, reads and hashes carried out: many jobs in, one packed answer out.

The native disk queue does the work: hashing, comparing, reading and writing on threads. To it a root
is its token, and files are opened by `lent_files`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from millstream.adapters.native.disk import NativeDiskQueue
from millstream.adapters.native.file_pool import FilePool
from millstream.errors import MillstreamError
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
from millstream.io_daemon.lent_files import LentFiles
from millstream.io_daemon.relative_path import path_parts
from millstream.io_wire.batches import (
    Batch,
    RefusedRecord,
    SpanBatch,
    SpanRecord,
    WriteRecord,
)
from millstream.io_wire.results import (
    Fault,
    Result,
    pack_hash_results,
    pack_read_results,
    pack_write_results,
)
from millstream.protocol.infohash import InfoHash

# What one batch of reads may bring: an answer is one message. Peers ask for 16 KiB at a time.
MAX_READ_BYTES = 16 << 20

_NO_TORRENT = InfoHash(bytes(20))

Parts = Sequence[bytes | bytearray | memoryview]
Answer = Callable[[Parts], None]


class _Waiting:
    """Jobs that are answered together."""

    __slots__ = ("answer", "results", "waiting")

    def __init__(
        self, refused: Sequence[RefusedRecord], answer: Callable[[list[Result]], None]
    ) -> None:
        self.results = [
            Result(
                record.id,
                Outcome.INVALID_ARGS,
                fault=Fault(Outcome.INVALID_ARGS, why=record.why),
            )
            for record in refused
        ]
        self.answer = answer
        self.waiting = 1

    def done(self, result: Result | None = None) -> None:
        """One job less."""
        if result is not None:
            self.results.append(result)
        self.waiting -= 1
        if not self.waiting:
            self.answer(self.results)


class DiskBatches:
    """Serves all connections. Create and use it in the loop's thread.

    Args:
        files: opens them.
        check_root: raises MillstreamError for a token that is none.
        config: threads, and handles kept open.
    """

    def __init__(
        self,
        files: LentFiles,
        check_root: Callable[[str], object],
        config: DiskConfig | None = None,
    ) -> None:
        config = config or DiskConfig()
        self._files = files
        self._check_root = check_root
        self._pool = FilePool(config.max_open_files, self._open, self._stat)
        self._queue = NativeDiskQueue(config, self._pool)
        self._pending: dict[DiskJob, tuple[_Waiting, bytes]] = {}

    def start(self) -> None:
        """Start the threads."""
        self._queue.start(self._deliver, lambda: None)

    async def close(self) -> None:
        """Finish what was begun, and end the threads."""
        await self._queue.close()

    def release(self, token: str, paths: Sequence[str]) -> None:
        """Close handles kept open on these files: they are about to go, or to be others."""
        self._queue.release(token, tuple(paths))

    def release_all(self) -> None:
        """Close all handles: directories are about to go."""
        self._pool.close()

    def write(self, found: Batch, answer: Answer, *, may_create: bool = True) -> None:
        """Carry out WRITE_BATCH; `answer` gets the payload of WRITE_RESULTS, perhaps at once.

        Without `may_create`, it is WRITE_EXISTING_BATCH.
        """
        batch = _Waiting(found.refused, lambda results: answer([pack_write_results(results)]))
        for record in found.records:
            if self._is_refused(batch, record):
                continue
            root, extents, data, digest, _ = record
            job = VerifiedWrite(_NO_TORRENT, 0, root, data, digest, extents, may_create)
            self._await(batch, job, record.id)
            self._queue.submit_write(job)
        self._queue.flush()
        batch.done()

    def read(self, found: SpanBatch, answer: Answer, most: int = MAX_READ_BYTES) -> None:
        """Carry out READ_BATCH, of `most` bytes; `answer` gets the payload of READ_RESULTS."""
        batch = _Waiting(found.refused, lambda results: answer(pack_read_results(results)))
        room = min(most, MAX_READ_BYTES)
        for record in found.records:
            room -= record.length
            if room < 0:
                why = f"more than {min(most, MAX_READ_BYTES)} bytes are too many for one batch"
                self._refuse(batch, record.id, why)
                continue
            if self._is_refused(batch, record):
                continue
            into = memoryview(bytearray(record.length))
            job = Read(_NO_TORRENT, record.root, record.extents, into)
            self._await(batch, job, record.id)
            self._queue.submit_read(job)
        self._queue.flush()
        batch.done()

    def hash(self, found: SpanBatch, answer: Answer) -> None:
        """Carry out HASH_BATCH; `answer` gets the payload of HASH_RESULTS."""
        batch = _Waiting(found.refused, lambda results: answer([pack_hash_results(results)]))
        for record in found.records:
            if self._is_refused(batch, record):
                continue
            job = Hash(_NO_TORRENT, 0, record.root, record.extents)
            self._await(batch, job, record.id)
            self._queue.submit_hash(job)
        self._queue.flush()
        batch.done()

    def _await(self, batch: _Waiting, job: DiskJob, record_id: bytes) -> None:
        batch.waiting += 1
        self._pending[job] = batch, record_id

    def _is_refused(self, batch: _Waiting, record: WriteRecord | SpanRecord) -> bool:
        try:
            self._check_root(record.root)
            _check_paths(record.extents)
        except MillstreamError as error:
            self._refuse(batch, record.id, str(error))
            return True
        return False

    def _refuse(self, batch: _Waiting, record_id: bytes, why: str) -> None:
        fault = Fault(Outcome.INVALID_ARGS, why=why)
        batch.results.append(Result(record_id, Outcome.INVALID_ARGS, fault=fault))

    def _deliver(self, results: list[DiskResult]) -> None:
        for result in results:
            batch, record_id = self._pending.pop(result.job)
            batch.done(_told(result, record_id))

    def _open(self, path: str, write: bool) -> int:
        """For the pool, in its threads: a root's token, `/` and a path."""
        token, _, within = path.partition("/")
        flags = os.O_RDWR | os.O_CREAT if write else os.O_RDONLY
        try:
            return self._files.open(token, within, flags)
        except MillstreamError as error:  # the root went meanwhile
            raise OSError(None, str(error), path) from error

    def _stat(self, path: str) -> os.stat_result:
        """For the pool, in its threads: see `_open`."""
        token, _, within = path.partition("/")
        try:
            return self._files.look(token, within)
        except MillstreamError as error:
            raise OSError(None, str(error), path) from error


def _check_paths(extents: Sequence[Extent]) -> None:
    for extent in extents:
        if extent.path is not None:
            path_parts(extent.path)


def _told(result: DiskResult, record_id: bytes) -> Result:
    job, outcome = result.job, result.outcome
    fault = None
    if result.error is not None:
        cause, number = result.error.cause, result.error.errno or 0
        fault = Fault(outcome, number, result.error.path.partition("/")[2], cause)
    if outcome is not Outcome.SUCCESS:
        return Result(record_id, outcome, fault=fault)
    if isinstance(job, VerifiedWrite):
        return Result(record_id, outcome, len(job.data))
    return Result(
        record_id, outcome, 0, job.into if isinstance(job, Read) else result.digest or b""
    )
