"""The envelope of `/io`: frames, one or several to a message of the WebSocket.

A frame is 8 bytes and its payload, all integers little-endian:

    u8 version = 1, u8 opcode, u16 flags = 0, u32 request

`request` is chosen by who asks and comes back with the answer; it is 0 where nobody asked. Until the
hellos agree otherwise (`handshake.Feature.PACKED`) a message is one frame. From then on a message is
any number of frames, each after its length as u32.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from millstream.errors import MalformedFrameError

VERSION = 1

# A body of the original daemon has 64 MiB at most; so has a message here, all its frames together.
MAX_MESSAGE = 64 << 20

HEADER_LENGTH = 8
LENGTH_LENGTH = 4

_HEADER = struct.Struct("<BBHI")
_LENGTH = struct.Struct("<I")
_MAX_REQUEST = (1 << 32) - 1


class Opcode(enum.IntEnum):
    """What a frame is; the payloads are in the modules of this package."""

    CLIENT_HELLO = 0x01
    SERVER_HELLO = 0x02
    AUTH = 0x03
    AUTH_RESULT = 0x04
    TCP_CONNECT = 0x10
    TCP_CONNECTED = 0x11
    TCP_SEND = 0x12
    TCP_RECV = 0x13
    TCP_CLOSE = 0x14
    TCP_LISTEN = 0x15
    TCP_LISTEN_RESULT = 0x16
    TCP_ACCEPT = 0x17
    TCP_STOP_LISTEN = 0x18
    TCP_SECURE = 0x19
    TCP_SECURED = 0x1A
    CREDIT = 0x1B
    UDP_BIND = 0x20
    UDP_BOUND = 0x21
    UDP_SEND = 0x22
    UDP_RECV = 0x23
    UDP_CLOSE = 0x24
    UDP_JOIN_MULTICAST = 0x25
    UDP_LEAVE_MULTICAST = 0x26
    WRITE_BATCH = 0x30
    WRITE_RESULTS = 0x31
    READ_BATCH = 0x32
    READ_RESULTS = 0x33
    HASH_BATCH = 0x34
    HASH_RESULTS = 0x35
    WRITE_EXISTING_BATCH = 0x36
    CALL = 0x38
    ANSWER = 0x39
    ERROR = 0x7F
    ROOTS_CHANGED = 0xE0


class Frame(NamedTuple):
    """A frame as it came.

    Attributes:
        version: of whoever sent it; what follows means something in `VERSION` only.
        opcode: a value of `Opcode`, or one that is not known here.
        request: which request it is or answers; 0 for none.
        payload: a view of the message.
    """

    version: int
    opcode: int
    request: int
    payload: memoryview


def frame_header(opcode: int, request: int = 0) -> bytes:
    """The 8 bytes before a payload. Raises ValueError for a request that has no 32 bits."""
    if not 0 <= request <= _MAX_REQUEST:
        raise ValueError(f"the request {request} does not fit")
    return _HEADER.pack(VERSION, opcode, 0, request)


def frame_length(length: int) -> bytes:
    """What stands before a frame of `length` bytes, header included, where several may come."""
    return _LENGTH.pack(length)


def encode_frame(opcode: int, request: int = 0, payload: bytes = b"") -> bytes:
    """A frame."""
    return frame_header(opcode, request) + payload


def pack_frames(frames: Iterable[bytes]) -> bytes:
    """A message of several frames."""
    return b"".join([part for frame in frames for part in (frame_length(len(frame)), frame)])


def split_message(message: memoryview, *, packed: bool) -> Iterator[Frame]:
    """The frames of a message, as they are asked for.

    Args:
        message: as it came.
        packed: whether several frames to a message were agreed on.

    Raises:
        MalformedFrameError: a frame is too short, or its length lies; there is no way to read on.
    """
    if not packed:
        yield _read_frame(message)
        return
    at, end = 0, len(message)
    while at < end:
        if end - at < LENGTH_LENGTH:
            raise MalformedFrameError(f"a message ends with {end - at} bytes that are no frame")
        (length,) = _LENGTH.unpack_from(message, at)
        at += LENGTH_LENGTH
        if length > end - at:
            raise MalformedFrameError(f"a frame of {length} bytes has {end - at} in its message")
        yield _read_frame(message[at : at + length])
        at += length


def _read_frame(data: memoryview) -> Frame:
    if len(data) < HEADER_LENGTH:
        raise MalformedFrameError(f"a frame has {len(data)} bytes; {HEADER_LENGTH} is the least")
    version, opcode, _flags, request = _HEADER.unpack_from(data)
    return Frame(version, opcode, request, data[HEADER_LENGTH:])
