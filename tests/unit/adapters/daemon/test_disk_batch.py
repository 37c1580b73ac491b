from __future__ import annotations

import hashlib

import pytest

from millstream.adapters.daemon.disk_batch import (
    MAX_BATCH_BYTES,
    MAX_BATCH_EXTENTS,
    MAX_BATCH_JOBS,
    Batch,
    job_length,
    make_batches,
    why_unfit,
)
from millstream.errors import MalformedFrameError, StorageError
from millstream.interfaces.disk import Extent, Hash, Outcome, Read, VerifiedWrite
from millstream.io_wire.batches import unpack_spans, unpack_writes
from millstream.io_wire.envelope import Opcode
from millstream.io_wire.results import (
    Fault,
    Result,
    pack_hash_results,
    pack_read_results,
    pack_write_results,
)
from millstream.protocol.infohash import InfoHash

TORRENT = InfoHash(bytes(20))


def write(length=4, root="f", extents=None):
    data = bytes(length)
    extents = (Extent("a", 0, length),) if extents is None else extents
    return VerifiedWrite(TORRENT, 0, root, memoryview(data), hashlib.sha1(data).digest(), extents)


def read(length=4, root="f"):
    return Read(TORRENT, root, (Extent("a", 8, length),), memoryview(bytearray(length)))


def hash_of(length=4, root="f"):
    return Hash(TORRENT, 0, root, (Extent("a", 8, length),))


def joined(parts):
    return memoryview(bytearray(b"".join(parts)))


def outcomes(results):
    return [result.outcome for result in results]


def test_kinds_go_apart_and_keep_their_order():
    jobs = [write(), read(), hash_of(), write(), read()]
    batches = make_batches(jobs)
    assert [(batch.opcode, batch.jobs) for batch in batches] == [
        (Opcode.WRITE_BATCH, [jobs[0], jobs[3]]),
        (Opcode.READ_BATCH, [jobs[1], jobs[4]]),
        (Opcode.HASH_BATCH, [jobs[2]]),
    ]
    assert [batch.length for batch in batches] == [8, 8, 0]


def test_no_jobs_no_batches():
    assert make_batches([]) == []


def test_bytes_of_a_batch_are_bounded():
    half = MAX_BATCH_BYTES // 2
    jobs = [read(half), read(half), read(1), read(MAX_BATCH_BYTES + 1), read(1)]
    assert [len(batch.jobs) for batch in make_batches(jobs)] == [2, 1, 1, 1]


def test_jobs_of_a_batch_are_bounded():
    jobs = [read()] * (2 * MAX_BATCH_JOBS + 1)
    counts = [len(batch.jobs) for batch in make_batches(jobs)]
    assert counts == [MAX_BATCH_JOBS, MAX_BATCH_JOBS, 1]


def test_extents_of_a_batch_are_bounded():
    many = tuple([Extent("a", 0, 0)] * (MAX_BATCH_EXTENTS - 1))
    jobs = [write(0, extents=many), write(), write()]
    assert [len(batch.jobs) for batch in make_batches(jobs)] == [2, 1]


def test_writes_are_packed_as_seed_000_has_it():
    spanning = (Extent("x", 1, 3), Extent(None, 0, 1))
    batch = Batch(Opcode.WRITE_BATCH, [write(), write(root="f/sub", extents=spanning)])
    unpacked = unpack_writes(joined(batch.pack()))
    assert not unpacked.refused
    first, second = unpacked.records
    assert (first.root, first.extents, first.id) == ("f", (Extent("a", 0, 4),), b"0")
    assert (second.root, second.id) == ("f", b"1")
    assert second.extents == (Extent("sub/x", 1, 3), Extent(None, 0, 1))
    assert bytes(first.data) == bytes(4)
    assert first.digest == hashlib.sha1(bytes(4)).digest()


def test_data_is_not_copied():
    job = write()
    assert any(part is job.data for part in Batch(Opcode.WRITE_BATCH, [job]).pack())


