"""Batches of results, one for each batch of jobs, and faults after them.

All integers are little-endian; ids are those of the jobs, in any order.

    WRITE_RESULTS  u32 count, then as often: u8 length, id; i32 bytes written, -1 on failure;
                   u8 outcome
    READ_RESULTS   u32 count, then as often: u8 length, id; u8 outcome; u32 length, data
    HASH_RESULTS   u32 count, then as often: u8 length, id; u8 length, digest (none on failure)

The first and the last are the original's. After the records of each of the three, where a reader of
the original's stops, comes what it cannot tell:

    faults         u32 count, then as often: u32 index of the record, u8 outcome, u32 errno,
                   u16 length, path; u16 length, why

An id that the jobs had and the results have not is one that could not be read: INVALID_ARGS.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from millstream.errors import MalformedFrameError
from millstream.interfaces.disk import Outcome
from millstream.io_wire.reader import Reader

# A sentence: longer paths and reasons are cut.
MAX_FAULT_TEXT = 4096

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_WRITTEN = struct.Struct("<iB")
_READ = struct.Struct("<BI")
_FAULT = struct.Struct("<IBI")
# The least that a result takes, and a fault.
_MIN_RESULT = 2
_MIN_FAULT = _FAULT.size + 2 * _U16.size
_MAX_I32 = (1 << 31) - 1


class Fault(NamedTuple):
    """Why a job failed.

    Attributes:
        outcome: how.
        errno: the system's number for it; 0 if it gave none.
        path: relative to the root, if one is concerned.
        why: a sentence.
    """

    outcome: Outcome
    errno: int = 0
    path: str = ""
    why: str = ""


class Result(NamedTuple):
    """What became of a job.

    Attributes:
        id: the job's.
        outcome: how it ended.
        length: bytes that were written; of other jobs 0.
        data: what was read, or the digest; empty for writes and failures.
        fault: more about a failure.
    """

    id: bytes
    outcome: Outcome
    length: int = 0
    data: bytes | bytearray | memoryview = b""
    fault: Fault | None = None


def pack_write_results(results: Sequence[Result]) -> bytes:
    """The payload of WRITE_RESULTS."""
    parts = [_U32.pack(len(results))]
    for result in results:
        written = min(result.length, _MAX_I32) if result.outcome is Outcome.SUCCESS else -1
        parts += [_pack_id(result), _WRITTEN.pack(written, result.outcome)]
    return b"".join([*parts, _pack_faults(results)])


def pack_read_results(results: Sequence[Result]) -> list[bytes | bytearray | memoryview]:
    """The payload of READ_RESULTS, in parts: the data is not copied."""
    parts: list[bytes | bytearray | memoryview] = [_U32.pack(len(results))]
    for result in results:
        parts += [_pack_id(result) + _READ.pack(result.outcome, len(result.data)), result.data]
    return [*parts, _pack_faults(results)]


def pack_hash_results(results: Sequence[Result]) -> bytes:
    """The payload of HASH_RESULTS."""
    parts: list[bytes | bytearray | memoryview] = [_U32.pack(len(results))]
    for result in results:
        parts += [_pack_id(result), bytes([len(result.data)]), result.data]
    return b"".join([*parts, _pack_faults(results)])


def unpack_write_results(payload: memoryview) -> list[Result]:
    """Read WRITE_RESULTS; raises MalformedFrameError."""
    reader = Reader(payload)
    results = []
    for _ in range(_count(reader, _MIN_RESULT)):
        record_id = bytes(reader.take(reader.u8()))
        (written,) = struct.unpack("<i", reader.take(4))
        results.append(Result(record_id, _outcome(reader.u8()), max(0, written)))
    return _with_faults(results, reader)


def unpack_read_results(payload: memoryview) -> list[Result]:
    """Read READ_RESULTS; the data are views of the payload. Raises MalformedFrameError."""
    reader = Reader(payload)
    results = []
    for _ in range(_count(reader, _MIN_RESULT)):
        record_id = bytes(reader.take(reader.u8()))
        outcome = _outcome(reader.u8())
        results.append(Result(record_id, outcome, 0, reader.take(reader.u32())))
    return _with_faults(results, reader)


def unpack_hash_results(payload: memoryview) -> list[Result]:
    """Read HASH_RESULTS; raises MalformedFrameError."""
    reader = Reader(payload)
    results = []
    for _ in range(_count(reader, _MIN_RESULT)):
        record_id = bytes(reader.take(reader.u8()))
        digest = bytes(reader.take(reader.u8()))
        outcome = Outcome.SUCCESS if digest else Outcome.IO_ERROR
        results.append(Result(record_id, outcome, 0, digest))
    return _with_faults(results, reader)


def _pack_id(result: Result) -> bytes:
    return bytes([len(result.id)]) + result.id


def _pack_faults(results: Sequence[Result]) -> bytes:
    faults = [(index, result.fault) for index, result in enumerate(results) if result.fault]
    parts = [_U32.pack(len(faults))]
    for index, fault in faults:
        parts.append(_FAULT.pack(index, fault.outcome, fault.errno))
        for text in (fault.path, fault.why):
            encoded = text.encode("utf-8", "replace")[:MAX_FAULT_TEXT]
            parts.append(_U16.pack(len(encoded)) + encoded)
    return b"".join(parts)


def _with_faults(results: list[Result], reader: Reader) -> list[Result]:
    if not reader.left:
        return results  # the original's
    for _ in range(_count(reader, _MIN_FAULT)):
        index, outcome, errno = reader.u32(), _outcome(reader.u8()), reader.u32()
        path, why = (bytes(reader.take(reader.u16())).decode("utf-8", "replace") for _ in range(2))
        if index >= len(results):
            raise MalformedFrameError(f"a fault is of record {index}, and there are {len(results)}")
        fault = Fault(outcome, errno, path, why)
        results[index] = results[index]._replace(outcome=outcome, fault=fault)
    return results


def _count(reader: Reader, least: int) -> int:
    """How many follow; raises MalformedFrameError if they cannot all be there."""
    count = reader.u32()
    if count * least > reader.left:
        raise MalformedFrameError(f"{count} records are announced in {reader.left} bytes")
    return count


def _outcome(code: int) -> Outcome:
    try:
        return Outcome(code)
    except ValueError:
        raise MalformedFrameError(f"there is no outcome {code}") from None
