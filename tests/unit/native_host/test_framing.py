from __future__ import annotations

import struct

import pytest

from millstream.native_host.framing import (
    MAX_INCOMING_LENGTH,
    MAX_OUTGOING_LENGTH,
    BrokenFrameError,
    FrameReader,
    MessageTooLongError,
    encode_message,
)


def frame(data):
    return struct.pack("=I", len(data)) + data


def test_a_message_has_its_length_in_native_order_before_it():
    assert encode_message({"a": "é"}) == struct.pack("=I", 14) + b'{"a":"\\u00e9"}'


@pytest.mark.parametrize("step", [1, 3, 7, 100])
def test_messages_come_in_any_pieces(step):
    data = frame(b'{"a":1}') + frame("[“”]".encode().replace("“”".encode(), b'"\xc3\xa9"'))
    reader, found = FrameReader(), []
    for at in range(0, len(data), step):
        found += reader.receive_data(data[at : at + step])
    assert found == [{"a": 1}, ["é"]]
    assert reader.is_between_frames


def test_within_a_frame():
    reader = FrameReader()
    assert reader.receive_data(frame(b"{}")[:-1]) == []
    assert not reader.is_between_frames


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (struct.pack("=I", 0), "0 bytes"),
        (struct.pack("=I", MAX_INCOMING_LENGTH + 1), "67108865"),
        (b"\xff\xff\xff\xff", "4294967295"),
        (frame(b"{"), "JSON"),
        (frame(b"\xff"), "JSON"),
        (frame(b"[" * 100_000), "JSON"),
        (frame(b"9" * 5000), "JSON"),
    ],
)
def test_what_is_no_frame(data, why):
    with pytest.raises(BrokenFrameError, match=why):
        FrameReader().receive_data(data)


def test_a_length_that_may_be_is_waited_for():
    assert FrameReader().receive_data(struct.pack("=I", MAX_INCOMING_LENGTH)) == []


def test_a_message_that_a_browser_would_not_take():
    most = "x" * (MAX_OUTGOING_LENGTH - 2)
    assert len(encode_message(most)) == MAX_OUTGOING_LENGTH + 4
    with pytest.raises(MessageTooLongError):
        encode_message(most + "x")
