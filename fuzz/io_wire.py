"""Targets for the wire of the io-daemon: what an engine, or who pretends to be one, may send it."""

from __future__ import annotations

import hashlib
from contextlib import suppress

from millstream.errors import MalformedFrameError
from millstream.interfaces.disk import Extent, Outcome
from millstream.io_daemon.relative_path import PathRefusedError, path_parts
from millstream.io_daemon.web_messages import MessageReader, RefusedFrameError
from millstream.io_wire import batches, results
from millstream.io_wire.batches import SpanRecord, WriteRecord
from millstream.io_wire.calls import encode_call, parse_call
from millstream.io_wire.datagrams import Datagram, Membership, datagram_header
from millstream.io_wire.envelope import HEADER_LENGTH, encode_frame, pack_frames, split_message
from millstream.io_wire.handshake import Auth, AuthResult, Feature, Hello
from millstream.io_wire.streams import (
    Accepted,
    Bound,
    Credit,
    Place,
    Secure,
    Secured,
    SocketData,
    SocketStatus,
)

from .target import Target

_PARSERS = (
    *(Hello.parse, Auth.parse, AuthResult.parse, Place.parse, SocketStatus.parse, Bound.parse),
    *(Accepted.parse, Secure.parse, Secured.parse, Credit.parse, Membership.parse),
    *(SocketData.parse, Datagram.parse),
)


def fuzz_io_frames(data: bytes) -> None:
    """Messages of one frame and of several; then every payload as every kind of payload."""
    for packed in (False, True):
        frames = []
        with suppress(MalformedFrameError):
            for frame in split_message(memoryview(data), packed=packed):
                frames.append(frame)
                for parse in _PARSERS:
                    with suppress(MalformedFrameError):
                        parse(frame.payload)
                with suppress(MalformedFrameError):
                    call = parse_call(frame.payload)
                    assert parse_call(memoryview(encode_call(call))) == call
            again = [frame.payload for frame in frames]
            whole = sum(len(payload) + HEADER_LENGTH + 4 * packed for payload in again)
            assert whole == len(data)


def fuzz_io_writes(data: bytes) -> None:
    """Batches of verified writes; what is believed of one can be packed and read again."""
    found = batches.unpack_writes(memoryview(data))
    for record in found.records:
        assert sum(extent.length for extent in record.extents) == len(record.data)
        assert len(record.digest) == 20
    again = b"".join(batches.pack_writes(found.records))
    assert batches.unpack_writes(memoryview(again)) == (found.records, [])


def fuzz_io_spans(data: bytes) -> None:
    """Batches of reads and hashes."""
    found = batches.unpack_spans(memoryview(data))
    for record in found.records:
        assert sum(extent.length for extent in record.extents) == record.length
    again = batches.pack_spans(found.records)
    assert batches.unpack_spans(memoryview(again)) == (found.records, [])


def fuzz_io_results(data: bytes) -> None:
    """Batches of results, as an engine reads them."""
    for unpack in (
        results.unpack_write_results,
        results.unpack_read_results,
        results.unpack_hash_results,
    ):
        with suppress(MalformedFrameError):
            unpack(memoryview(data))


def fuzz_io_messages(data: bytes) -> None:
    """A client's end of a WebSocket: the same whether it comes at once or in small parts."""
    assert _messages(data, len(data)) == _messages(data, 1) == _messages(data, 13)


def _messages(data: bytes, step: int) -> tuple[list[tuple[int, bytes]], int]:
    """What was taken, and the code of the end if it was refused."""
    taken: list[tuple[int, bytes]] = []
    reader = MessageReader(lambda code, payload, _: taken.append((code, bytes(payload))), 3000)
    try:
        while data:
            room = reader.room()
            length = min(len(room), len(data), step)
            room[:length], data = data[:length], data[length:]
            reader.filled(length)
    except RefusedFrameError as error:
        return taken, error.code
    return taken, 0


def fuzz_io_paths(data: bytes) -> None:
    """Paths relative to a root: what is let through cannot lead out of it by its parts."""
    for windows in (False, True):
        with suppress(PathRefusedError):
            parts = path_parts(data.decode("utf-8", "surrogateescape"), windows=windows)
            assert not {"", ".", ".."} & set(parts)
            assert not any("/" in part or "\0" in part for part in parts)
            assert not windows or not any("\\" in part or ":" in part for part in parts)


_SPANS = (Extent("a/b.txt", 7, 3), Extent(None, 0, 2), Extent("c", 0, 1))
_DIGEST = hashlib.sha1(b"abcdef").digest()
_WRITES = [
    WriteRecord("root", (Extent("a/b.txt", 7, 6),), memoryview(b"abcdef"), _DIGEST, b"vw_1"),
    WriteRecord("root", _SPANS, memoryview(b"abcdef"), _DIGEST, b"vw_2"),
]
_READS = [SpanRecord("r", _SPANS, 6, b"1"), SpanRecord("r", (Extent("a", 0, 9),), 9, b"2")]
_FAULT = results.Fault(Outcome.IO_ERROR, 28, "a", "full")
_TOLD = [
    results.Result(b"vw_1", Outcome.SUCCESS, 6, b"abcdef"),
    results.Result(b"vw_2", Outcome.IO_ERROR, fault=_FAULT),
]

TARGETS = [
    Target(
        "io_frames",
        "messages of the io-daemon",
        fuzz_io_frames,
        [
            encode_frame(0x10, 1, Place(1, 80, "example.org").encode()),
            encode_frame(0x22, 1, datagram_header(1, 80, "1.2.3.4") + b"data"),
            pack_frames(
                [
                    encode_frame(0x01, 0, Hello(Feature.PACKED, 9, 9, 9).encode()),
                    encode_frame(0x03, 0, Auth("token", "a", "b").encode()),
                    encode_frame(0x38, 7, b'{"op":"stat","root":"r","path":"a"}'),
                ]
            ),
        ],
    ),
    Target(
        "io_writes",
        "batches of verified writes",
        fuzz_io_writes,
        [b"".join(batches.pack_writes(_WRITES)), b"".join(batches.pack_writes(_WRITES[:1]))],
    ),
    Target("io_spans", "batches of reads and hashes", fuzz_io_spans, [batches.pack_spans(_READS)]),
    Target(
        "io_results",
        "batches of results",
        fuzz_io_results,
        [
            results.pack_write_results(_TOLD),
            b"".join(results.pack_read_results(_TOLD)),
            results.pack_hash_results(_TOLD),
        ],
    ),
    Target(
        "io_messages",
        "messages of WebSockets to the io-daemon",
        fuzz_io_messages,
        [
            b"\x82\x83abcd123" + b"\x89\x80abcd" + b"\x82\xfe\x00\x80" + bytes(132),
            b"\x02\x81abcd1" + b"\x80\x82\0\0\0\0" + b"23" + b"\x88\x82abcd\x62\x8b",
        ],
    ),
    Target(
        "io_paths",
        "paths that are to stay in a root",
        fuzz_io_paths,
        [b"a/b.txt", b"a..b/c#?%", b"../x", b"C:/x", b"a\\..\\b"],
    ),
]
