"""Batches of jobs: verified writes (seed 000), and reads and hashes in the same manner.

All integers are little-endian. `place` is of `extents`; an id is chosen by the client, up to 255
bytes, and comes back with the result.

    WRITE_BATCH,
    WRITE_EXISTING_BATCH
                 u32 count, then as often: u8 length, root; place; u32 length, data;
                 40 bytes of SHA-1 in hex; u8 length, id
    READ_BATCH,
    HASH_BATCH   u32 count, then as often: u8 length, root; place; u32 length; u8 length, id

WRITE_BATCH makes the files that are missing; to WRITE_EXISTING_BATCH they are an error, ENOENT: it is
for torrents whose files were all there before, and were taken away by somebody.

A record that makes no sense, but whose end is known, is refused alone. Where the records cannot be
told from each other any more, nothing of the batch is believed: it is refused whole, and the ids
that could be read are told.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from millstream.errors import MalformedFrameError
from millstream.interfaces.disk import Extent
from millstream.io_wire.extents import MAX_EXTENTS, Place, PlaceError, pack_extents
from millstream.io_wire.reader import decode_text

# The original's bound of a batch.
MAX_RECORDS = 10_000

HEX_LENGTH = 40
MAX_NAME_LENGTH = 255

_U32 = struct.Struct("<I")
_HEX_DIGITS = frozenset(b"0123456789abcdefABCDEF")


class WriteRecord(NamedTuple):
    """A verified write.

    Attributes:
        root: the root's token.
        extents: where the data goes, in order; together as long as it.
        data: a view of the batch.
        digest: the SHA-1 that the data must have.
        id: the client's.
    """

    root: str
    extents: tuple[Extent, ...]
    data: memoryview
    digest: bytes
    id: bytes


class SpanRecord(NamedTuple):
    """A read or a hash: which bytes. Attributes as of `WriteRecord`."""

    root: str
    extents: tuple[Extent, ...]
    length: int
    id: bytes


class RefusedRecord(NamedTuple):
    """A record that is not carried out, and why."""

    id: bytes
    why: str


Record = TypeVar("Record", WriteRecord, SpanRecord)


class Batch(NamedTuple):
    """What a batch asks for.

    Attributes:
        records: to be carried out.
        refused: answered with INVALID_ARGS. Ids that could not be read are missing here.
    """

    records: list[WriteRecord]
    refused: list[RefusedRecord]


class SpanBatch(NamedTuple):
    """As `Batch`, of reads or hashes."""

    records: list[SpanRecord]
    refused: list[RefusedRecord]


def pack_writes(records: Sequence[WriteRecord]) -> list[bytes | memoryview]:
    """The payload of WRITE_BATCH or WRITE_EXISTING_BATCH, in parts: the data is not copied.

    Raises:
        ValueError: a name, a path or the batch is too long.
    """
    parts: list[bytes | memoryview] = [_pack_count(records)]
    for root, extents, data, digest, record_id in records:
        parts += [
            b"".join([_pack_name(root.encode()), pack_extents(extents), _U32.pack(len(data))]),
            data,
            digest.hex().encode() + _pack_name(record_id),
        ]
    return parts


def pack_spans(records: Sequence[SpanRecord]) -> bytes:
    """The payload of READ_BATCH or HASH_BATCH. Raises what `pack_writes` raises."""
    parts = [_pack_count(records)]
    for root, extents, length, record_id in records:
        parts += [_pack_name(root.encode()), pack_extents(extents), _U32.pack(length)]
        parts.append(_pack_name(record_id))
    return b"".join(parts)


def unpack_writes(payload: memoryview) -> Batch:
    """Read the payload of WRITE_BATCH or WRITE_EXISTING_BATCH. It never raises."""
    return Batch(*_unpack(payload, _read_write))


def unpack_spans(payload: memoryview) -> SpanBatch:
    """Read the payload of READ_BATCH or HASH_BATCH. It never raises."""
    return SpanBatch(*_unpack(payload, _read_span))


def _pack_count(records: Sequence[object]) -> bytes:
    if len(records) > MAX_RECORDS:
        raise ValueError(f"{len(records)} records are more than the {MAX_RECORDS} of a batch")
    return _U32.pack(len(records))


def _pack_name(name: bytes) -> bytes:
    if len(name) > MAX_NAME_LENGTH:
        raise ValueError(f"a name of {len(name)} bytes is longer than {MAX_NAME_LENGTH}")
    return bytes([len(name)]) + name


# Where the next record begins, this one's id, how many extents it has, and what makes sense of it.
_Found = tuple[int, bytes, int, Callable[[], Record]]
_Read = Callable[[memoryview, int], _Found[Record]]


def _unpack(payload: memoryview, read: _Read[Record]) -> tuple[list[Record], list[RefusedRecord]]:
    """All records, by `read`, which finds the end and the id of one."""
    found: list[tuple[Callable[[], Record], bytes]] = []
    why = ""
    try:
        (count,) = _U32.unpack_from(payload)
        at, extents = 4, 0
        for _ in range(min(count, MAX_RECORDS)):
            at, record_id, added, understand = read(payload, at)
            found.append((understand, record_id))
            extents += added
            if extents > MAX_EXTENTS:
                break
        if extents > MAX_EXTENTS:
            why = f"more than {MAX_EXTENTS} extents are too many for a batch"
        elif count > MAX_RECORDS:
            why = f"{count} records are more than the {MAX_RECORDS} of a batch"
        elif at != len(payload):
            why = f"{len(payload) - at} bytes follow the last record"
    except (struct.error, IndexError, MalformedFrameError) as error:
        why = f"record {len(found)} cannot be read: {error}"
    if why:
        return [], _refuse([record_id for _, record_id in found], why)
    records, refused = [], []
    for understand, record_id in found:
        try:
            records.append(understand())
        except (PlaceError, MalformedFrameError) as error:
            refused.append(RefusedRecord(record_id, str(error)))
    return records, refused


def _refuse(ids: Iterable[bytes], why: str) -> list[RefusedRecord]:
    return [RefusedRecord(record_id, why) for record_id in ids]


def _read_name(payload: memoryview, at: int) -> tuple[memoryview, int]:
    length = payload[at]
    end = at + 1 + length
    if end > len(payload):
        raise MalformedFrameError(f"a name of {length} bytes has {len(payload) - at - 1}")
    return payload[at + 1 : end], end


def _read_write(payload: memoryview, at: int) -> _Found[WriteRecord]:
    root, at = _read_name(payload, at)
    place = Place(payload, at)
    (length,) = _U32.unpack_from(payload, place.end)
    begin = place.end + 4
    end = begin + length
    if end + HEX_LENGTH > len(payload):
        raise MalformedFrameError(f"{length} bytes of data and their hash are not all there")
    name, after = _read_name(payload, end + HEX_LENGTH)
    record_id = bytes(name)

    def understand() -> WriteRecord:
        digits = bytes(payload[end : end + HEX_LENGTH])
        # Stricter than bytes.fromhex(), which takes spaces between.
        if not _HEX_DIGITS.issuperset(digits):
            raise PlaceError(f"{digits!r} is no SHA-1 in hex")
        extents = place.extents(length)
        data = payload[begin:end]
        digest = bytes.fromhex(digits.decode())
        return WriteRecord(decode_text(root), extents, data, digest, record_id)

    return after, record_id, place.count, understand


def _read_span(payload: memoryview, at: int) -> _Found[SpanRecord]:
    root, at = _read_name(payload, at)
    place = Place(payload, at)
    (length,) = _U32.unpack_from(payload, place.end)
    name, after = _read_name(payload, place.end + 4)
    record_id = bytes(name)

    def understand() -> SpanRecord:
        return SpanRecord(decode_text(root), place.extents(length), length, record_id)

    return after, record_id, place.count, understand
