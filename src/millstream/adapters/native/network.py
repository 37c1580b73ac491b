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

from millstream.adapters.native.datagram import open_datagram_socket
from millstream.adapters.native.resolver import Resolver
from millstream.adapters.native.sockets import (
    address_family,
    bind_listening_socket,
    peer_address,
    tune,
)
from millstream.errors import NetworkError
from millstream.interfaces.network import (
    Buffer,
    Connection,
    ConnectionHandler,
    DatagramHandler,
    DatagramSocket,
    Listener,
)
from millstream.protocol.compact import PeerAddress

# One receive buffer serves all connections of a loop: data is decoded before the next receive.
# Larger ones save turns of the loop, and only the part that was filled touches the cache; figures
# in docs/performance.md.
RECEIVE_BUFFER_LENGTH = 512 << 10

# Buffers of one vectored send; Linux takes 1024 (IOV_MAX).
MAX_SEND_BUFFERS = 512

# Messages joined while a connection cannot send.
MAX_JOINED_LENGTH = 64 << 10

# Seconds without accepting when the process has no descriptor left for it.
ACCEPT_PAUSE = 1.0

# Accepted in one go before other events get their turn.
MAX_ACCEPTS = 64

SentCallback = Callable[[], None]


class _Batch:
    """What one `write_many` is to send, and how far that got. `unsent` counts bytes."""

    __slots__ = ("_at", "_buffers", "_within", "sent", "unsent")

    def __init__(self, buffers: Sequence[Buffer], sent: SentCallback | None) -> None:
        self._buffers = buffers
        self._at = 0  # the first buffer that is not wholly sent
        self._within = 0  # and how much of it is
        self.unsent = sum(map(len, buffers))
        self.sent = sent

    def join(self, data: bytes) -> bool:
        """Take more to send, if this is a lone small buffer of which nothing was sent yet."""
        if len(self._buffers) != 1 or self.sent is not None:
            return False
        last = self._buffers[0]
        if len(last) + len(data) > MAX_JOINED_LENGTH:
            return False
        joined = last if isinstance(last, bytearray) else bytearray(last)
        joined += data
        self._buffers = (joined,)
        self.unsent += len(data)
        return True

    def next_buffers(self) -> Sequence[Buffer]:
        """As many of the unsent buffers as one call takes."""
        if not self._within and len(self._buffers) <= MAX_SEND_BUFFERS:
            return self._buffers[self._at :] if self._at else self._buffers
        rest = list(self._buffers[self._at : self._at + MAX_SEND_BUFFERS])
        rest[0] = memoryview(rest[0])[self._within :]
        return rest

    def advance(self, sent: int) -> None:
        """So many bytes were taken."""
        self.unsent -= sent
        if not self.unsent:
            return
        sent += self._within
        at, buffers = self._at, self._buffers
        while sent >= (length := len(buffers[at])):
            sent -= length
            at += 1
        self._at, self._within = at, sent


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
        "_shared_buffer",
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
        self._shared_buffer = receive_buffer
        self._receive_buffer = receive_buffer  # as much of it as one receive may fill
        self._handler: ConnectionHandler | None = None
        self._unsent: deque[_Batch] = deque()
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
        # Small messages that cannot leave yet are joined: each alone would cost ten times its size.
        if len(self._unsent) > 1 and self._unsent[-1].join(data):
            self.unsent_bytes += len(data)
        else:
            self.write_many((data,))

    def write_many(self, buffers: Sequence[Buffer], sent: SentCallback | None = None) -> None:
        """See `interfaces.network.Connection`."""
        if self._closed:
            if sent is not None:
                self._loop.call_soon(sent)
            return
        batch = _Batch(buffers, sent)
        self.unsent_bytes += batch.unsent
        self._unsent.append(batch)
        # Whoever is sending already, and called `sent`, sends this too.
        if len(self._unsent) == 1 and not self._sending and self._send_unsent():
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

    def limit_receive(self, most: int | None) -> None:
        """See `interfaces.network.Connection`."""
        self._receive_buffer = self._shared_buffer[:most]

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
            while self._unsent:
                batch = self._unsent[0]
                while batch.unsent:
                    sent = self._socket.sendmsg(batch.next_buffers())
                    self.unsent_bytes -= sent
                    batch.advance(sent)
                self._unsent.popleft()
                if batch.sent is not None:
                    batch.sent()
        except (BlockingIOError, InterruptedError):
            return True
        except OSError as error:
            self._lose(error)
        finally:
            self._sending = False
        return False

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
            batch = self._unsent.popleft()
            if batch.sent is not None:
                batch.sent()
        self._loop.call_soon(self._tell_lost, reason)

    def _tell_lost(self, reason: Exception | None) -> None:
        if self._handler is not None:
            self._handler.connection_lost(reason)


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
        self._listen()

    def close(self) -> None:
        """See `interfaces.network.Listener`."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _listen(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket.fileno(), self._readable)

    def _readable(self) -> None:
        for _ in range(MAX_ACCEPTS):
            try:
                connected, name = self._socket.accept()
            except BlockingIOError:
                return
            except ConnectionError:  # the peer went while it waited
                continue
            except OSError:  # no descriptor is left: asking again at once would get the same answer
                self._loop.remove_reader(self._socket.fileno())
                self._loop.call_later(ACCEPT_PAUSE, self._listen)
                return
            self._accepted(connected, peer_address(name))


class NativeNetwork:
    """The machine's network: implements `interfaces.network.Network`."""

    def __init__(self) -> None:
        self._receive_buffer = memoryview(bytearray(RECEIVE_BUFFER_LENGTH))
        self._resolver = Resolver()

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

    async def open_datagram(
        self, address: PeerAddress, make_handler: Callable[[DatagramSocket], DatagramHandler]
    ) -> DatagramSocket:
        """See `interfaces.network.Network`."""
        return open_datagram_socket(asyncio.get_running_loop(), address, make_handler)

    async def resolve(self, host: str) -> list[str]:
        """See `interfaces.network.Network`."""
        return await self._resolver.resolve(host)

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
