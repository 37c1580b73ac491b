"""Ports at which the daemon accepts connections for us, also after it was away."""

from __future__ import annotations

from collections.abc import Callable

from millstream.adapters.daemon.binding import BoundPort
from millstream.adapters.daemon.connection import DaemonConnection
from millstream.interfaces.network import Connection, ConnectionHandler
from millstream.io_wire.envelope import Opcode
from millstream.protocol.compact import PeerAddress


class DaemonListener(BoundPort):
    """Implements `interfaces.network.Listener`.

    Args:
        daemon: the connection to it.
        address: where to listen; port 0 for any.
        accept: makes a handler for who comes.

    Attributes:
        accept: see above.
    """

    def __init__(
        self,
        daemon: DaemonConnection,
        address: PeerAddress,
        accept: Callable[[Connection], ConnectionHandler],
    ) -> None:
        super().__init__(daemon, Opcode.TCP_LISTEN, address)
        self.accept = accept
