"""TCP over non-blocking sockets on the asyncio loop.

Sockets are driven directly rather than by asyncio's transports: every connection of a loop receives
into one shared buffer, and writes are vectored on every supported Python (transports join buffers
before 3.12).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable, Sequence

from millstream.adapters.native.sockets import (
    address_family,
    bind_listening_socket,
    peer_address,
    tune,
)
from millstream.errors import NetworkError
from millstream.interfaces.network import Buffer, Connection, ConnectionHandler, Listener
from millstream.protocol.compact import PeerAddress

# One receive buffer serves all connections of a loop: data is decoded before the next receive.
# 128 KiB stays in the second-level cache while its blocks are copied out (docs/performance.md).
RECEIVE_BUFFER_LENGTH = 128 << 10

# Buffers of one vectored send; Linux takes 1024 (IOV_MAX).
MAX_SEND_BUFFERS = 512

# Accepted in one go before other events get their turn.
MAX_ACCEPTS = 64

SentCallback = Callable[[], None]


class NativeConnection:
    """A connected socket: implements `interfaces.network.Connection`."""

    __slots__ = (
        "_closed",
        "_descriptor",
        "_handler",
        "_loop",
        "_paused",
        "_reading",
        "_receive_buffer",
        "_sending",
        "_socket",
        "_unsent",
        "_writing",
        "remote",
        "unsent_bytes",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connected: socket.socket,
        remote: PeerAddress,
        receive_buffer: memoryview,
    ) -> None:
        self._loop = loop
        self._socket = connected
        self._descriptor = connected.fileno()
        self._receive_buffer = receive_buffer
        self._handler: ConnectionHandler | None = None
        self._unsent: deque[memoryview | SentCallback] = deque()
        self._reading = self._writing = self._sending = self._closed = False
        self._paused = False
        self.remote = remote
        self.unsent_bytes = 0

    def start(self, handler: ConnectionHandler) -> None:
        """Begin to read, unless the handler closed or paused it already."""
        self._handler = handler
        if not self._paused:
            self.resume_reading()

    def write(self, data: bytes) -> None:
        """See `interfaces.network.Connection`."""
        if self._closed:
            return
        if not self._unsent:
            try:
                sent = self._socket.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError as error:
                self._lose(error)
                return
            if sent == len(data):
                return
            data = data[sent:]
        self._keep(memoryview(data))
        self._wait_writable()

    def write_many(self, buffers: Sequence[Buffer], sent: SentCallback | None = None) -> None:
        """See `interfaces.network.Connection`."""
        if self._closed:
            if sent is not None:
                self._loop.call_soon(sent)
            return
        idle = not self._unsent
        for buffer in buffers:
            self._keep(memoryview(buffer))
        if sent is not None:
            self._unsent.append(sent)
        # Whoever is sending already, and called `sent`, sends this too.
        if idle and not self._sending and self._send_unsent():
            self._wait_writable()

    def pause_reading(self) -> None:
        """See `interfaces.network.Connection`."""
        self._paused = True
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._descriptor)

    def resume_reading(self) -> None:
        """See `interfaces.network.Connection`."""
        self._paused = False
        if not self._reading and not self._closed and self._handler is not None:
            self._reading = True
            self._loop.add_reader(self._descriptor, self._readable)

    def close(self) -> None:
        """See `interfaces.network.Connection`."""
        self._lose(None)

    def _readable(self) -> None:
        buffer = self._receive_buffer
        try:
            length = self._socket.recv_into(buffer)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(error)
            return
        if length:
            self._handler.data_received(buffer[:length])  # type: ignore[union-attr]
        else:
            self._lose(None)

    def _writable(self) -> None:
        if not self._send_unsent() and not self._closed:
            self._writing = False
            self._loop.remove_writer(self._descriptor)
            if self._handler is not None:
                self._handler.output_drained()

    def _send_unsent(self) -> bool:
        """Send what the kernel takes; whether something is left."""
        self._sending = True
        try:
            return self._send_all()
        finally:
            self._sending = False

    def _send_all(self) -> bool:
        unsent = self._unsent
        while unsent:
            batch = [part for part in _first(unsent) if isinstance(part, memoryview)]
            try:
                sent = self._socket.sendmsg(batch) if batch else 0
            except (BlockingIOError, InterruptedError):
                return True
            except OSError as error:
                self._lose(error)
                return False
            self.unsent_bytes -= sent
            if not self._drop_sent(sent):
                return True
        return False

    def _drop_sent(self, sent: int) -> bool:
        """Take `sent` bytes off the front; whether the last send took all that it was given."""
        unsent = self._unsent
        for _ in range(min(len(unsent), MAX_SEND_BUFFERS)):
            part = unsent[0]
            if isinstance(part, memoryview):
                length = len(part)
                if sent < length:
                    unsent[0] = part[sent:]
                    return False
                sent -= length
                unsent.popleft()
            else:
                unsent.popleft()
                part()
                if self._closed:
                    return False
        return True

    def _keep(self, view: memoryview) -> None:
        self._unsent.append(view)
        self.unsent_bytes += len(view)

    def _wait_writable(self) -> None:
        if not self._writing and not self._closed:
            self._writing = True
            self._loop.add_writer(self._descriptor, self._writable)

    def _lose(self, reason: Exception | None) -> None:
        if self._closed:
            return
        self._closed = True
        self.pause_reading()
        if self._writing:
            self._loop.remove_writer(self._descriptor)
        self._socket.close()
        self.unsent_bytes = 0
        while self._unsent:
            part = self._unsent.popleft()
            if not isinstance(part, memoryview):
                part()
        self._loop.call_soon(self._tell_lost, reason)

    def _tell_lost(self, reason: Exception | None) -> None:
        if self._handler is not None:
            self._handler.connection_lost(reason)


def _first(unsent: deque[memoryview | SentCallback]) -> list[memoryview | SentCallback]:
    """The parts that one send takes at most."""
    if len(unsent) <= MAX_SEND_BUFFERS:
        return list(unsent)
    return [unsent[number] for number in range(MAX_SEND_BUFFERS)]


class NativeListener:
    """A listening socket: implements `interfaces.network.Listener`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listening: socket.socket,
        accepted: Callable[[socket.socket, PeerAddress], None],
    ) -> None:
        self._loop = loop
        self._socket = listening
        self._accepted = accepted
        self.address = peer_address(listening.getsockname())
        loop.add_reader(listening.fileno(), self._readable)

    def close(self) -> None:
        """See `interfaces.network.Listener`."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _readable(self) -> None:
        for _ in range(MAX_ACCEPTS):
            try:
                connected, name = self._socket.accept()
            except OSError:  # nothing more to accept, or the peer went, or no descriptor is left
                return
            self._accepted(connected, peer_address(name))


class NativeNetwork:
    """The machine's network: implements `interfaces.network.Network`."""

    def __init__(self) -> None:
        self._receive_buffer = memoryview(bytearray(RECEIVE_BUFFER_LENGTH))

    async def connect(
        self, address: PeerAddress, make_handler: Callable[[Connection], ConnectionHandler]
    ) -> NativeConnection:
        """See `interfaces.network.Network`."""
        loop = asyncio.get_running_loop()
        connecting = socket.socket(address_family(address), socket.SOCK_STREAM)
        try:
            connecting.setblocking(False)
            await loop.sock_connect(connecting, tuple(address))
            tune(connecting)
        except OSError as error:
            connecting.close()
            raise NetworkError(f"{address}: {error.strerror or error}") from error
        except BaseException:
            connecting.close()
            raise
        return self._start(loop, connecting, address, make_handler)

    async def listen(
        self, address: PeerAddress, accept: Callable[[Connection], ConnectionHandler]
    ) -> Listener:
        """See `interfaces.network.Network`."""
        loop = asyncio.get_running_loop()
        try:
            listening = bind_listening_socket(address)
        except OSError as error:
            raise NetworkError(f"cannot listen at {address}: {error.strerror}") from error

        def accepted(connected: socket.socket, remote: PeerAddress) -> None:
            connected.setblocking(False)
            with contextlib.suppress(OSError):
                tune(connected)
            self._start(loop, connected, remote, accept)

        return NativeListener(loop, listening, accepted)

    def _start(
        self,
        loop: asyncio.AbstractEventLoop,
        connected: socket.socket,
        remote: PeerAddress,
        make_handler: Callable[[Connection], ConnectionHandler],
    ) -> NativeConnection:
        connection = NativeConnection(loop, connected, remote, self._receive_buffer)
        connection.start(make_handler(connection))
        return connection
