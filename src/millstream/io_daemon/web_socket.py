"""A server's end of a WebSocket (RFC 6455): binary messages over a socket that is our own.

aiohttp answers the handshake. What comes after it would be copied four times there, and take up to ten
times the CPU that the kernel needs to hand it over (docs/performance.md); here a message is received into
the memory from which the disk is written.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence

from millstream.errors import NetworkError
from millstream.io_daemon.web_messages import (
    RECEIVE_BUFFER_LENGTH,
    Memory,
    MessageReader,
    RefusedFrameError,
)
from millstream.io_wire.web_frames import (
    BINARY,
    CLOSE,
    MAX_CONTROL_LENGTH,
    PING,
    PONG,
    Buffer,
    UnsentFrames,
)

# Buffers that wait above which a ping goes without its answer: one answer in a while is enough.
MAX_WAITING_PONG = 64

# Seconds between pings; one that goes unanswered for half of that ends the connection. A client that
# is merely slow has 30 s for what is on its way to it: the original's Android server gives 60.
HEARTBEAT = 60.0


class WebSocket:
    """One connection, after its handshake. Create and use it in the loop's thread.

    Args:
        connected: the socket, non-blocking; it is closed with this.
        received: takes a message, which is borrowed, and its memory if that can be held.
        ended: told once, not from within a method, that nothing more comes: with the code that the
            client is to be told, or None if it knows already, and why.
        max_message: bytes of the longest message that is taken.
    """

    def __init__(
        self,
        connected: socket.socket,
        received: Callable[[memoryview, Memory | None], None],
        ended: Callable[[int | None, str], None],
        max_message: int,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = connected
        self._received = received
        self._ended = ended
        self._reader = MessageReader(self._take, max_message)
        self._rest: memoryview | None = None  # where goes what nobody reads any more
        self._unsent = UnsentFrames()
        self._drained: asyncio.Future[None] | None = None
        self._is_reading = self._is_writing = False
        self._is_over = False  # nothing more is taken
        self._is_closed = False
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._is_asked = self._is_silent = False
        self._beat = self._loop.call_later(HEARTBEAT / 2, self._on_beat)
        self._read_or_not()

    # For the session.

    def take_up_to(self, max_message: int) -> None:
        """Take longer messages from now on."""
        self._reader.max_message = max_message

    async def send(self, message: Buffer) -> None:
        """Send a message; returns when the kernel has it. Raises NetworkError if that cannot be."""
        if self._is_closed:
            raise NetworkError("the connection is closed")
        self._put(BINARY, [message])
        await self._until_sent()
        if self._is_closed:
            raise NetworkError("the connection was lost")

    def send_now(self, buffers: Sequence[Buffer]) -> bool:
        """Send a message if nothing else waits; whether it was sent, or is about to be.

        The buffers are borrowed: what the kernel does not take at once is copied.
        """
        if self._unsent or self._is_closed:
            return False
        self._put(BINARY, buffers)
        self._unsent.keep()
        return True

    def pause(self) -> None:
        """Take nothing until `resume`."""
        self._reader.is_paused = True
        self._read_or_not()

    def resume(self) -> None:
        """Go on after `pause`."""
        if self._reader.is_paused and not self._is_over:
            self._reader.is_paused = False
            self._read_or_not()
            self._loop.call_soon(self._read, 0)

    async def close(self, code: int, why: str = "") -> None:
        """Say goodbye, and return when the client has gone, too. It may be cancelled: then `abort`."""
        self._is_over = True
        self._read_or_not()
        if not self._is_closed:
            told = why.encode()[: MAX_CONTROL_LENGTH - 2].decode("utf-8", "ignore")
            self._put(CLOSE, [code.to_bytes(2, "big") + told.encode()])
        await self._until_sent()
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
            self._lose(error.strerror or str(error))

    def _writable(self) -> None:
        self._send_unsent()
        if not self._unsent and not self._is_closed:
            self._is_writing = False
            self._loop.remove_writer(self._socket)
            self._wake()

    async def _until_sent(self) -> None:
        while self._unsent and not self._is_closed:
            if self._drained is None or self._drained.done():
                self._drained = self._loop.create_future()
            # Who waits may be cancelled, and the others not.
            await asyncio.shield(self._drained)

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
        wanted = not self._is_closed and (self._is_over or not self._reader.is_paused)
        if wanted != self._is_reading:
            self._is_reading = wanted
            if wanted:
                self._loop.add_reader(self._socket, self._readable)
            else:
                self._loop.remove_reader(self._socket)

    def _readable(self) -> None:
        try:
            length = self._socket.recv_into(self._room())
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(error.strerror or str(error))
            return
        self._is_silent = False
        if not length:
            self._lose("the connection was closed")
        else:
            self._read(length)

    def _room(self) -> memoryview:
        if not self._is_over:
            return self._reader.room()
        if self._rest is None:
            self._rest = memoryview(bytearray(RECEIVE_BUFFER_LENGTH))
        return self._rest

    def _read(self, length: int) -> None:
        if self._is_over:
            return
        try:
            if length:
                self._reader.filled(length)
            else:
                self._reader.read()
        except RefusedFrameError as error:
            self._end(error.code, str(error))

    def _take(self, opcode: int, payload: memoryview, memory: Memory | None) -> None:
        if opcode == BINARY:
            self._received(payload, memory)
        elif opcode == PING and len(self._unsent) < MAX_WAITING_PONG:
            self._put(PONG, [bytes(payload)])
        elif opcode == CLOSE:
            # It is answered by the session's goodbye.
            self._end(None, "it said goodbye")

    # Ending.

    def _end(self, code: int | None, why: str) -> None:
        """Nothing more is taken."""
        if not self._is_over:
            self._is_over = self._reader.is_paused = True
            self._read_or_not()
            self._loop.call_soon(self._ended, code, why)

    def _lose(self, why: str) -> None:
        self._end(None, why)
        self.abort()

    def _on_beat(self) -> None:
        if self._is_asked and self._is_silent and not self._reader.is_paused:
            self._lose(f"it has not answered a ping for {HEARTBEAT / 2:g} s")
            return
        self._is_asked = not self._is_asked
        if self._is_asked:
            self._is_silent = True
            self._put(PING, [])
        if not self._is_closed:
            self._beat = self._loop.call_later(HEARTBEAT / 2, self._on_beat)
