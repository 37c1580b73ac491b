from __future__ import annotations

import pytest

from millstream.errors import MalformedFrameError
from millstream.io_wire.envelope import (
    Opcode,
    encode_frame,
    frame_header,
    pack_frames,
    split_message,
)


def split(message, *, packed):
    return [
        (frame.version, frame.opcode, frame.request, bytes(frame.payload))
        for frame in split_message(memoryview(message), packed=packed)
    ]


def test_a_frame_is_that_of_the_tables():
    frame = encode_frame(Opcode.TCP_SEND, 0x01020304, b"data")
    assert frame == b"\x01\x12\0\0\x04\x03\x02\x01data"
    assert split(frame, packed=False) == [(1, Opcode.TCP_SEND, 0x01020304, b"data")]


def test_several_frames_have_their_lengths_before_them():
    message = pack_frames([encode_frame(1), encode_frame(2, 3, b"x")])
    assert message == b"\x08\0\0\0\1\1\0\0\0\0\0\0\x09\0\0\0\1\2\0\0\3\0\0\0x"
    assert split(message, packed=True) == [(1, 1, 0, b""), (1, 2, 3, b"x")]
    assert split(b"", packed=True) == []


def test_what_cannot_be_read_here_is_left_to_who_knows_it():
    assert split(b"\x07\xff\xff\xff\0\0\0\0", packed=False) == [(7, 255, 0, b"")]


@pytest.mark.parametrize("message", [b"", b"\1", b"\1\1\0\0\0\0\0"])
def test_a_short_frame(message):
    with pytest.raises(MalformedFrameError, match="8 is the least"):
        split(message, packed=False)


@pytest.mark.parametrize(
    "message",
    [
        b"\0",
        b"\7\0\0\0\1\1\0\0\0\0\0",
        b"\x09\0\0\0\1\1\0\0\0\0\0\0",
        b"\xff\xff\xff\xff\1\1\0\0\0\0\0\0",
        encode_frame(1),
    ],
)
def test_a_length_that_lies(message):
    with pytest.raises(MalformedFrameError):
        split(message, packed=True)


def test_frames_before_the_broken_one_are_read():
    frames = split_message(memoryview(pack_frames([encode_frame(1)]) + b"\xff"), packed=True)
    assert next(frames).opcode == 1
    with pytest.raises(MalformedFrameError):
        next(frames)


def test_a_request_has_32_bits():
    with pytest.raises(ValueError, match="does not fit"):
        frame_header(1, 1 << 32)
