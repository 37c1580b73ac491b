from __future__ import annotations

import pytest

from millstream.errors import MalformedFrameError
from millstream.interfaces.disk import Outcome
from millstream.io_wire.results import (
    Fault,
    Result,
    pack_hash_results,
    pack_read_results,
    pack_write_results,
    unpack_hash_results,
    unpack_read_results,
    unpack_write_results,
)

FULL = Fault(Outcome.IO_ERROR, 28, "a/b", "No space left on device")
NO_FAULTS = b"\0\0\0\0"


def test_results_of_writes_are_those_of_the_tables():
    results = [Result(b"vw_1", Outcome.SUCCESS, 5), Result(b"vw_2", Outcome.HASH_MISMATCH)]
    payload = pack_write_results(results)
    assert payload == (b"\2\0\0\0\4vw_1\5\0\0\0\0\4vw_2\xff\xff\xff\xff\1" + NO_FAULTS)
    assert unpack_write_results(memoryview(payload)) == results
    assert unpack_write_results(memoryview(payload[:-4])) == results


def test_a_fault_says_more():
    results = [Result(b"1", Outcome.SUCCESS, 1), Result(b"2", Outcome.IO_ERROR, fault=FULL)]
    assert unpack_write_results(memoryview(pack_write_results(results))) == results


def test_results_of_reads():
    results = [
        Result(b"1", Outcome.SUCCESS, data=b"data"),
        Result(b"2", Outcome.IO_ERROR, fault=FULL),
    ]
    payload = b"".join(pack_read_results(results))
    assert payload.startswith(b"\2\0\0\0\1\x31\0\4\0\0\0data\1\x32\2\0\0\0\0")
    assert unpack_read_results(memoryview(payload)) == results


def test_results_of_hashes():
    refused = Fault(Outcome.INVALID_ARGS, why="no")
    results = [
        Result(b"1", Outcome.SUCCESS, data=b"d" * 20),
        Result(b"2", Outcome.INVALID_ARGS, fault=refused),
    ]
    payload = pack_hash_results(results)
    assert payload.startswith(b"\2\0\0\0\1\x31\x14" + b"d" * 20 + b"\1\x32\0")
    assert unpack_hash_results(memoryview(payload)) == results


def test_long_texts_are_cut():
    results = [Result(b"1", Outcome.IO_ERROR, fault=Fault(Outcome.IO_ERROR, 0, "é" * 9999, "x"))]
    [found] = unpack_write_results(memoryview(pack_write_results(results)))
    assert found.fault is not None
    assert found.fault.path == "é" * 2048


@pytest.mark.parametrize("unpack", [unpack_write_results, unpack_read_results, unpack_hash_results])
@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xff\xff\xff\0\0",
        b"\1\0\0\0\xff",
        b"\1\0\0\0\0",
        b"\0\0\0\0\xff\xff\xff\xff",
        b"\0\0\0\0\1\0\0\0" + bytes(13),
        b"\0\0\0\0\1\0\0\0\0\0\0\0\x09" + bytes(8),
    ],
)
def test_what_is_no_batch(unpack, payload):
    with pytest.raises(MalformedFrameError):
        unpack(memoryview(payload))


def test_an_outcome_that_is_none():
    with pytest.raises(MalformedFrameError, match="no outcome 9"):
        unpack_write_results(memoryview(b"\1\0\0\0\1x\0\0\0\0\x09"))
