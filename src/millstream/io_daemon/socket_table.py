"""All sockets of one client, by their numbers, and what frames do with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from millstream.errors import MalformedFrameError, NetworkError
from millstream.interfaces.network import Connection, Listener
from millstream.io_daemon.counters import Counters
from millstream.io_daemon.datagram_socket import DatagramSocket
from millstream.io_daemon.outbox import Outbox
from millstream.io_daemon.stream_socket import StreamSocket, connection_failure
from millstream.io_wire.datagrams import Datagram, Membership, datagram_header
from millstream.io_wire.envelope import Frame, Opcode
from millstream.io_wire.streams import (
    FIRST_ACCEPTED,
    FIRST_ACCEPTED_BEFORE_CREDIT,
    Accepted,
    Bound,
    Credit,
    Place,
    Secure,
    Secured,
    SocketData,
    SocketStatus,
    socket_of,
)
from millstream.io_wire.window import WindowRoom
from millstream.protocol.compact import PeerAddress

# Of all kinds together, for one client. The process's limit of descriptors is met before this.
MAX_SOCKETS = 10_000

# Seconds for a connection to be made, all addresses of a name together: the original's.
CONNECT_TIME = 30.0

# Addresses of a name that are tried.
MAX_ADDRESSES = 4

# Seconds to the client and back, and more: it is not known.
ROUND_TRIP = 0.25

_ANYWHERE = "0.0.0.0"  # noqa: S104 - the original's meaning of no address


class Streams(Protocol):
    """What the table needs of a network (`interfaces.network.Network`)."""

    async def connect(
        self, address: PeerAddress, make_handler: Callable[[Connection], StreamSocket]
    ) -> Connection:
        """See `interfaces.network.Network`."""

    async def listen(
        self, address: PeerAddress, accept: Callable[[Connection], StreamSocket]
    ) -> Listener:
        """See `interfaces.network.Network`."""

    async def resolve(self, host: str) -> list[str]:
        """See `interfaces.network.Network`."""


class SocketTable:
    """Carries out the opcodes of sockets.

    Args:
        network: gives streams.
        outbox: to the client.
        counters: what is lent.
        window: bytes that the client takes from each socket before it gives credit; None for a
            client that knows of no credit.
    """

    def __init__(
        self, network: Streams, outbox: Outbox, counters: Counters, window: int | None
    ) -> None:
        self._network = network
        self._outbox = outbox
        self._counters = counters
        self._window = window
        self._room = WindowRoom(asyncio.get_running_loop().time, lambda: ROUND_TRIP)
        self._streams: dict[int, StreamSocket] = {}
        self._connecting: dict[int, asyncio.Task[None]] = {}
        self._listeners: dict[int, Listener | None] = {}
        self._datagrams: dict[int, DatagramSocket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._next_accepted = FIRST_ACCEPTED_BEFORE_CREDIT if window is None else FIRST_ACCEPTED
        self._closed = False
        self.handlers: dict[int, Callable[[Frame], None]] = {
            Opcode.TCP_CONNECT: self._connect,
            Opcode.TCP_SEND: self._send,
            Opcode.TCP_CLOSE: self._close_stream,
            Opcode.TCP_LISTEN: self._listen,
            Opcode.TCP_STOP_LISTEN: self._stop_listen,
            Opcode.TCP_SECURE: self._secure,
            Opcode.CREDIT: self._add_credit,
            Opcode.UDP_BIND: self._bind,
            Opcode.UDP_SEND: self._send_datagram,
            Opcode.UDP_CLOSE: self._close_datagrams,
            Opcode.UDP_JOIN_MULTICAST: self._join,
            Opcode.UDP_LEAVE_MULTICAST: self._leave,
        }

    def update_reading(self) -> None:
        """The outbox is full, or no longer: receive, or do not."""
        for stream in list(self._streams.values()):
            stream.update_reading()
        for datagrams in self._datagrams.values():
            datagrams.set_reading(not self._outbox.is_full)

    def close(self) -> None:
        """Free everything."""
        self._closed = True
        for task in [*self._connecting.values(), *self._tasks]:
            task.cancel()
        for listener in self._listeners.values():
            if listener is not None:
                listener.close()
                self._counters.tcp_servers -= 1
        self._listeners.clear()
        for stream in list(self._streams.values()):
            stream.close()
        for number in list(self._datagrams):
            self._drop_datagrams(number)

    # Streams.

    def _connect(self, frame: Frame) -> None:
        place = Place.parse(frame.payload)
        self._check_free(place.socket)
        task = asyncio.ensure_future(self._connect_in_time(place, frame.request))
        self._connecting[place.socket] = task
        self._counters.pending_connects += 1
        task.add_done_callback(lambda _: self._connected(place.socket))

    def _connected(self, number: int) -> None:
        self._counters.pending_connects -= 1
        del self._connecting[number]

    async def _connect_in_time(self, place: Place, request: int) -> None:
        failure = 0, ""
        try:
            async with asyncio.timeout(CONNECT_TIME):
                failure = await self._connect_to_any(place, request)
        except TimeoutError:
            failure = 0, f"no connection within {CONNECT_TIME:g} s"
        except NetworkError as error:
            failure = connection_failure(error)
        except asyncio.CancelledError:
            self._put_status(Opcode.TCP_CONNECTED, request, place.socket, (0, "it was cancelled"))
            raise
        if failure != (0, ""):
            self._put_status(Opcode.TCP_CONNECTED, request, place.socket, failure)

    async def _connect_to_any(self, place: Place, request: int) -> tuple[int, str]:
        def start(connection: Connection) -> StreamSocket:
            self._outbox.put(Opcode.TCP_CONNECTED, request, SocketStatus(place.socket).encode())
            stream = self._add_stream(place.socket, connection)
            if self._window is None:
                stream.wait_for_client()
            return stream

        failure = 0, "there is no address"
        for host in (await self._network.resolve(_bare(place.host)))[:MAX_ADDRESSES]:
            try:
                await self._network.connect(PeerAddress(host, place.port), start)
            except NetworkError as error:
                failure = connection_failure(error)
            else:
                return 0, ""
        return failure

    def _add_stream(self, number: int, connection: Connection) -> StreamSocket:
        stream = StreamSocket(
            *(number, connection, self._outbox, self._counters),
            *(self._window, self._room, self._drop_stream),
        )
        self._streams[number] = stream
        if self._closed:
            stream.close()
        return stream

    def _drop_stream(self, stream: StreamSocket) -> None:
        if self._streams.get(stream.number) is stream:
            del self._streams[stream.number]

    def _send(self, frame: Frame) -> None:
        number, data = SocketData.parse(frame.payload)
        stream = self._streams.get(number)
        # One that is gone: the client is about to hear of it.
        if stream is not None and data:
            try:
                stream.send(data)
            except NetworkError as error:
                stream.close(connection_failure(error))

    def _close_stream(self, frame: Frame) -> None:
        number = socket_of(frame.payload)
        connecting, stream = self._connecting.get(number), self._streams.get(number)
        if connecting is not None:
            connecting.cancel()
        if stream is not None:
            stream.close()

    def _secure(self, frame: Frame) -> None:
        asked = Secure.parse(frame.payload)
        stream = self._streams.get(asked.socket)
        why = f"there is no socket {asked.socket}"
        if stream is not None:
            try:
                stream.secure(frame.request, asked.host, skips_validation=asked.skips_validation)
            except NetworkError as error:
                why = str(error)
            else:
                return
        answer = Secured(asked.socket, 1, why).encode()
        self._outbox.put(Opcode.TCP_SECURED, frame.request, answer)

    def _add_credit(self, frame: Frame) -> None:
        number, length = Credit.parse(frame.payload)
        stream, datagrams = self._streams.get(number), self._datagrams.get(number)
        if stream is not None:
            stream.add_credit(length)
        if datagrams is not None:
            datagrams.add_credit(length)
            datagrams.set_reading(not self._outbox.is_full)

    # Listeners.

    def _listen(self, frame: Frame) -> None:
        place = Place.parse(frame.payload)
        self._check_free(place.socket, listener=True)
        self._listeners[place.socket] = None
        task = asyncio.ensure_future(self._start_listening(place, frame.request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start_listening(self, place: Place, request: int) -> None:
        number = place.socket

        def accept(connection: Connection) -> StreamSocket:
            accepted, self._next_accepted = self._next_accepted, self._next_accepted + 1
            host, port = connection.remote
            told = Accepted(number, accepted, port, host)
            self._outbox.put(Opcode.TCP_ACCEPT, 0, told.encode())
            stream = self._add_stream(accepted, connection)
            if self._count() > MAX_SOCKETS:
                stream.close((0, f"more than {MAX_SOCKETS} sockets"))
            return stream

        try:
            address = PeerAddress(_bare(place.host) or _ANYWHERE, place.port)
            listener = await self._network.listen(address, accept)
        except NetworkError as error:
            del self._listeners[number]
            self._put_bound(Opcode.TCP_LISTEN_RESULT, request, number, 0, error)
            return
        if number not in self._listeners:  # the client has thought better of it
            listener.close()
            return
        self._listeners[number] = listener
        self._counters.tcp_servers += 1
        self._put_bound(Opcode.TCP_LISTEN_RESULT, request, number, listener.address.port)

    def _stop_listen(self, frame: Frame) -> None:
        number = socket_of(frame.payload)
        listener = self._listeners.pop(number, None)
        if listener is not None:
            listener.close()
            self._counters.tcp_servers -= 1

    # Datagrams.

    def _bind(self, frame: Frame) -> None:
        place = Place.parse(frame.payload)
        self._check_free(place.socket)
        address = PeerAddress(_bare(place.host) or _ANYWHERE, place.port)
        try:
            bound = DatagramSocket(place.socket, address, self._received, self._window)
        except NetworkError as error:
            self._put_bound(Opcode.UDP_BOUND, frame.request, place.socket, 0, error)
            return
        self._datagrams[place.socket] = bound
        self._counters.udp_sockets += 1
        self._put_bound(Opcode.UDP_BOUND, frame.request, place.socket, bound.address.port)
        bound.set_reading(not self._outbox.is_full)

    def _received(self, bound: DatagramSocket, data: memoryview, address: PeerAddress) -> None:
        self._counters.bytes_received += len(data)
        header = datagram_header(bound.number, address.port, address.host)
        self._outbox.put(Opcode.UDP_RECV, 0, header, data)

    def _send_datagram(self, frame: Frame) -> None:
        datagram = Datagram.parse(frame.payload)
        bound = self._datagrams.get(datagram.socket)
        address = PeerAddress(datagram.host, datagram.port)
        if bound is not None and bound.send(datagram.data, address):
            self._counters.bytes_sent += len(datagram.data)

    def _close_datagrams(self, frame: Frame) -> None:
        self._drop_datagrams(socket_of(frame.payload))

    def _drop_datagrams(self, number: int) -> None:
        bound = self._datagrams.pop(number, None)
        if bound is not None:
            bound.close()
            self._counters.udp_sockets -= 1

    def _join(self, frame: Frame, *, leave: bool = False) -> None:
        number, group = Membership.parse(frame.payload)
        bound = self._datagrams.get(number)
        if bound is not None:
            bound.join(group, leave=leave)

    def _leave(self, frame: Frame) -> None:
        self._join(frame, leave=True)

    # Within.

    def _count(self) -> int:
        return (
            len(self._streams) + len(self._connecting) + len(self._listeners) + len(self._datagrams)
        )

    def _check_free(self, number: int, *, listener: bool = False) -> None:
        """Raise MalformedFrameError if the client cannot have a socket of this number."""
        taken = (
            number in self._listeners
            if listener
            else number in self._streams or number in self._connecting or number in self._datagrams
        )
        if taken:
            raise MalformedFrameError(f"socket {number} is there already")
        if self._window is not None and number >= FIRST_ACCEPTED:
            raise MalformedFrameError(f"socket {number} is one of the server's numbers")
        if self._count() >= MAX_SOCKETS:
            raise MalformedFrameError(f"there are {MAX_SOCKETS} sockets already")

    def _put_status(
        self, opcode: Opcode, request: int, number: int, failure: tuple[int, str]
    ) -> None:
        status = SocketStatus(number, 1, *failure)
        self._outbox.put(opcode, request, status.encode())

    def _put_bound(
        self,
        opcode: Opcode,
        request: int,
        number: int,
        port: int,
        error: NetworkError | None = None,
    ) -> None:
        failure = (0, "") if error is None else connection_failure(error)
        bound = Bound(number, int(error is not None), port, *failure)
        self._outbox.put(opcode, request, bound.encode())


def _bare(host: str) -> str:
    """A host without the brackets that some put around an IPv6 address."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host
