"""Jobs that go to the daemon together, and what became of them (seed 000)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from millstream.adapters.daemon.lent_path import below, split_root
from millstream.errors import StorageError
from millstream.interfaces.disk import (
    DiskJob,
    DiskResult,
    Extent,
    Hash,
    Outcome,
    Read,
    VerifiedWrite,
)
from millstream.io_wire.batches import SpanRecord, WriteRecord, pack_spans, pack_writes
from millstream.io_wire.envelope import Opcode
from millstream.io_wire.results import (
    Result,
    unpack_hash_results,
    unpack_read_results,
    unpack_write_results,
)

# Bytes, records and extents of a batch, unless a single job has more: a batch holds up what else goes to the
# daemon for as long as it takes to send, and its jobs run in parallel there.
MAX_BATCH_BYTES = 1 << 20
MAX_BATCH_JOBS = 1000
MAX_BATCH_EXTENTS = 10_000

WRITES = (Opcode.WRITE_BATCH, Opcode.WRITE_EXISTING_BATCH)

_ANSWERS = {
    **dict.fromkeys(WRITES, (Opcode.WRITE_RESULTS, unpack_write_results)),
    Opcode.READ_BATCH: (Opcode.READ_RESULTS, unpack_read_results),
    Opcode.HASH_BATCH: (Opcode.HASH_RESULTS, unpack_hash_results),
}

Buffer: TypeAlias = bytes | bytearray | memoryview


class Batch:
    """Jobs of one kind.

    Args:
        opcode: which kind.
        jobs: they are fit (`why_unfit`).

    Attributes:
        opcode: see above.
        jobs: see above.
        length: bytes of data that go there or come back.
        losses: how often the daemon went away with it.
    """

    __slots__ = ("jobs", "length", "losses", "opcode")

    def __init__(self, opcode: Opcode, jobs: list[DiskJob]) -> None:
        self.opcode = opcode
        self.jobs = jobs
        self.losses = 0
        self.length = 0 if opcode is Opcode.HASH_BATCH else sum(map(job_length, jobs))

    def pack(self) -> Sequence[Buffer]:
        """The frame's payload, in parts; data is not copied. Raises ValueError."""
        jobs = enumerate(self.jobs)
        if self.opcode in WRITES:
            return pack_writes(
                [
                    WriteRecord(*_place(job), job.data, job.expected_digest, b"%d" % index)
                    for index, job in jobs
                    if isinstance(job, VerifiedWrite)
                ]
            )
        return [
            pack_spans(
                [SpanRecord(*_place(job), job_length(job), b"%d" % index) for index, job in jobs]
            )
        ]

    def results(self, opcode: int, payload: memoryview) -> list[DiskResult]:
        """What became of each job; what was read is copied to its place.

        Raises:
            MalformedFrameError: the payload makes no sense.
        """
        expected, unpack = _ANSWERS[self.opcode]
        found = {result.id: result for result in unpack(payload)} if opcode == expected else {}
        return [_result(job, found.get(b"%d" % index)) for index, job in enumerate(self.jobs)]

    def failed(self, error: StorageError) -> list[DiskResult]:
        """All jobs end with the same error."""
        return [DiskResult(job, Outcome.IO_ERROR, error) for job in self.jobs]


def make_batches(jobs: Sequence[DiskJob]) -> list[Batch]:
    """Put jobs together that may go together, in their order."""
    batches: list[Batch] = []
    for opcode in _ANSWERS:
        gathered: list[DiskJob] = []
        length = extents = 0
        for job in jobs:
            if _opcode(job) is not opcode:
                continue
            length += job_length(job)
            extents += len(job.extents)
            if gathered and (
                length > MAX_BATCH_BYTES
                or extents > MAX_BATCH_EXTENTS
                or len(gathered) == MAX_BATCH_JOBS
            ):
                batches.append(Batch(opcode, gathered))
                gathered, length, extents = [], job_length(job), len(job.extents)
            gathered.append(job)
        if gathered:
            batches.append(Batch(opcode, gathered))
    return batches


def _opcode(job: DiskJob) -> Opcode:
    if isinstance(job, VerifiedWrite):
        return Opcode.WRITE_BATCH if job.may_create else Opcode.WRITE_EXISTING_BATCH
    return Opcode.READ_BATCH if isinstance(job, Read) else Opcode.HASH_BATCH


def why_unfit(job: DiskJob) -> StorageError | None:
    """Why a job cannot be right; None if it may be."""
    if isinstance(job, VerifiedWrite | Read):
        covered = sum(extent.length for extent in job.extents)
        if covered != job_length(job):
            return StorageError(job.root, "the job's data and extents differ in length")
    return None


def job_length(job: DiskJob) -> int:
    """Bytes of a job."""
    if isinstance(job, VerifiedWrite):
        return len(job.data)
    if isinstance(job, Read):
        return len(job.into)
    return sum(extent.length for extent in job.extents)


def _place(job: DiskJob) -> tuple[str, tuple[Extent, ...]]:
    token, directory = split_root(job.root)
    if not directory:
        return token, job.extents
    extents = [
        extent if extent.path is None else extent._replace(path=below(directory, extent.path))
        for extent in job.extents
    ]
    return token, tuple(extents)


def _result(job: DiskJob, result: Result | None) -> DiskResult:
    if result is None:
        why = StorageError(job.root, "the io-daemon did not say what became of it")
        return DiskResult(job, Outcome.INVALID_ARGS, why)
    outcome = result.outcome
    if outcome in {Outcome.IO_ERROR, Outcome.INVALID_ARGS}:
        return DiskResult(job, outcome, _error(job, result))
    if outcome is Outcome.SUCCESS and isinstance(job, Read):
        if len(result.data) != len(job.into):
            why = StorageError(job.root, f"{len(result.data)} bytes came for {len(job.into)}")
            return DiskResult(job, Outcome.IO_ERROR, why)
        job.into[:] = result.data
    if outcome is Outcome.SUCCESS and isinstance(job, Hash):
        return DiskResult(job, outcome, digest=bytes(result.data))
    return DiskResult(job, outcome)


def _error(job: DiskJob, result: Result) -> StorageError:
    token, _ = split_root(job.root)
    fault = result.fault
    if fault is None:
        return StorageError(job.root, "the io-daemon did not say why")
    path = f"{token}/{fault.path}" if fault.path else job.root
    return StorageError(path, fault.why, fault.errno or None)
