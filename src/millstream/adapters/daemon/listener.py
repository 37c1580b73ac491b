"""Ports at which the daemon accepts connections for us, also after it was away."""

from __future__ import annotations

from collections.abc import Callable

from millstream.adapters.daemon.binding import bind
from millstream.adapters.daemon.connection import DaemonConnection
from millstream.errors import NetworkError
from millstream.interfaces.network import Connection, ConnectionHandler
from millstream.io_wire.envelope import Opcode
from millstream.io_wire.streams import encode_socket
from millstream.protocol.compact import PeerAddress


class DaemonListener:
    """Implements `interfaces.network.Listener`.

    Args:
        daemon: the connection to it.
        address: where to listen; port 0 for any.
        accept: makes a handler for who comes.

    Attributes:
        number: the daemon knows it by this; it changes when the daemon was away.
        address: where it listens; the port is another one if the old one was taken meanwhile.
        accept: see above.
        is_closed: whether it was closed.
    """

    def __init__(
        self,
        daemon: DaemonConnection,
        address: PeerAddress,
        accept: Callable[[Connection], ConnectionHandler],
    ) -> None:
        self._daemon = daemon
        self.number = 0
        self.address = address
        self.accept = accept
        self.is_closed = False

    async def open(self, number: int) -> None:
        """Begin to listen. Raises NetworkError."""
        self.number = number
        port = await bind(self._daemon, Opcode.TCP_LISTEN, number, self.address)
        self.address = PeerAddress(self.address.host, port)
        if self.is_closed:
            self._stop()

    async def reopen(self, take_number: Callable[[], int]) -> None:
        """Listen again, at the same port if it is free. Raises NetworkError."""
        try:
            await self.open(take_number())
        except NetworkError:
            if not self._daemon.is_up:
                raise
            self.address = PeerAddress(self.address.host, 0)
            await self.open(take_number())

    def close(self) -> None:
        """See `interfaces.network.Listener`."""
        if not self.is_closed:
            self.is_closed = True
            self._stop()

    def _stop(self) -> None:
        self._daemon.put(Opcode.TCP_STOP_LISTEN, encode_socket(self.number))
