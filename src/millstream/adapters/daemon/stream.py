"""A connection to a peer that the daemon holds: credit decides how much of it is on its way.

What arrives while nobody reads waits here, as far as the daemon had credit for it; what is written
beyond the daemon's credit waits here, too.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from millstream.errors import NetworkError
from millstream.interfaces.network import Buffer, ConnectionHandler
from millstream.io_wire.envelope import Opcode
from millstream.io_wire.streams import Credit, SocketStatus, encode_socket
from millstream.io_wire.window import Window
from millstream.protocol.compact import PeerAddress

# The longest TCP_SEND: longer ones would hold up other sockets.
MAX_SEND = 64 << 10

# Calls of a handler in one turn of the loop, for one that takes a few bytes at a time.
MAX_DELIVERIES = 64

# Small writes that wait are joined up to this: each alone would cost more than its bytes.
MAX_JOINED_LENGTH = 64 << 10

SentCallback = Callable[[], None]


class Daemon(Protocol):
    """What a stream needs of the connection to the daemon."""

    def put(self, opcode: Opcode, *payload: Buffer) -> None:
        """Send a frame; the parts of its payload are copied."""


class _Batch:
    """What one `write_many` is to send, from `at` on."""

    __slots__ = ("at", "data", "sent")

    def __init__(self, data: bytes | bytearray | memoryview, sent: SentCallback | None) -> None:
        self.data = data
        self.at = 0
        self.sent = sent


class DaemonStream:
    """Implements `interfaces.network.Connection`.

    Args:
        daemon: the way to it.
        number: the socket's.
        remote: where the peer is.
        credit: bytes that may be sent before there is more credit.
        window: how much may be on its way to us.
        forget: called when the number means nothing any more.

    Attributes:
        number: the socket's.
        remote: where the peer is.
        unsent_bytes: bytes beyond the credit.
    """

    __slots__ = (
        *("_credit", "_daemon", "_end", "_forget", "_handler", "_held", "_is_closed", "_is_ended"),
        *("_is_paused", "_is_scheduled", "_is_sending", "_loop", "_most", "_prefix", "_unsent"),
        *("_window", "number", "remote", "unsent_bytes"),
    )

    def __init__(
        self,
        daemon: Daemon,
        number: int,
        remote: PeerAddress,
        credit: int,
        window: Window,
        forget: Callable[[DaemonStream], None],
    ) -> None:
        self.number = number
        self.remote = remote
        self.unsent_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._daemon = daemon
        self._prefix = encode_socket(number)
        self._credit = credit
        self._window = window
        self._forget = forget
        self._handler: ConnectionHandler | None = None
        self._unsent: deque[_Batch] = deque()
        self._held: deque[memoryview] = deque()
        self._most: int | None = None
        self._end: Exception | None = None
        self._is_paused = self._is_sending = self._is_scheduled = False
        self._is_ended = self._is_closed = False

    def start(self, handler: ConnectionHandler) -> None:
        """Deliver what has come, and what will."""
        self._handler = handler
        self._deliver_soon()

    # For the engine.

    def write(self, data: bytes) -> None:
        """See `interfaces.network.Connection`."""
        last = self._unsent[-1] if len(self._unsent) > 1 else None
        if last is None or last.sent is not None or len(last.data) + len(data) > MAX_JOINED_LENGTH:
            self.write_many((data,))
            return
        if not isinstance(last.data, bytearray):
            last.data = bytearray(last.data)
        last.data += data
        self.unsent_bytes += len(data)

    def write_many(self, buffers: Sequence[Buffer], sent: SentCallback | None = None) -> None:
        """See `interfaces.network.Connection`."""
        if self._is_closed or self._is_ended:
            if sent is not None:
                self._loop.call_soon(sent)
            return
        # A batch of one buffer is kept as it is, and so not copied before it is sent.
        data = buffers[0] if len(buffers) == 1 else b"".join(buffers)
        self.unsent_bytes += len(data)
        self._unsent.append(_Batch(data, sent))
        # Whoever is sending already, and called `sent`, sends this too.
        if len(self._unsent) == 1 and not self._is_sending:
            self._send_unsent()

    def pause_reading(self) -> None:
        """See `interfaces.network.Connection`."""
        self._is_paused = True

    def resume_reading(self) -> None:
        """See `interfaces.network.Connection`."""
        self._is_paused = False
        self._deliver_soon()

    def limit_receive(self, most: int | None) -> None:
        """See `interfaces.network.Connection`."""
        self._most = most

    def close(self) -> None:
        """See `interfaces.network.Connection`."""
        if not self._is_closed:
            if not self._is_ended:
                self._daemon.put(Opcode.TCP_CLOSE, self._prefix)
            self._lose(None)

    # For the daemon's frames.

    def received(self, data: memoryview) -> None:
        """Take TCP_RECV; the view is borrowed, and writable."""
        if self._is_closed or self._is_ended:
            return
        if self._held or self._is_paused or self._handler is None:
            self._held.append(memoryview(bytearray(data)))
            return
        rest = self._deliver(data)
        if rest and not self._is_closed:
            self._held.append(memoryview(bytearray(rest)))
            self._deliver_soon()

    def add_credit(self, length: int) -> None:
        """Take CREDIT."""
        self._credit += length
        if self._unsent and not self._is_sending:
            self._send_unsent()
            if not self._unsent and not self._is_closed and self._handler is not None:
                self._handler.output_drained()

    def ended(self, reason: Exception | None) -> None:
        """Take TCP_CLOSE: there is no socket any more. What came before it is still delivered."""
        if self._is_closed or self._is_ended:
            return
        if self._held:
            self._is_ended, self._end = True, reason
            self._give_back()
        else:
            self._lose(reason)

    # Within.

    def _send_unsent(self) -> None:
        self._is_sending = True
        while self._unsent and not self._is_closed:
            batch = self._unsent[0]
            left = len(batch.data) - batch.at
            if left and not self._credit:
                break
            if left:
                length = min(left, self._credit, MAX_SEND)
                part = memoryview(batch.data)[batch.at : batch.at + length]
                self._daemon.put(Opcode.TCP_SEND, self._prefix, part)
                # A bytearray that is looked at cannot be added to.
                part.release()
                batch.at += length
                self._credit -= length
                self.unsent_bytes -= length
            if batch.at == len(batch.data):
                self._unsent.popleft()
                if batch.sent is not None:
                    batch.sent()
        self._is_sending = False

    def _deliver(self, data: memoryview) -> memoryview:
        """Hand over what may be; the rest comes back."""
        handler = self._handler
        if handler is None:
            return data
        for _ in range(MAX_DELIVERIES):
            if not data or self._is_closed or self._is_paused:
                break
            part, data = data[: self._most], data[self._most or len(data) :]
            length = len(part)
            handler.data_received(part)
            self._give_credit(length)
        return data

    def _deliver_soon(self) -> None:
        if self._held and not self._is_scheduled and not self._is_closed:
            self._is_scheduled = True
            self._loop.call_soon(self._deliver_held)

    def _deliver_held(self) -> None:
        self._is_scheduled = False
        if self._held and not self._is_closed and not self._is_paused:
            # One at a time, as from a socket: others have their turn between.
            data = self._held.popleft()
            rest = self._deliver(data)
            if rest and not self._is_closed:
                self._held.appendleft(rest)
        if not self._is_paused:
            self._deliver_soon()
        if self._is_ended and not self._held and not self._is_closed:
            self._lose(self._end)

    def _give_credit(self, length: int) -> None:
        credit = 0 if self._is_closed or self._is_ended else self._window.taken(length)
        if credit:
            self._daemon.put(Opcode.CREDIT, Credit(self.number, credit).encode())

    def _give_back(self) -> None:
        """Nothing more is sent: who lent buffers has them back."""
        self.unsent_bytes = 0
        while self._unsent:
            batch = self._unsent.popleft()
            if batch.sent is not None:
                batch.sent()

    def _lose(self, reason: Exception | None) -> None:
        self._is_closed = True
        self._held.clear()
        self._window.close()
        self._give_back()
        self._forget(self)
        self._loop.call_soon(self._tell_lost, reason)

    def _tell_lost(self, reason: Exception | None) -> None:
        if self._handler is not None:
            self._handler.connection_lost(reason)


def end_reason(status: SocketStatus) -> Exception | None:
    """Why a socket is gone; None if it was closed in order."""
    if not status.status:
        return None
    return OSError(status.errno, status.why) if status.errno else NetworkError(status.why)
