from __future__ import annotations

import asyncio
import errno
import hashlib
import os

import pytest

from millstream.interfaces.disk import Extent, Outcome
from millstream.io_daemon import disk_batches
from millstream.io_wire.batches import (
    SpanRecord,
    WriteRecord,
    pack_spans,
    pack_writes,
    unpack_spans,
    unpack_writes,
)
from millstream.io_wire.results import (
    unpack_hash_results,
    unpack_read_results,
    unpack_write_results,
)


def write(record_id, data=b"data", path="d/a", extents=None, root="r", digest=None):
    extents = extents or (Extent(path, 0, len(data)),)
    digest = digest or hashlib.sha1(data).digest()
    return WriteRecord(root, extents, memoryview(data), digest, record_id)


def span(record_id, length, path="d/a", offset=0, root="r"):
    return SpanRecord(root, (Extent(path, offset, length),), length, record_id)


async def answered(carry_out, payload, unpack):
    answer = asyncio.get_running_loop().create_future()
    read_batch = unpack_writes if unpack is unpack_write_results else unpack_spans
    carry_out(read_batch(memoryview(payload)), answer.set_result)
    async with asyncio.timeout(5):
        results = unpack(memoryview(b"".join(await answer)))
    return {result.id: result for result in results}


async def written(batches, *records):
    payload = b"".join(pack_writes(records))
    return await answered(batches.write, payload, unpack_write_results)


async def read(batches, *records):
    return await answered(batches.read, pack_spans(records), unpack_read_results)


async def hashed(batches, *records):
    return await answered(batches.hash, pack_spans(records), unpack_hash_results)


async def test_writes_are_carried_out_and_answered_together(batches, root):
    many = [write(b"%d" % n, b"%d" % n * 100, f"d/{n}") for n in range(50)]
    found = await written(batches, *many)
    assert len(found) == 50
    assert found[b"7"].length == 100
    assert {result.outcome for result in found.values()} == {Outcome.SUCCESS}
    assert (root / "d" / "49").read_bytes() == b"49" * 100


async def test_a_mismatch_touches_nothing(batches, root):
    found = await written(batches, write(b"1", path="new/a", digest=bytes(20)))
    assert found[b"1"].outcome is Outcome.HASH_MISMATCH
    assert not (root / "new").exists()


async def test_a_piece_across_files_has_one_hash(batches, root):
    extents = (Extent("a", 3, 2), Extent(None, 0, 2), Extent("b", 0, 1))
    good = write(b"1", b"ab\0\0c", extents=extents)
    bad = write(b"2", b"ab\0\0x", extents=(Extent("x", 0, 4), Extent("y", 0, 1)), digest=bytes(20))
    found = await written(batches, good, bad)
    assert (found[b"1"].outcome, found[b"2"].outcome) == (0, 1)
    assert (root / "a").read_bytes() == b"\0\0\0ab"
    assert (root / "b").read_bytes() == b"c"
    assert not (root / "x").exists()


@pytest.mark.parametrize("path", ["../outside/new", "/etc/new", "a/../../x", "a\0b", "a//b"])
async def test_paths_that_lead_out_are_refused_alone(batches, root, path):
    found = await written(batches, write(b"1", path=path), write(b"2", path="good"))
    assert found[b"1"].outcome is Outcome.INVALID_ARGS
    assert found[b"1"].fault.why
    assert found[b"2"].outcome is Outcome.SUCCESS
    assert sorted(path.name for path in root.parent.rglob("*")) == [
        *("good", "out", "outside", "root", "secret")
    ]


async def test_links_that_lead_out_are_an_error(batches, root):
    found = await written(batches, write(b"1", path="out/secret"), write(b"2", path="out/new"))
    assert {result.outcome for result in found.values()} == {Outcome.IO_ERROR}
    assert found[b"1"].fault == (Outcome.IO_ERROR, errno.ELOOP, "out/secret", found[b"1"].fault.why)
    assert (root.parent / "outside" / "secret").read_bytes() == b"secret"
    found = await read(batches, span(b"1", 6, "out/secret"))
    assert found[b"1"].outcome is Outcome.IO_ERROR
    found = await hashed(batches, span(b"1", 6, "out/secret"))
    assert found[b"1"].outcome is Outcome.IO_ERROR


async def test_a_root_that_nobody_lent(batches):
    found = await written(batches, write(b"1", root="x"), write(b"2", root=""))
    assert [found[record].outcome for record in (b"1", b"2")] == [Outcome.INVALID_ARGS] * 2


