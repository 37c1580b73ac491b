from __future__ import annotations

import hashlib

import pytest

from millstream.interfaces.disk import Extent
from millstream.io_wire import batches
from millstream.io_wire.batches import (
    MAX_RECORDS,
    RefusedRecord,
    SpanRecord,
    WriteRecord,
    pack_spans,
    pack_writes,
    unpack_spans,
    unpack_writes,
)


def write(number=1, data=b"data", path="a/b", **changes):
    record = WriteRecord(
        "root",
        (Extent(path, 7, len(data)),),
        memoryview(data),
        hashlib.sha1(data).digest(),
        b"vw_%d" % number,
    )
    return record._replace(**changes)


def packed(*records):
    return b"".join(pack_writes(records))


def read(payload):
    return unpack_writes(memoryview(payload))


def test_a_batch_of_writes_is_that_of_seed_000():
    digest = hashlib.sha1(b"data").hexdigest().encode()
    payload = b"\1\0\0\0\x04root\3\0a/b\7\0\0\0\0\0\0\0\4\0\0\0data" + digest + b"\x04vw_1"
    assert packed(write()) == payload
    assert read(payload) == ([write()], [])


def test_nothing_is_copied():
    payload = bytearray(packed(write()))
    [record] = read(payload).records
    payload[payload.index(b"data")] = ord("x")
    assert record.data == b"xata"


def test_the_hash_may_be_in_capitals():
    payload = packed(write(digest=b"\xab" * 20)).replace(b"ab" * 20, b"AB" * 20)
    assert read(payload).records[0].digest == b"\xab" * 20


def test_a_piece_that_spans_files():
    extents = (Extent("a", 1, 1), Extent(None, 0, 2), Extent("c", 0, 1))
    assert read(packed(write(extents=extents))).records[0].extents == extents


def test_no_record_is_a_batch():
    assert read(b"\0\0\0\0") == ([], [])


def test_a_record_that_makes_no_sense_is_refused_alone():
    bad = packed(write(2)).replace(hashlib.sha1(b"data").hexdigest().encode(), b"g" * 40)
    both = b"\3\0\0\0" + packed(write(1))[4:] + bad[4:] + packed(write(3))[4:]
    found = read(both)
    assert [record.id for record in found.records] == [b"vw_1", b"vw_3"]
    assert [refused.id for refused in found.refused] == [b"vw_2"]


@pytest.mark.parametrize("hex_digits", [b" " * 40, b"0x" + b"1" * 38, b"\xff" * 40])
def test_what_is_no_hash(hex_digits):
    digest = hashlib.sha1(b"data").hexdigest().encode()
    assert read(packed(write()).replace(digest, hex_digits)).records == []


def test_a_root_that_is_no_text():
    found = read(packed(write()).replace(b"root", b"\xff\xff\xff\xff"))
    assert found.records == []
    assert found.refused[0].id == b"vw_1"


@pytest.mark.parametrize(
    "broken",
    [
        b"\2\0\0\0" + packed(write())[4:],
        b"\2\0\0\0" + packed(write(), write(2))[4:-1],
        b"\xff\xff\xff\xff" + packed(write())[4:],
        packed(write()) + b"\0",
    ],
)
def test_of_a_broken_batch_nothing_is_carried_out_and_the_ids_are_told(broken):
    found = read(broken)
    assert found.records == []
    assert [refused.id for refused in found.refused] == [b"vw_1"]
    assert found.refused[0].why


def test_what_is_no_batch():
    assert read(b"") == ([], [])
    assert read(b"\1\0\0") == ([], [])
    assert read(b"\1\0\0\0") == ([], [])


@pytest.mark.slow
def test_ten_thousand_records_and_one_more():
    span = pack_spans([SpanRecord("r", (Extent("a", 0, 1),), 1, b"1")])[4:]
    full = MAX_RECORDS.to_bytes(4, "little") + span * MAX_RECORDS
    assert len(unpack_spans(memoryview(full)).records) == MAX_RECORDS
    more = (MAX_RECORDS + 1).to_bytes(4, "little") + span * (MAX_RECORDS + 1)
    found = unpack_spans(memoryview(more))
    assert found.records == []
    assert len(found.refused) == MAX_RECORDS
    with pytest.raises(ValueError, match="10001 records"):
        pack_spans([SpanRecord("r", (), 0, b"")] * (MAX_RECORDS + 1))


def test_too_many_extents_in_all(monkeypatch):
    monkeypatch.setattr(batches, "MAX_EXTENTS", 2)
    found = read(packed(write(1), write(2), write(3)))
    assert found.records == []
    assert "extents" in found.refused[0].why


def test_spans():
    record = SpanRecord("root", (Extent("a/b", 7, 16384),), 16384, b"r1")
    payload = pack_spans([record])
    assert payload == b"\1\0\0\0\4root\3\0a/b\7\0\0\0\0\0\0\0\0\x40\0\0\2r1"
    assert unpack_spans(memoryview(payload)) == ([record], [])
    lies = record._replace(length=3, extents=(Extent("a", 0, 1), Extent("b", 0, 1)))
    found = unpack_spans(memoryview(pack_spans([lies])))
    assert found.refused == [RefusedRecord(b"r1", "2 bytes of files are to hold 3")]


@pytest.mark.parametrize("changes", [{"root": "r" * 256}, {"id": b"i" * 256}])
def test_a_name_that_is_too_long_is_not_packed(changes):
    with pytest.raises(ValueError, match="256"):
        packed(write(**changes))
