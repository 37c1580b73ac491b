"""Sockets of the daemon's machine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from typing import Any, TypeAlias

from millstream.adapters.daemon.calls import DaemonCalls, RefusedCallError
from millstream.adapters.daemon.connection import DaemonConnection
from millstream.adapters.daemon.datagram import DaemonDatagramSocket
from millstream.adapters.daemon.listener import DaemonListener
from millstream.adapters.daemon.request import FutureRequest
from millstream.adapters.daemon.stream import DaemonStream, end_reason
from millstream.errors import NetworkError
from millstream.interfaces.network import (
    Connection,
    ConnectionHandler,
    DatagramHandler,
    DatagramSocket,
    Listener,
)
from millstream.io_wire.datagrams import Datagram
from millstream.io_wire.envelope import Frame, Opcode
from millstream.io_wire.streams import (
    FIRST_ACCEPTED,
    Accepted,
    Credit,
    Place,
    Secure,
    Secured,
    SocketData,
    SocketStatus,
    encode_socket,
)
from millstream.io_wire.window import Window, WindowRoom
from millstream.logging.component_logger import component_logger
from millstream.protocol.compact import PeerAddress

# A busy daemon is not quicker than this, whatever its round trip was when nothing went on.
MIN_ROUND_TRIP = 0.02

_Port: TypeAlias = DaemonListener | DaemonDatagramSocket

_LOG = component_logger("io_daemon")


class DaemonNetwork:
    """Implements `interfaces.network.Network`.

    Listeners and datagram sockets come back when the daemon was away; streams do not.

    Args:
        daemon: the connection to it.
    """

    def __init__(self, daemon: DaemonConnection) -> None:
        self._daemon = daemon
        self._calls = DaemonCalls(daemon)
        self._last_number = 0
        self._streams: dict[int, DaemonStream] = {}
        self._listeners: dict[int, DaemonListener] = {}
        self._datagrams: dict[int, DaemonDatagramSocket] = {}
        self._reopening: set[asyncio.Task[None]] = set()
        self._room: WindowRoom | None = None
        daemon.observe(self)
        daemon.handle(Opcode.TCP_RECV, self._received)
        daemon.handle(Opcode.TCP_CLOSE, self._closed)
        daemon.handle(Opcode.TCP_ACCEPT, self._accepted)
        daemon.handle(Opcode.CREDIT, self._credited)
        daemon.handle(Opcode.UDP_RECV, self._datagram)

    async def connect(
        self, address: PeerAddress, make_handler: Callable[[Connection], ConnectionHandler]
    ) -> DaemonStream:
        """See `interfaces.network.Network`."""
        await self._daemon.ready()
        number = self._next_number()

        def understand(frame: Frame) -> DaemonStream:
            status = SocketStatus.parse(frame.payload)
            if status.status:
                # asyncio's words for it, which the daemon tells, say less than the number.
                why = os.strerror(status.errno) if status.errno else status.why
                raise NetworkError(f"{address}: {why or 'no connection'}")
            # Now, and not when we wake up: data may follow in the same message.
            return self._add(number, address)

        request = FutureRequest(understand)
        self._daemon.ask(
            request, Opcode.TCP_CONNECT, [Place(number, address.port, address.host).encode()]
        )
        try:
            stream = await request.done
        except asyncio.CancelledError:
            if request.value is not None:
                request.value.close()
            else:
                self._daemon.put(Opcode.TCP_CLOSE, encode_socket(number))
            raise
        try:
            stream.start(make_handler(stream))
        except BaseException:
            stream.close()
            raise
        return stream

    async def listen(
        self, address: PeerAddress, accept: Callable[[Connection], ConnectionHandler]
    ) -> Listener:
        """See `interfaces.network.Network`."""
        await self._daemon.ready()
        listener = DaemonListener(self._daemon, address, accept)
        try:
            await listener.open(self._take_number(listener))
        except BaseException:
            self._drop(listener)
            raise
        return listener

    async def open_datagram(
        self, address: PeerAddress, make_handler: Callable[[DatagramSocket], DatagramHandler]
    ) -> DatagramSocket:
        """See `interfaces.network.Network`."""
        await self._daemon.ready()
        opened = DaemonDatagramSocket(self._daemon, address)
        try:
            await opened.open(self._take_number(opened))
            opened.start(make_handler(opened))
        except BaseException:
            self._drop(opened)
            raise
        return opened

    async def resolve(self, host: str) -> list[str]:
        """See `interfaces.network.Network`."""
        try:
            return [str(ip_address(host))]
        except ValueError:
            pass
        try:
            answer = await self._calls.call("resolve", host=host)
        except RefusedCallError as error:
            raise NetworkError(str(error) if host in str(error) else f"{host}: {error}") from error
        return [str(address) for address in answer["addresses"]]

    async def secure(self, stream: Connection, host: str) -> None:
        """Go on with TLS on a stream; until then nothing may be written.

        Args:
            stream: one of this network's.
            host: whose certificate is expected.

        Raises:
            NetworkError: there is no TLS, or not with that host.
        """
        if not isinstance(stream, DaemonStream):
            raise TypeError("the stream is of another network")
        request = FutureRequest(lambda frame: Secured.parse(frame.payload))
        asked = Secure(stream.number, host).encode()
        self._daemon.ask(request, Opcode.TCP_SECURE, [asked])
        secured = await request.done
        if secured.status:
            raise NetworkError(secured.why or "there is no TLS")

    # Of the daemon: `connection.Observer`, and frames.

    def daemon_lost(self, error: NetworkError) -> None:
        """See `connection.Observer`."""
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.ended(error)

    def daemon_found(self) -> None:
        """See `connection.Observer`."""
        ports: list[_Port] = [*self._listeners.values(), *self._datagrams.values()]
        self._listeners, self._datagrams = {}, {}
        for each in ports:
            if each.is_closed:
                continue
            task = asyncio.ensure_future(self._reopen(each))
            self._reopening.add(task)
            task.add_done_callback(self._reopening.discard)

    async def _reopen(self, lost: _Port) -> None:
        try:
            await lost.reopen(partial(self._take_number, lost))
        except NetworkError as error:
            _LOG.warning("after the io-daemon was away: %s", error)

    def _received(self, frame: Frame) -> None:
        number, data = SocketData.parse(frame.payload)
        stream = self._streams.get(number)
        if stream is not None and data:
            stream.received(data)

    def _closed(self, frame: Frame) -> None:
        status = SocketStatus.parse(frame.payload)
        stream = self._streams.get(status.socket)
        if stream is not None:
            stream.ended(end_reason(status))

    def _credited(self, frame: Frame) -> None:
        number, length = Credit.parse(frame.payload)
        stream = self._streams.get(number)
        if stream is not None:
            stream.add_credit(length)

    def _accepted(self, frame: Frame) -> None:
        accepted = Accepted.parse(frame.payload)
        listener = self._listeners.get(accepted.listener)
        if listener is None or listener.is_closed:
            self._daemon.put(Opcode.TCP_CLOSE, encode_socket(accepted.socket))
            return
        stream = self._add(accepted.socket, PeerAddress(accepted.host, accepted.port))
        stream.start(listener.accept(stream))

    def _datagram(self, frame: Frame) -> None:
        datagram = Datagram.parse(frame.payload)
        opened = self._datagrams.get(datagram.socket)
        if opened is not None:
            opened.received(datagram)

    # Within.

    def _add(self, number: int, remote: PeerAddress) -> DaemonStream:
        """The daemon has connected a socket."""
        if self._room is None:
            loop = asyncio.get_running_loop()
            self._room = WindowRoom(loop.time, self._round_trip)
        credit = self._daemon.hello.socket_window
        window = Window(self._room)
        stream = DaemonStream(self._daemon, number, remote, credit, window, self._forget)
        self._streams[number] = stream
        return stream

    def _forget(self, stream: DaemonStream) -> None:
        if self._streams.get(stream.number) is stream:
            del self._streams[stream.number]

    def _take_number(self, opening: _Port) -> int:
        """A number for a port, under which it is found from now on, and under no other."""
        self._drop(opening)
        number = self._next_number()
        if isinstance(opening, DaemonListener):
            self._listeners[number] = opening
        else:
            self._datagrams[number] = opening
        return number

    def _drop(self, opening: _Port) -> None:
        """Forget a port, and those that were closed."""
        tables: tuple[dict[int, Any], ...] = self._listeners, self._datagrams
        for table in tables:
            for number in [n for n, each in table.items() if each is opening or each.is_closed]:
                del table[number]

    def _next_number(self) -> int:
        """One that is not in use; after two thousand million of them they begin anew."""
        while True:
            self._last_number = self._last_number % (FIRST_ACCEPTED - 1) + 1
            tables = (self._streams, self._listeners, self._datagrams)
            if not any(self._last_number in table for table in tables):
                return self._last_number

    def _round_trip(self) -> float:
        return max(MIN_ROUND_TRIP, self._daemon.round_trip)