def test_reads_and_hashes_are_packed():
    for opcode, job in ((Opcode.READ_BATCH, read()), (Opcode.HASH_BATCH, hash_of())):
        (record,) = unpack_spans(joined(Batch(opcode, [job]).pack())).records
        assert record == ("f", (Extent("a", 8, 4),), 4, b"0")


def test_a_path_that_is_too_long_cannot_be_packed():
    job = write(extents=(Extent("x" * 5000, 0, 4),))
    with pytest.raises(ValueError, match="path"):
        Batch(Opcode.WRITE_BATCH, [job]).pack()


def test_results_of_writes():
    jobs = [write(root="f/sub") for _ in range(4)]
    fault = Fault(Outcome.IO_ERROR, 28, "sub/a", "No space left on device")
    payload = pack_write_results(
        [
            Result(b"2", Outcome.IO_ERROR, fault=fault),
            Result(b"1", Outcome.HASH_MISMATCH),
            Result(b"0", Outcome.SUCCESS, 4),
        ]
    )
    found = Batch(Opcode.WRITE_BATCH, jobs).results(Opcode.WRITE_RESULTS, memoryview(payload))
    assert [result.job for result in found] == jobs
    assert outcomes(found) == [
        Outcome.SUCCESS,
        Outcome.HASH_MISMATCH,
        Outcome.IO_ERROR,
        Outcome.INVALID_ARGS,
    ]
    error = found[2].error
    assert (error.path, error.cause, error.errno) == ("f/sub/a", "No space left on device", 28)
    assert "did not say" in found[3].error.cause


def test_results_of_reads_are_copied_to_their_place():
    jobs = [read(), read(3), read()]
    payload = joined(
        pack_read_results(
            [
                Result(b"0", Outcome.SUCCESS, data=b"0123"),
                Result(b"1", Outcome.SUCCESS, data=b"too long"),
                Result(b"2", Outcome.INVALID_ARGS),
            ]
        )
    )
    found = Batch(Opcode.READ_BATCH, jobs).results(Opcode.READ_RESULTS, payload)
    assert outcomes(found) == [Outcome.SUCCESS, Outcome.IO_ERROR, Outcome.INVALID_ARGS]
    assert bytes(jobs[0].into) == b"0123"
    assert bytes(jobs[1].into) == bytes(3)
    assert found[2].error.path == "f"


def test_results_of_hashes():
    jobs = [hash_of(), hash_of()]
    digest = hashlib.sha1(b"x").digest()
    payload = pack_hash_results(
        [Result(b"0", Outcome.SUCCESS, data=digest), Result(b"1", Outcome.IO_ERROR)]
    )
    found = Batch(Opcode.HASH_BATCH, jobs).results(Opcode.HASH_RESULTS, memoryview(payload))
    assert outcomes(found) == [Outcome.SUCCESS, Outcome.IO_ERROR]
    assert found[0].digest == digest
    assert found[1].digest is None


def test_an_answer_of_another_kind_answers_nothing():
    payload = memoryview(pack_write_results([Result(b"0", Outcome.SUCCESS, 4)]))
    found = Batch(Opcode.READ_BATCH, [read()]).results(Opcode.WRITE_RESULTS, payload)
    assert outcomes(found) == [Outcome.INVALID_ARGS]


def test_an_answer_without_sense():
    with pytest.raises(MalformedFrameError):
        Batch(Opcode.READ_BATCH, [read()]).results(Opcode.READ_RESULTS, memoryview(b"\xff" * 9))


def test_all_can_fail_together():
    error = StorageError("f", "gone", 5)
    found = Batch(Opcode.READ_BATCH, [read(), read()]).failed(error)
    assert outcomes(found) == [Outcome.IO_ERROR] * 2
    assert all(result.error is error for result in found)


def test_data_and_extents_must_agree():
    assert why_unfit(write()) is None
    assert why_unfit(hash_of()) is None
    assert "differ" in str(why_unfit(write(extents=(Extent("a", 0, 3),))))
    assert "differ" in str(why_unfit(Read(TORRENT, "f", (), memoryview(bytearray(1)))))


def test_lengths():
    assert [job_length(job) for job in (write(3), read(4), hash_of(5))] == [3, 4, 5]
