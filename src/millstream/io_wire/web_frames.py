"""The frames of a WebSocket (RFC 6455, section 5) as both ends of the io-daemon's send them."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

# Buffers of one vectored send; Linux takes 1024 (IOV_MAX).
MAX_SEND_BUFFERS = 512

MAX_CONTROL_LENGTH = 125

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

FINAL, MASKED, RESERVED = 0x80, 0x80, 0x70

_U16 = struct.Struct(">H")
_U64 = struct.Struct(">Q")

Buffer = bytes | bytearray | memoryview


def frame_header(opcode: int, length: int, mask: bytes = b"") -> bytes:
    """What stands before a payload; a client's has a mask, a server's none."""
    first, masked = FINAL | opcode, MASKED if mask else 0
    if length <= MAX_CONTROL_LENGTH:
        return bytes([first, masked | length]) + mask
    if length < 1 << 16:
        return bytes([first, masked | 126]) + _U16.pack(length) + mask
    return bytes([first, masked | 127]) + _U64.pack(length) + mask


def read_length(buffer: memoryview, begin: int, end: int) -> tuple[int, int] | None:
    """Where the length of a frame's payload ends, and the length; None if it is not there wholly.

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
        mask: of every frame; empty for a server's.
    """

    __slots__ = ("_buffers", "_mask")

    def __init__(self, mask: bytes = b"") -> None:
        self._buffers: deque[memoryview] = deque()
        self._mask = mask

    def __len__(self) -> int:
        return len(self._buffers)

    def put(self, opcode: int, payload: Sequence[Buffer]) -> None:
        """Append a frame. The payload's parts are borrowed, and masked by none but a mask of zeros."""
        header = frame_header(opcode, sum(map(len, payload)), self._mask)
        self._buffers.append(memoryview(header))
        self._buffers.extend([memoryview(buffer) for buffer in payload if len(buffer)])

    def send(self, sendmsg: Callable[[Sequence[Buffer]], int]) -> None:
        """Send all of it, or what the socket takes until `sendmsg` raises."""
        buffers = self._buffers
        while buffers:
            sent = sendmsg(list(islice(buffers, MAX_SEND_BUFFERS)))
            while buffers and sent >= len(buffers[0]):
                sent -= len(buffers.popleft())
            if sent:
                buffers[0] = buffers[0][sent:]

    def copy(self) -> None:
        """Copy what is borrowed: it need not stay as it is any more."""
        for index, buffer in enumerate(self._buffers):
            self._buffers[index] = memoryview(bytes(buffer))

    def clear(self) -> None:
        """Forget all."""
        self._buffers.clear()
