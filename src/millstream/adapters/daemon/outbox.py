"""Frames on their way to the daemon: those of one turn of the loop share a message.

What is long, data for the disk, has a line of its own and goes one frame to a message, by turns with
what is short: so a request to a peer waits for one batch at most, and not for all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from millstream.io_wire.envelope import frame_header, frame_length

# Short frames are joined up to this.
JOINED_LENGTH = 256 << 10

Buffer = bytes | bytearray | memoryview


class Outbox:
    """One connection's.

    Args:
        send: hands a message to the connection. Its buffers are borrowed.
        is_busy: whether the connection has not sent the last one yet; who knows that it is no
            longer calls `flush`.
        wake: called when there is something to flush.
    """

    __slots__ = ("_is_busy", "_is_long_next", "_long", "_send", "_short", "_wake", "unsent_bytes")

    def __init__(
        self,
        send: Callable[[Sequence[Buffer]], None],
        is_busy: Callable[[], bool],
        wake: Callable[[], None],
    ) -> None:
        self._send = send
        self._is_busy = is_busy
        self._wake = wake
        self._short: deque[bytes] = deque()
        self._long: deque[list[Buffer]] = deque()
        self._is_long_next = False
        self.unsent_bytes = 0

    def put(self, opcode: int, request: int, payload: Sequence[Buffer]) -> None:
        """Send a frame; the parts of its payload are copied at once."""
        self._account(payload)
        self._short.append(b"".join(_frame(opcode, request, payload)))
        self._wake()

    def put_long(self, opcode: int, request: int, payload: Sequence[Buffer]) -> None:
        """Send a long frame. Its parts are borrowed until it is answered, or the connection lost."""
        self._account(payload)
        self._long.append(_frame(opcode, request, payload))
        self._wake()

    def flush(self) -> None:
        """Send what the connection takes."""
        while not self._is_busy():
            if self._long and (self._is_long_next or not self._short):
                message = self._long.popleft()
                self._is_long_next = False
            elif self._short:
                message = self._next_short()
                self._is_long_next = True
            else:
                return
            self.unsent_bytes -= sum(map(len, message))
            self._send(message)

    def _account(self, payload: Sequence[Buffer]) -> None:
        self.unsent_bytes += 12 + sum(map(len, payload))

    def _next_short(self) -> list[Buffer]:
        message: list[Buffer] = []
        length = 0
        while self._short and (not message or length + len(self._short[0]) <= JOINED_LENGTH):
            message.append(self._short.popleft())
            length += len(message[-1])
        return message


def _frame(opcode: int, request: int, payload: Sequence[Buffer]) -> list[Buffer]:
    header = frame_header(opcode, request)
    length = len(header) + sum(map(len, payload))
    return [frame_length(length) + header, *payload]
