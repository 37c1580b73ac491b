from __future__ import annotations

import pytest

from millstream.errors import MalformedFrameError
from millstream.io_wire.streams import (
    Accepted,
    Bound,
    Credit,
    Place,
    Secure,
    Secured,
    SocketData,
    SocketStatus,
    encode_socket,
)

MESSAGES = [
    (Place(1, 0x1234, "host"), b"\1\0\0\0\x34\x12host"),
    (SocketStatus(1, 1, 111, "no"), b"\1\0\0\0\1\x6f\0\0\0no"),
    (SocketStatus(1), b"\1\0\0\0\0\0\0\0\0"),
    (Bound(2, 0, 80), b"\2\0\0\0\0\x50\0\0\0\0\0"),
    (Accepted(2, 0x8000_0000, 80, "::1"), b"\2\0\0\0\0\0\0\x80\x50\0::1"),
    (Secure(3, "a.example", True), b"\3\0\0\0\1a.example"),
    (Secured(3, 1, "why"), b"\3\0\0\0\1why"),
    (Credit(3, 65536), b"\3\0\0\0\0\0\1\0"),
]


@pytest.mark.parametrize(("message", "payload"), MESSAGES)
def test_a_message_is_that_of_the_tables(message, payload):
    assert message.encode() == payload
    assert type(message).parse(memoryview(payload)) == message


@pytest.mark.parametrize(("message", "payload"), MESSAGES)
def test_a_short_message(message, payload):
    with pytest.raises(MalformedFrameError):
        type(message).parse(memoryview(payload[:4]))


def test_data_is_a_view():
    payload = memoryview(bytearray(b"\5\0\0\0data"))
    found = SocketData.parse(payload)
    payload[4] = ord("x")
    assert found == (5, b"xata")
    assert SocketData.parse(memoryview(encode_socket(5))) == (5, b"")
    with pytest.raises(MalformedFrameError, match="names no socket"):
        SocketData.parse(memoryview(b"\5\0\0"))


def test_a_host_has_its_limits():
    with pytest.raises(MalformedFrameError, match="256 bytes"):
        Place.parse(memoryview(Place(1, 1, "x" * 256).encode()))
    with pytest.raises(MalformedFrameError, match="UTF-8"):
        Place.parse(memoryview(b"\1\0\0\0\0\0\xff"))
