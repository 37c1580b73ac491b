"""A server's end of a WebSocket (RFC 6455): binary messages over a socket that is our own.

aiohttp answers the handshake. What comes after it would be copied four times there, and take up to ten
times the CPU that the kernel needs to hand it over (docs/performance.md); here a message is received into
the memory from which the disk is written.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from millstream.errors import NetworkError

# Received at once; a message of up to `LENT_LENGTH` is read where it lies in it.
RECEIVE_BUFFER_LENGTH = 256 << 10
LENT_LENGTH = 64 << 10

# Buffers of one vectored send; Linux takes 1024 (IOV_MAX).
MAX_SEND_BUFFERS = 512

# Frames that wait above which a ping goes without its answer: one answer in a while is enough.
MAX_WAITING_PONG = 64

# Seconds between pings; one that goes unanswered for half of that ends the connection. A client that
# is merely slow has 30 s for what is on its way to it: the original's Android server gives 60.
HEARTBEAT = 60.0

# Masked together; a multiple of the mask's 4.
_MASK_STEP = 16 << 10

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

# RFC 6455, section 7.4.1.
NORMAL, GOING_AWAY, PROTOCOL_ERROR, UNSUPPORTED = 1000, 1001, 1002, 1003
POLICY_VIOLATION, TOO_BIG, INTERNAL_ERROR = 1008, 1009, 1011

_FINAL, _MASKED, _RESERVED = 0x80, 0x80, 0x70
_MAX_CONTROL_LENGTH = 125
_U16 = struct.Struct(">H")
_U64 = struct.Struct(">Q")

Buffer = bytes | bytearray | memoryview


class WebSocket:
    """One connection, after its handshake. Create and use it in the loop's thread.

    Args:
        connected: the socket, non-blocking; it is closed with this.
        received: takes a message, and whether its memory may be kept; else it is borrowed.
        ended: told once, not from within a method, that nothing more comes: with the code that the
            client is to be told, or None if it knows already, and why.
        max_message: bytes of the longest message that is taken.

    Attributes:
        max_message: see above.
    """

    def __init__(
        self,
        connected: socket.socket,
        received: Callable[[memoryview, bool], None],
        ended: Callable[[int | None, str], None],
        max_message: int,
    ) -> None:
        self.max_message = max_message
        self._loop = asyncio.get_running_loop()
        self._socket = connected
        self._received = received
        self._ended = ended
        self._buffer = memoryview(bytearray(RECEIVE_BUFFER_LENGTH))
        self._begin = self._end = 0  # of what was not read yet
        self._long: memoryview | None = None  # a frame that is received into memory of its own
        self._filled = 0
        self._mask = bytes(4)  # of that one
        self._is_long_final = True
        self._fragments: bytearray | None = None  # of a message whose end has not come
        self._unsent: deque[memoryview] = deque()
        self._drained: asyncio.Future[None] | None = None
        self._is_reading = self._is_writing = False
        self._is_paused = False
        self._is_over = False  # nothing more is taken
        self._is_closed = False
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._is_asked = self._is_silent = False
        self._beat = self._loop.call_later(HEARTBEAT / 2, self._on_beat)
        self._read_or_not()

    # For the session.

    async def send(self, message: Buffer) -> None:
        """Send a message; returns when the kernel has it. Raises NetworkError if that cannot be."""
        if self._is_closed:
            raise NetworkError("the connection is closed")
        self._put(BINARY, [message])
        while self._unsent and not self._is_closed:
            self._drained = self._loop.create_future()
            await self._drained
        if self._is_closed:
            raise NetworkError("the connection was lost")

    def pause(self) -> None:
        """Take nothing until `resume`."""
        self._is_paused = True
        self._read_or_not()

    def resume(self) -> None:
        """Go on after `pause`."""
        if self._is_paused:
            self._is_paused = False
            self._read_or_not()
            self._loop.call_soon(self._read_frames)

    async def close(self, code: int, why: str = "") -> None:
        """Say goodbye, and return when the client has gone, too. It may be cancelled: then `abort`."""
        self._is_over = True
        self._read_or_not()
        if not self._is_closed:
            self._put(CLOSE, [_U16.pack(code) + why.encode()[: _MAX_CONTROL_LENGTH - 2]])
        while self._unsent and not self._is_closed:
            self._drained = self._loop.create_future()
            await self._drained
        if not self._is_closed:
            self._half_close()
            await asyncio.shield(self._gone)
        self.abort()

    def abort(self) -> None:
        """End it now. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = self._is_over = True
        self._beat.cancel()
        self._read_or_not()
        if self._is_writing:
            self._loop.remove_writer(self._socket)
        self._socket.close()
        self._unsent.clear()
        self._wake()
        if not self._gone.done():
            self._gone.set_result(None)

    # Sending.

    def _put(self, opcode: int, buffers: Sequence[Buffer]) -> None:
        self._unsent.append(memoryview(frame_header(opcode, sum(map(len, buffers)))))
        self._unsent.extend([memoryview(buffer) for buffer in buffers if len(buffer)])
        if not self._is_writing:
            self._send_unsent()

    def _send_unsent(self) -> None:
        unsent = self._unsent
        try:
            while unsent:
                sent = self._socket.sendmsg(list(islice(unsent, MAX_SEND_BUFFERS)))
                while unsent and sent >= len(unsent[0]):
                    sent -= len(unsent.popleft())
                if sent:
                    unsent[0] = unsent[0][sent:]
        except (BlockingIOError, InterruptedError):
            if not self._is_writing:
                self._is_writing = True
                self._loop.add_writer(self._socket, self._writable)
        except OSError as error:
            self._lose(error.strerror or str(error))

    def _writable(self) -> None:
        self._send_unsent()
        if not self._unsent and not self._is_closed:
            self._is_writing = False
            self._loop.remove_writer(self._socket)
            self._wake()

    def _wake(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def _half_close(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.abort()

    # Receiving.

    def _read_or_not(self) -> None:
        wanted = not self._is_closed and (self._is_over or not self._is_paused)
        if wanted != self._is_reading:
            self._is_reading = wanted
            if wanted:
                self._loop.add_reader(self._socket, self._readable)
            else:
                self._loop.remove_reader(self._socket)

    def _readable(self) -> None:
        long = self._long
        into = self._buffer[self._end :] if long is None else long[self._filled :]
        if self._is_over:
            into = self._buffer
        try:
            length = self._socket.recv_into(into)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(error.strerror or str(error))
            return
        self._is_silent = False
        if not length:
            self._lose("the connection was closed")
        elif self._is_over:
            return  # it was told the end already
        elif long is None:
            self._end += length
            self._read_frames()
        else:
            self._filled += length
            if self._filled == len(long):
                self._long = None
                self._take(BINARY, long, self._mask, is_final=self._is_long_final, is_own=True)

    def _read_frames(self) -> None:
        """Take what is whole out of the buffer."""
        buffer = self._buffer
        while not self._is_over and not self._is_paused and self._long is None:
            begin, available = self._begin, self._end - self._begin
            if available < 2:
                break
            first, second = buffer[begin], buffer[begin + 1]
            length = second & 0x7F
            header = {126: 8, 127: 14}.get(length, 6)
            if available < header:
                break
            if length == 126:
                (length,) = _U16.unpack_from(buffer, begin + 2)
            elif length == 127:
                (length,) = _U64.unpack_from(buffer, begin + 2)
            if not self._is_fine(first, second, length):
                break
            begin += header
            mask = bytes(buffer[begin - 4 : begin])
            opcode, is_final = first & 0x0F, bool(first & _FINAL)
            if length > LENT_LENGTH:
                self._begin_long(length, begin, mask, is_final=is_final)
            elif self._end - begin < length:
                break
            else:
                self._begin = begin + length
                payload = buffer[begin : self._begin]
                self._take(opcode, payload, mask, is_final=is_final, is_own=False)
        self._make_room()

    def _is_fine(self, first: int, second: int, length: int) -> bool:
        """Whether a frame can be taken; of one that cannot, the client is told."""
        opcode, is_final = first & 0x0F, bool(first & _FINAL)
        if opcode == TEXT:
            self._refuse(UNSUPPORTED, "messages are binary")
        elif opcode >= CLOSE and (length > _MAX_CONTROL_LENGTH or not is_final):
            self._refuse(PROTOCOL_ERROR, "a control frame is too long, or comes in parts")
        elif (
            opcode not in {CONTINUATION, BINARY, CLOSE, PING, PONG}
            or first & _RESERVED
            or not second & _MASKED
            or (opcode < CLOSE and (opcode == CONTINUATION) != (self._fragments is not None))
        ):
            self._refuse(PROTOCOL_ERROR, f"a frame must not begin with {first:#04x} {second:#04x}")
        elif length + len(self._fragments or b"") > self.max_message:
            self._refuse(TOO_BIG, f"a message has more than {self.max_message} bytes")
        return not self._is_over

    def _begin_long(self, length: int, begin: int, mask: bytes, *, is_final: bool) -> None:
        """A long frame has memory of its own: what came of it is copied, the rest goes there."""
        long = memoryview(bytearray(length))
        there = min(length, self._end - begin)
        long[:there] = self._buffer[begin : begin + there]
        self._begin = begin + there
        if there == length:
            self._take(BINARY, long, mask, is_final=is_final, is_own=True)
            return
        self._long, self._filled, self._mask, self._is_long_final = long, there, mask, is_final

    def _make_room(self) -> None:
        """What has begun, and is not long, must fit in wholly."""
        begin, end = self._begin, self._end
        if begin == end:
            self._begin = self._end = 0
        elif begin > RECEIVE_BUFFER_LENGTH - LENT_LENGTH - 16:
            self._buffer[: end - begin] = bytes(self._buffer[begin:end])
            self._begin, self._end = 0, end - begin

    def _take(
        self, opcode: int, payload: memoryview, mask: bytes, *, is_final: bool, is_own: bool
    ) -> None:
        unmask(payload, mask)
        if opcode in {BINARY, CONTINUATION}:
            self._take_data(payload, is_final=is_final, is_own=is_own)
        elif opcode == PING and len(self._unsent) < MAX_WAITING_PONG:
            self._put(PONG, [bytes(payload)])
        elif opcode == CLOSE:
            self._lose_soon("it said goodbye")

    def _take_data(self, payload: memoryview, *, is_final: bool, is_own: bool) -> None:
        if self._fragments is not None or not is_final:
            fragments = self._fragments if self._fragments is not None else bytearray()
            fragments += payload
            if not is_final:
                self._fragments = fragments
                return
            self._fragments, payload, is_own = None, memoryview(fragments), True
        self._received(payload, is_own)

    # Ending.

    def _refuse(self, code: int, why: str) -> None:
        self._is_over = True
        self._read_or_not()
        self._loop.call_soon(self._ended, code, why)

    def _lose_soon(self, why: str) -> None:
        """The client has said that it goes; it is answered by the session's goodbye."""
        self._is_over = True
        self._loop.call_soon(self._ended, None, why)

    def _lose(self, why: str) -> None:
        if not self._is_over:
            self._loop.call_soon(self._ended, None, why)
        self.abort()

    def _on_beat(self) -> None:
        if self._is_asked and self._is_silent and not self._is_paused:
            self._lose(f"it has not answered a ping for {HEARTBEAT / 2:g} s")
            return
        self._is_asked = not self._is_asked
        if self._is_asked:
            self._is_silent = True
            self._put(PING, [])
        if not self._is_closed:
            self._beat = self._loop.call_later(HEARTBEAT / 2, self._on_beat)


def frame_header(opcode: int, length: int) -> bytes:
    """What stands before a payload; a server's has no mask."""
    first = _FINAL | opcode
    if length < 126:
        return bytes([first, length])
    if length < 1 << 16:
        return bytes([first, 126]) + _U16.pack(length)
    return bytes([first, 127]) + _U64.pack(length)


def unmask(payload: memoryview, mask: bytes) -> None:
    """Undo a client's mask, in place. Our own client's is zero."""
    if mask == bytes(4):
        return
    key = int.from_bytes(mask * (_MASK_STEP // 4), "little")
    for at in range(0, len(payload), _MASK_STEP):
        part = payload[at : at + _MASK_STEP]
        length = len(part)
        if length < _MASK_STEP:
            key = int.from_bytes((mask * (length // 4 + 1))[:length], "little")
        part[:] = (int.from_bytes(part, "little") ^ key).to_bytes(length, "little")