async def test_a_root_that_goes_while_a_job_waits(batches, roots):
    check, batches._check_root = batches._check_root, lambda _token: None
    roots.replace([])
    found = await written(batches, write(b"1"))
    batches._check_root = check
    assert found[b"1"].outcome is Outcome.IO_ERROR


async def test_of_a_broken_batch_every_id_is_answered(batches, root):
    payload = b"".join(pack_writes([write(b"1"), write(b"2")]))[:-1]
    found = await answered(batches.write, payload, unpack_write_results)
    assert {record: result.outcome for record, result in found.items()} == {
        b"1": Outcome.INVALID_ARGS
    }
    assert not (root / "d").exists()
    assert await answered(batches.write, b"", unpack_write_results) == {}
    assert await answered(batches.read, b"\xff" * 9, unpack_read_results) == {}


async def test_reads_and_hashes(batches, root):
    (root / "d").mkdir()
    (root / "d" / "a").write_bytes(b"0123456789")
    found = await read(batches, span(b"1", 4), span(b"2", 3, offset=7), span(b"3", 9, offset=7))
    assert (found[b"1"].data, found[b"2"].data) == (b"0123", b"789")
    assert found[b"3"].outcome is Outcome.IO_ERROR
    found = await hashed(batches, span(b"1", 10), span(b"2", 1, "none"))
    assert found[b"1"].data == hashlib.sha1(b"0123456789").digest()
    assert found[b"2"].fault.errno == errno.ENOENT


async def test_one_answer_has_its_limit(batches, root, monkeypatch):
    monkeypatch.setattr(disk_batches, "MAX_READ_BYTES", 5)
    (root / "a").write_bytes(bytes(10))
    found = await read(batches, span(b"1", 5, "a"), span(b"2", 1, "a"))
    assert found[b"1"].outcome is Outcome.SUCCESS
    assert found[b"2"].outcome is Outcome.INVALID_ARGS


async def test_an_answer_fits_into_what_the_client_takes(batches, root):
    (root / "a").write_bytes(bytes(10))
    answer = asyncio.get_running_loop().create_future()
    found = unpack_spans(memoryview(pack_spans([span(b"1", 5, "a"), span(b"2", 6, "a")])))
    batches.read(found, answer.set_result, 10)
    results = unpack_read_results(memoryview(b"".join(await answer)))
    assert {result.id: result.outcome for result in results} == {
        b"1": Outcome.SUCCESS,
        b"2": Outcome.INVALID_ARGS,
    }


async def test_files_that_were_taken_away_are_not_made_again(batches, root):
    async def write_existing(*records):
        found = unpack_writes(memoryview(b"".join(pack_writes(records))))
        answer = asyncio.get_running_loop().create_future()
        batches.write(found, answer.set_result, may_create=False)
        [result] = unpack_write_results(memoryview(b"".join(await answer)))
        return result

    result = await write_existing(write(b"1", path="d/a"))
    assert (result.outcome, result.fault.errno) == (Outcome.IO_ERROR, errno.ENOENT)
    assert not (root / "d").exists()
    await written(batches, write(b"1", path="d/a"))
    result = await write_existing(write(b"2", b"xxxx", path="d/a"))
    assert result.outcome is Outcome.SUCCESS
    assert (root / "d" / "a").read_bytes() == b"xxxx"
    result = await write_existing(write(b"3", path="out/secret"))
    assert result.fault.errno == errno.ELOOP
    # One that is open and was taken away is missed, though not at once.
    batches._pool._files["r/d/a"].seen_at -= 10
    (root / "d" / "a").unlink()
    result = await write_existing(write(b"4", path="d/a"))
    assert result.fault.errno == errno.ENOENT
    assert not (root / "d" / "a").exists()


async def test_handles_are_released(batches, root):
    await written(batches, write(b"1", path="a"))
    (root / "a").unlink()
    batches.release("r", ["a"])
    await written(batches, write(b"2", path="a"))
    assert (root / "a").read_bytes() == b"data"
    os.rename(root / "a", root / "b")  # noqa: PTH104
    batches.release_all()
    await written(batches, write(b"3", b"other", path="a"))
    assert (root / "b").read_bytes() == b"data"


async def test_a_full_disk_says_so(batches, files, monkeypatch):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "open", full)
    found = await written(batches, write(b"1"))
    assert found[b"1"].fault.errno == errno.ENOSPC
