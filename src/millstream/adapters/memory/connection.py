"""A simulated connection: the engine's side of two streams."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from millstream.adapters.memory.stream import Stream
from millstream.errors import NetworkError
from millstream.interfaces.network import Buffer, Connection, ConnectionHandler
from millstream.protocol.compact import PeerAddress


class MemoryConnection:
    """One end of a connection; implements `interfaces.network.Connection`.

    `receive_buffer` is shared by all connections of a network: a handler that keeps a borrowed view
    finds other bytes in it soon, here as with a native adapter.
    """

    __slots__ = (
        "_blocked",
        "_closed",
        "_forget",
        "_handing_over",
        "_handler",
        "_incoming",
        "_lost",
        "_outgoing",
        "_paused",
        "_reading",
        "_receive_buffer",
        "_remote",
        "_shared_buffer",
        "_unsent",
        "_unsent_bytes",
    )

    def __init__(
        self,
        remote: PeerAddress,
        outgoing: Stream,
        incoming: Stream,
        receive_buffer: memoryview,
        forget: Callable[[MemoryConnection], None],
    ) -> None:
        self._remote = remote
        self._outgoing = outgoing
        self._incoming = incoming
        self._shared_buffer = receive_buffer
        self._receive_buffer = receive_buffer  # as much of it as one receive may fill
        self._forget = forget
        self._handler: ConnectionHandler | None = None
        self._unsent: deque[tuple[memoryview, Callable[[], None] | None]] = deque()
        self._unsent_bytes = 0
        self._blocked = False  # a write did not fit: output_drained is owed
        self._handing_over = False
        self._paused = False
        self._reading = False
        self._closed = False
        self._lost = False

    def open(self, make_handler: Callable[[Connection], ConnectionHandler]) -> None:
        """Ask for the handler; what arrived before is delivered then."""
        self._handler = make_handler(self)
        self._read_soon()

    @property
    def remote(self) -> PeerAddress:
        """Where the peer is."""
        return self._remote

    @property
    def is_closed(self) -> bool:
        """Whether either side closed; `connection_lost` may still be on its way."""
        return self._closed

    # Sending

    @property
    def unsent_bytes(self) -> int:
        """How many bytes wait for room in the window."""
        return self._unsent_bytes

    def write(self, data: bytes) -> None:
        """Send, after everything written before."""
        if self._closed or not data:
            return
        if not self._unsent and len(data) <= self._outgoing.room:
            self._outgoing.put(data)
            return
        self._keep(data, None)
        self._hand_over()

    def write_many(self, buffers: Sequence[Buffer], sent: Callable[[], None] | None = None) -> None:
        """Send the buffers in order; `sent` is called once, when they are no longer needed."""
        if self._closed:
            if sent is not None:
                sent()
            return
        for buffer in buffers:
            self._keep(buffer, None)
        if sent is not None:
            self._keep(b"", sent)
        self._hand_over()

    def _keep(self, buffer: Buffer, sent: Callable[[], None] | None) -> None:
        view = memoryview(buffer).cast("B")
        self._unsent.append((view, sent))
        self._unsent_bytes += len(view)

    def _hand_over(self) -> None:
        # `sent` may write again: then the loop that runs already goes on, instead of recursion.
        if self._handing_over:
            return
        self._handing_over = True
        try:
            self._fill_window()
        finally:
            self._handing_over = False
        if self._unsent_bytes:
            self._blocked = True
        elif self._blocked:
            self._blocked = False
            asyncio.get_running_loop().call_soon(self._report_drained)

    def _fill_window(self) -> None:
        while self._unsent:
            view, sent = self._unsent[0]
            room = self._outgoing.room
            if len(view) > room:
                if room:
                    self._unsent[0] = (view[room:], sent)
                    self._send(view[:room])
                return
            self._unsent.popleft()
            if view:
                self._send(view)
            if sent is not None:
                sent()

    def _send(self, view: memoryview) -> None:
        self._unsent_bytes -= len(view)
        # The lender may change its buffer once it is sent; only bytes never change.
        self._outgoing.put(view if isinstance(view.obj, bytes) else bytes(view))

    def room_made(self) -> None:
        """Go on sending: the peer consumed something."""
        if self._unsent:
            self._hand_over()

    def _report_drained(self) -> None:
        if self._handler is not None and not self._closed and not self._blocked:
            self._handler.output_drained()

    # Receiving

    def pause_reading(self) -> None:
        """Stop calling `data_received`; the window fills, then the peer's sending stops."""
        self._paused = True

    def resume_reading(self) -> None:
        """Undo `pause_reading`."""
        if self._paused:
            self._paused = False
            self._read_soon()

    def limit_receive(self, most: int | None) -> None:
        """Bring at most so many bytes by one `data_received`; None: as many as come."""
        self._receive_buffer = self._shared_buffer[:most]

    def _read_soon(self) -> None:
        if not self._closed:
            asyncio.get_running_loop().call_soon(self.read)

    def read(self) -> None:
        """Give the handler what arrived, as far as it wants it."""
        handler = self._handler
        if handler is None or self._reading:
            return
        while not self._paused and not self._closed and self._incoming.is_online:
            length = self._incoming.read_into(self._receive_buffer)
            if not length:
                if self._incoming.is_at_end:
                    self._close(None)
                return
            self._give(handler, self._receive_buffer[:length])
            self._incoming.consumed(length)

    def _give(self, handler: ConnectionHandler, view: memoryview) -> None:
        self._reading = True
        try:
            handler.data_received(view)
        except Exception as error:  # noqa: BLE001  as asyncio does: the loop hears, the peer goes
            asyncio.get_running_loop().call_exception_handler(
                {"message": "data_received() failed", "exception": error}
            )
            self.reset(error)
        finally:
            self._reading = False
            view.release()

    # The end

    def close(self) -> None:
        """Close now, dropping what is unsent; what is in flight still arrives."""
        if not self._closed:
            self._outgoing.end()
            self._close(None)

    def reset(self, reason: Exception | None = None) -> None:
        """Break the connection: both sides lose it with an error, nothing in flight arrives."""
        if not self._closed:
            self._outgoing.reset()
            self._close(reason or NetworkError("connection reset"))

    def be_reset(self) -> None:
        """Lose the connection because the other side broke it."""
        if not self._closed:
            self._close(NetworkError("connection reset by peer"))

    def _close(self, reason: Exception | None) -> None:
        self._closed = True
        self._unsent_bytes = 0
        asyncio.get_running_loop().call_soon(self._lose, reason)

    def _lose(self, reason: Exception | None) -> None:
        if self._lost:
            return
        self._lost = True
        self._forget(self)
        self._incoming.drop_arrived()
        unsent, self._unsent = self._unsent, deque()
        for _, sent in unsent:
            if sent is not None:
                sent()
        if self._handler is not None:
            self._handler.connection_lost(reason)

    def catch_up(self) -> None:
        """Learn what happened while one of the hosts was offline."""
        asyncio.get_running_loop().call_soon(self._incoming.catch_up)
