"""A datagram socket that the daemon holds for us."""

from __future__ import annotations

import struct

from millstream.adapters.daemon.binding import BoundPort
from millstream.adapters.daemon.connection import DaemonConnection
from millstream.interfaces.network import DatagramHandler
from millstream.io_wire.datagrams import Datagram, datagram_header
from millstream.io_wire.envelope import Opcode
from millstream.io_wire.streams import MAX_HOST_LENGTH, Credit
from millstream.protocol.compact import PeerAddress

# Bytes that wait for the daemon above which datagrams are lost: it does not keep up.
MAX_UNSENT_BYTES = 4 << 20


class DaemonDatagramSocket(BoundPort):
    """Implements `interfaces.network.DatagramSocket`.

    Args:
        daemon: the connection to it.
        address: where it is to be bound; port 0 for any.
    """

    def __init__(self, daemon: DaemonConnection, address: PeerAddress) -> None:
        super().__init__(daemon, Opcode.UDP_BIND, address)
        self._handler: DatagramHandler | None = None
        self._taken = 0

    async def open(self, number: int) -> None:
        """See `BoundPort`."""
        self._taken = 0
        await super().open(number)

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

    def received(self, datagram: Datagram) -> None:
        """Take UDP_RECV; the view is borrowed."""
        if self.is_closed or self._handler is None:
            return
        self._taken += len(datagram.data)
        if self._taken >= self._daemon.socket_window // 4:
            self._daemon.put(Opcode.CREDIT, Credit(self.number, self._taken).encode())
            self._taken = 0
        self._handler.datagram_received(datagram.data, PeerAddress(datagram.host, datagram.port))
