"""A client's WebSocket (RFC 6455): binary messages over a socket of this process.

It is our own so that a message is received into the memory in which it is then taken apart, and sent
from the memory in which it was made; and so that a process that has given up making sockets can bring
one along. Payloads are masked with zeros: masks keep scripts of web pages from misleading proxies,
and here are neither.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence

from millstream.errors import NetworkError
from millstream.io_wire.web_frames import (
    BINARY,
    CLOSE,
    FINAL,
    MASKED,
    MAX_CONTROL_LENGTH,
    NORMAL,
    PING,
    PONG,
    RESERVED,
    Buffer,
    UnsentFrames,
    read_length,
)

# Messages up to half of this are not copied before they are read.
RECEIVE_BUFFER_LENGTH = 1 << 20

# What the kernel may hold of what we send; a Unix socket has 208 KiB by itself.
SEND_BUFFER_LENGTH = 1 << 20

# Seconds of silence after which the other side is asked whether it is there, and after which again
# it counts as gone.
PING_SECONDS = 15.0


class WebSocket:
    """One connection, after its handshake.

    All calls out come from the loop's thread; `lost` once, and never from within a method.

    Args:
        connected: the socket, non-blocking.
        received: takes a message. The view is borrowed, and writable.
        drained: told when all was sent after it could not be at once.
        lost: told when the connection is gone, and why.
        max_message: bytes of the longest message that is taken.
        early: what was received behind the handshake.
    """

    def __init__(
        self,
        connected: socket.socket,
        received: Callable[[memoryview], None],
        drained: Callable[[], None],
        lost: Callable[[NetworkError], None],
        max_message: int,
        early: bytes = b"",
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = connected
        self._received = received
        self._drained = drained
        self._lost = lost
        self._max_message = max_message
        self._buffer = memoryview(bytearray(RECEIVE_BUFFER_LENGTH))
        self._begin = 0  # of what was not read yet
        self._end = len(early)
        self._buffer[: self._end] = early
        self._long: memoryview | None = None  # a message that does not fit
        self._filled = 0
        self._unsent = UnsentFrames(mask=bytes(4))
        self._is_writing = False
        self._is_closed = False
        self._is_silent = False
        if hasattr(connected, "setsockopt"):
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_LENGTH)
        self._loop.add_reader(connected, self._readable)
        self._loop.call_soon(self._read_messages)
        self._beat = self._loop.call_later(PING_SECONDS, self._on_beat)

    @property
    def is_sending(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._unsent)

    def send(self, buffers: Sequence[Buffer]) -> None:
        """Send a message. The buffers are borrowed until all is sent, or the connection lost."""
        self._send_frame(BINARY, buffers)

    def close(self, error: NetworkError | None = None) -> None:
        """End it now; what is unsent is dropped. `lost` follows, not from within."""
        if self._is_closed:
            return
        if not self._unsent:
            self._send_frame(CLOSE, [NORMAL.to_bytes(2, "big")])
        self._lose(error or NetworkError("it was closed"))

    # Sending.

    def _send_frame(self, opcode: int, buffers: Sequence[Buffer]) -> None:
        if self._is_closed:
            return
        self._unsent.put(opcode, buffers)
        if not self._is_writing:
            self._send_unsent()

    def _send_unsent(self) -> None:
        try:
            self._unsent.send(self._socket.sendmsg)
        except (BlockingIOError, InterruptedError):
            if not self._is_writing:
                self._is_writing = True
                self._loop.add_writer(self._socket, self._writable)
        except OSError as error:
            self._lose(NetworkError(error.strerror or str(error)))

    def _writable(self) -> None:
        self._send_unsent()
        if not self._unsent and not self._is_closed:
            self._is_writing = False
            self._loop.remove_writer(self._socket)
            self._drained()

    # Receiving.

    def _readable(self) -> None:
        long = self._long
        into = self._buffer[self._end :] if long is None else long[self._filled :]
        try:
            length = self._socket.recv_into(into)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(NetworkError(error.strerror or str(error)))
            return
        self._is_silent = False
        if not length:
            self._lose(NetworkError("the connection was closed"))
        elif long is None:
            self._end += length
            self._read_messages()
        else:
            self._filled += length
            if self._filled == len(long):
                self._long = None
                self._received(long)

    def _read_messages(self) -> None:
        """Take what is whole out of the buffer."""
        buffer = self._buffer
        while not self._is_closed:
            found = read_length(buffer, self._begin, self._end)
            if found is None:
                break
            first, second = buffer[self._begin], buffer[self._begin + 1]
            begin, length = found
            why = self._why_not(first, second, length)
            if why:
                self._lose(NetworkError(why))
                return
            if self._end - begin < length:
                if length > RECEIVE_BUFFER_LENGTH // 2:
                    self._begin_long(length, begin)
                break
            self._begin = begin + length
            self._handle(first & 0x0F, buffer[begin : self._begin])
        self._make_room()

    def _why_not(self, first: int, second: int, length: int) -> str:
        """Why a frame cannot be taken; empty if it can."""
        opcode = first & 0x0F
        if second & MASKED:
            return "a message is masked, as only ours are"
        if not first & FINAL or first & RESERVED or opcode not in {BINARY, CLOSE, PING, PONG}:
            return f"a frame of WebSocket begins with {first:#04x}"
        if length > (self._max_message if opcode == BINARY else MAX_CONTROL_LENGTH):
            return f"a message of {length} bytes is too long"
        return ""

    def _begin_long(self, length: int, begin: int) -> None:
        self._long = memoryview(bytearray(length))
        self._filled = self._end - begin
        self._long[: self._filled] = self._buffer[begin : self._end]
        self._begin = self._end

    def _make_room(self) -> None:
        """A message that has begun must fit in wholly."""
        begin, end = self._begin, self._end
        if begin == end:
            self._begin = self._end = 0
        elif begin > RECEIVE_BUFFER_LENGTH // 2 - 16:
            self._buffer[: end - begin] = self._buffer[begin:end]
            self._begin, self._end = 0, end - begin

    def _handle(self, opcode: int, payload: memoryview) -> None:
        if opcode == BINARY:
            self._received(payload)
        elif opcode == PING:
            self._send_frame(PONG, [bytes(payload)])
        elif opcode == CLOSE:
            why = bytes(payload[2:]).decode("utf-8", "replace")
            self._lose(NetworkError(f"it said goodbye{': ' + why if why else ''}"))

    # Ending.

    def _on_beat(self) -> None:
        if self._is_silent:
            self._lose(NetworkError(f"it has been silent for {2 * PING_SECONDS:g} s"))
            return
        self._is_silent = True
        if not self._unsent:
            self._send_frame(PING, [])
        self._beat = self._loop.call_later(PING_SECONDS, self._on_beat)

    def _lose(self, error: NetworkError) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._beat.cancel()
        self._loop.remove_reader(self._socket)
        if self._is_writing:
            self._loop.remove_writer(self._socket)
        self._socket.close()
        self._unsent.clear()
        self._loop.call_soon(self._lost, error)
