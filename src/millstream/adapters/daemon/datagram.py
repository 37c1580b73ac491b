"""A datagram socket that the daemon holds for us."""

from __future__ import annotations

import struct
from collections.abc import Callable

from millstream.adapters.daemon.binding import bind
from millstream.adapters.daemon.connection import DaemonConnection
from millstream.errors import NetworkError
from millstream.interfaces.network import DatagramHandler
from millstream.io_wire.datagrams import Datagram, datagram_header
from millstream.io_wire.envelope import Opcode
from millstream.io_wire.streams import MAX_HOST_LENGTH, Credit, encode_socket
from millstream.protocol.compact import PeerAddress

# Bytes that wait for the daemon above which datagrams are lost: it does not keep up.
MAX_UNSENT_BYTES = 4 << 20


class DaemonDatagramSocket:
    """Implements `interfaces.network.DatagramSocket`.

    Args:
        daemon: the connection to it.
        address: where it is to be bound; port 0 for any.

    Attributes:
        number: the daemon knows it by this; it changes when the daemon was away.
        address: where it is bound; the port is another one if the old one was taken meanwhile.
        is_closed: whether it was closed.
    """

    def __init__(self, daemon: DaemonConnection, address: PeerAddress) -> None:
        self._daemon = daemon
        self._handler: DatagramHandler | None = None
        self._taken = 0
        self.number = 0
        self.address = address
        self.is_closed = False

    async def open(self, number: int) -> None:
        """Bind it. Raises NetworkError."""
        self.number, self._taken = number, 0
        port = await bind(self._daemon, Opcode.UDP_BIND, number, self.address)
        self.address = PeerAddress(self.address.host, port)
        if self.is_closed:
            self._daemon.put(Opcode.UDP_CLOSE, encode_socket(number))

    async def reopen(self, take_number: Callable[[], int]) -> None:
        """Bind it again, to the same port if it is free. Raises NetworkError."""
        try:
            await self.open(take_number())
        except NetworkError:
            if not self._daemon.is_up:
                raise
            self.address = PeerAddress(self.address.host, 0)
            await self.open(take_number())

    def start(self, handler: DatagramHandler) -> None:
        """Deliver what comes."""
        self._handler = handler

    def send(self, data: bytes, address: PeerAddress) -> None:
        """See `interfaces.network.DatagramSocket`."""
        if self.is_closed or self._daemon.unsent_bytes > MAX_UNSENT_BYTES:
            return
        try:
            header = datagram_header(self.number, address.port, address.host)
        except (UnicodeEncodeError, struct.error):  # no host; no port
            return
        if len(address.host) <= MAX_HOST_LENGTH:
            self._daemon.put(Opcode.UDP_SEND, header, data)

    def close(self) -> None:
        """See `interfaces.network.DatagramSocket`."""
        if not self.is_closed:
            self.is_closed = True
            self._daemon.put(Opcode.UDP_CLOSE, encode_socket(self.number))

    def received(self, datagram: Datagram) -> None:
        """Take UDP_RECV; the view is borrowed."""
        if self.is_closed or self._handler is None:
            return
        self._taken += len(datagram.data)
        if self._taken >= self._daemon.socket_window // 4:
            self._daemon.put(Opcode.CREDIT, Credit(self.number, self._taken).encode())
            self._taken = 0
        self._handler.datagram_received(datagram.data, PeerAddress(datagram.host, datagram.port))
