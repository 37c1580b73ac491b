"""Frames on their way to a client: gathered into messages, and a word when they pile up."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from millstream.io_wire.envelope import frame_header, frame_length

# Frames are joined into messages of about this length; a longer one goes alone, and is not copied
# once more.
JOINED_LENGTH = 64 << 10

# Frames from here on are sent at once if they can be, and then not copied at all.
LONG_LENGTH = 16 << 10

# A long frame and what goes before it in its message: longer messages are made for one frame, and the client
# said how long they may be.
MAX_GATHERED_LENGTH = 384 << 10

# Bytes that wait above which nothing more is received for the client, and below which it goes on.
# Everything that peers send passes through here, so the bound is one for all sockets.
MAX_WAITING_BYTES = 8 << 20
RESUME_BELOW = MAX_WAITING_BYTES // 2

Buffer = bytes | bytearray | memoryview


class Outbox:
    """One client's.

    Args:
        send: hands a message to the connection, and waits while that is full.
        full_changed: told when more than `MAX_WAITING_BYTES` wait, and when there is room again.
        send_now: sends a message at once, whose parts are borrowed, if the connection has nothing
            else to send; whether it did.

    Attributes:
        packed: whether a message may hold several frames.
        is_full: whether too much waits.
        waiting_bytes: how much waits, what is being sent included.
    """

    def __init__(
        self,
        send: Callable[[bytes], Awaitable[None]],
        full_changed: Callable[[], None] = lambda: None,
        send_now: Callable[[Sequence[Buffer]], bool] = lambda _parts: False,
    ) -> None:
        self.packed = False
        self.is_full = False
        self._send = send
        self._full_changed = full_changed
        self._send_now = send_now
        self._is_sending = False
        self._frames: deque[bytes] = deque()
        self.waiting_bytes = 0
        self._closed = False
        self._wake = asyncio.Event()

    def put(self, opcode: int, request: int, *payload: Buffer) -> None:
        """Send a frame; the parts of its payload are copied at once."""
        self.put_parts(opcode, request, payload)

    def put_parts(self, opcode: int, request: int, payload: Sequence[Buffer]) -> None:
        """As `put`."""
        if self._closed:
            return
        header = frame_header(opcode, request)
        if self.packed:
            length = len(header) + sum(map(len, payload))
            header = frame_length(length) + header
            if (
                length >= LONG_LENGTH
                and not self._is_sending
                and self._send_behind(header, payload)
            ):
                return
        frame = b"".join((header, *payload))
        self._frames.append(frame)
        self.waiting_bytes += len(frame)
        self._wake.set()
        if not self.is_full and self.waiting_bytes > MAX_WAITING_BYTES:
            self.is_full = True
            self._full_changed()

    def _send_behind(self, header: bytes, payload: Sequence[Buffer]) -> bool:
        """Send what waits, and this, without a copy; whether it was done."""
        length = sum(map(len, payload))
        if self._frames and self.waiting_bytes + length > MAX_GATHERED_LENGTH:
            return False
        if not self._send_now([*self._frames, header, *payload]):
            return False
        self._frames.clear()
        self.waiting_bytes = 0
        return True

    def close(self) -> None:
        """Take no more; what waits is still sent."""
        self._closed = True
        self._wake.set()

    async def run(self) -> None:
        """Send until `close` was called and nothing waits. Raises what `send` raises."""
        try:
            while True:
                while self._frames:
                    message = self._next_message()
                    self._is_sending = True
                    await self._send(message)
                    self._is_sending = False
                    self._sent(len(message))
                if self._closed:
                    return
                self._wake.clear()
                await self._wake.wait()
        finally:
            self._closed = True
            self._frames.clear()

    def _next_message(self) -> bytes:
        message = self._frames.popleft()
        if not self.packed or len(message) >= JOINED_LENGTH:
            return message
        gathered, length = [message], len(message)
        while self._frames and length + len(self._frames[0]) <= JOINED_LENGTH:
            frame = self._frames.popleft()
            gathered.append(frame)
            length += len(frame)
        return b"".join(gathered) if len(gathered) > 1 else message

    def _sent(self, length: int) -> None:
        self.waiting_bytes -= length
        if self.is_full and self.waiting_bytes < RESUME_BELOW:
            self.is_full = False
            self._full_changed()
