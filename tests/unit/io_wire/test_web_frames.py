from __future__ import annotations

import struct

import pytest

from millstream.io_wire.web_frames import (
    BINARY,
    CLOSE,
    MAX_SEND_BUFFERS,
    PING,
    UnsentFrames,
    accept_key,
    frame_header,
    read_length,
)

ZEROS = bytes(4)


class Sink:
    """A socket that takes so many bytes and is full then."""

    def __init__(self, room=1 << 30):
        self.room = room
        self.taken = b""
        self.most_buffers = 0

    def sendmsg(self, buffers):
        if not self.room:
            raise BlockingIOError
        self.most_buffers = max(self.most_buffers, len(buffers))
        part = b"".join(buffers)[: self.room]
        self.room -= len(part)
        self.taken += part
        return len(part)


@pytest.mark.parametrize(
    ("opcode", "length", "mask", "header"),
    [
        (BINARY, 0, b"", b"\x82\x00"),
        (BINARY, 125, b"", b"\x82\x7d"),
        (BINARY, 126, b"", b"\x82\x7e\0\x7e"),
        (CLOSE, 65535, b"", b"\x88\x7e\xff\xff"),
        (PING, 65536, b"", b"\x89\x7f\0\0\0\0\0\1\0\0"),
        (BINARY, 125, ZEROS, b"\x82\xfd\0\0\0\0"),
        (BINARY, 126, ZEROS, b"\x82\xfe\0\x7e\0\0\0\0"),
        (BINARY, 65536, b"mask", b"\x82\xff\0\0\0\0\0\1\0\0mask"),
    ],
)
def test_headers(opcode, length, mask, header):
    assert frame_header(opcode, length, mask) == header
    before_mask = len(header) - len(mask)
    view = memoryview(b"???" + header + b"!")
    assert read_length(view, 3, len(view)) == (3 + before_mask, length)


def test_the_answer_to_the_key_of_the_rfc():
    assert accept_key(b"dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize("header", [b"\x82\x05", b"\x82\x7e\0\x7e", b"\x82\x7f" + bytes(8)])
def test_a_length_that_has_not_come_wholly(header):
    view = memoryview(header)
    for end in range(len(header)):
        assert read_length(view, 0, end) is None
    assert read_length(view, 0, len(header)) is not None


def test_the_longest_length():
    view = memoryview(b"\x82\x7f" + struct.pack(">Q", (1 << 64) - 1))
    assert read_length(view, 0, 10) == (10, (1 << 64) - 1)


def test_frames_go_out_in_order_and_without_empty_buffers():
    unsent, sink = UnsentFrames(), Sink()
    assert not unsent
    unsent.put(BINARY, [b"one ", bytearray(), memoryview(b"two")])
    unsent.put(PING, [])
    assert len(unsent) == 4
    unsent.send(sink.sendmsg)
    assert not unsent
    assert sink.taken == b"\x82\x07one two\x89\x00"


def test_a_clients_have_a_mask():
    unsent, sink = UnsentFrames(mask=ZEROS), Sink()
    unsent.put(BINARY, [b"one"])
    unsent.send(sink.sendmsg)
    assert sink.taken == b"\x82\x83\0\0\0\0one"


def test_what_is_not_taken_waits():
    unsent, sink = UnsentFrames(), Sink(room=5)
    unsent.put(BINARY, [b"abc", b"def"])
    with pytest.raises(BlockingIOError):
        unsent.send(sink.sendmsg)
    assert unsent
    sink.room = 100
    unsent.send(sink.sendmsg)
    assert not unsent
    assert sink.taken == b"\x82\x06abcdef"


def test_not_more_buffers_at_once_than_may_be():
    unsent, sink = UnsentFrames(), Sink()
    unsent.put(BINARY, [b"x"] * (2 * MAX_SEND_BUFFERS))
    unsent.send(sink.sendmsg)
    assert sink.most_buffers == MAX_SEND_BUFFERS
    assert sink.taken[4:] == b"x" * (2 * MAX_SEND_BUFFERS)


def test_what_is_borrowed_may_change_once_it_is_copied():
    unsent, sink, data = UnsentFrames(), Sink(room=4), bytearray(b"abc")
    unsent.put(BINARY, [data])
    with pytest.raises(BlockingIOError):
        unsent.send(sink.sendmsg)
    unsent.keep()
    data[:] = b"???"
    sink.room = 100
    unsent.send(sink.sendmsg)
    assert sink.taken == b"\x82\x03abc"


def test_what_is_forgotten_is_not_sent():
    unsent, sink = UnsentFrames(), Sink()
    unsent.put(BINARY, [b"abc"])
    unsent.clear()
    unsent.send(sink.sendmsg)
    assert not sink.taken
