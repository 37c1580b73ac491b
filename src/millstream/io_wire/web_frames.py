"""What both ends of the io-daemon's WebSocket have in common: its frames, and its handshake's key.

RFC 6455, sections 5 and 4.2.2.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

# Buffers of one vectored send; Linux takes 1024 (IOV_MAX).
MAX_SEND_BUFFERS = 512

MAX_CONTROL_LENGTH = 125

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

FINAL, MASKED, RESERVED = 0x80, 0x80, 0x70

# What a goodbye says (RFC 6455, section 7.4.1).
NORMAL, GOING_AWAY, PROTOCOL_ERROR, UNSUPPORTED = 1000, 1001, 1002, 1003
POLICY_VIOLATION, TOO_BIG, INTERNAL_ERROR = 1008, 1009, 1011

_KEY_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

_U16 = struct.Struct(">H")
_U64 = struct.Struct(">Q")

Buffer = bytes | bytearray | memoryview


def accept_key(key: bytes) -> str:
    """What a server says to a client's `Sec-WebSocket-Key`."""
    return base64.b64encode(hashlib.sha1(key + _KEY_SUFFIX).digest()).decode()


def frame_header(opcode: int, length: int, mask: bytes = b"") -> bytes:
    """What stands before a payload; a client's has a mask, a server's none."""
    first, masked = FINAL | opcode, MASKED if mask else 0
    if length <= MAX_CONTROL_LENGTH:
        return bytes([first, masked | length]) + mask
    if length < 1 << 16:
        return bytes([first, masked | 126]) + _U16.pack(length) + mask
    return bytes([first, masked | 127]) + _U64.pack(length) + mask


def read_length(buffer: memoryview, begin: int, end: int) -> tuple[int, int] | None:
    """Where the length of a frame's payload ends, and that length; None if it has not come wholly.

    Args:
        buffer: what was received.
        begin: where the frame begins.
        end: where what was received ends.
    """
    if end - begin < 2:
        return None
    length = buffer[begin + 1] & 0x7F
    if length <= MAX_CONTROL_LENGTH:
        return begin + 2, length
    field = _U16 if length == 126 else _U64
    after = begin + 2 + field.size
    if end < after:
        return None
    (length,) = field.unpack_from(buffer, begin + 2)
    return after, length


class UnsentFrames:
    """What is on its way into a socket. It is true while there is something.

    Args:
        mask: what the header of every frame says; empty for a server's. Payloads go out as they are,
            so a client's can only be zeros.
    """

    __slots__ = ("_buffers", "_mask")

    def __init__(self, mask: bytes = b"") -> None:
        self._buffers: deque[Buffer] = deque()
        self._mask = mask

    def __len__(self) -> int:
        """How many buffers: a frame's header is one, and each part of its payload."""
        return len(self._buffers)

    def put(self, opcode: int, payload: Sequence[Buffer]) -> None:
        """Append a frame. The payload's parts are borrowed until they are sent, or copied."""
        self._buffers.append(frame_header(opcode, sum(map(len, payload)), self._mask))
        self._buffers.extend(filter(len, payload))

    def send(self, sendmsg: Callable[[Sequence[Buffer]], int]) -> None:
        """Send all of it, or what the socket takes before `sendmsg` raises, which this raises, too."""
        buffers = self._buffers
        while buffers:
            sent = sendmsg(list(islice(buffers, MAX_SEND_BUFFERS)))
            while buffers and sent >= len(buffers[0]):
                sent -= len(buffers.popleft())
            if sent:
                buffers[0] = memoryview(buffers[0])[sent:]

    def keep(self) -> None:
        """Copy what is borrowed: it need not stay as it is any more."""
        for index, buffer in enumerate(self._buffers):
            self._buffers[index] = bytes(buffer)

    def clear(self) -> None:
        """Forget all."""
        self._buffers.clear()
