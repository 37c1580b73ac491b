"""A port of the daemon's own, of TCP or UDP: asked for, and again after the daemon was away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from millstream.adapters.daemon.connection import DaemonConnection
from millstream.adapters.daemon.request import FutureRequest
from millstream.errors import NetworkError
from millstream.io_wire.envelope import Frame, Opcode
from millstream.io_wire.streams import Bound, Place, encode_socket
from millstream.protocol.compact import PeerAddress

_UNDO = {Opcode.TCP_LISTEN: Opcode.TCP_STOP_LISTEN, Opcode.UDP_BIND: Opcode.UDP_CLOSE}


async def bind(daemon: DaemonConnection, opcode: Opcode, number: int, address: PeerAddress) -> int:
    """Have a port bound.

    Args:
        daemon: the connection to it.
        opcode: TCP_LISTEN or UDP_BIND.
        number: of the new socket.
        address: where.

    Returns:
        The port that was really bound.

    Raises:
        NetworkError: it cannot be.
    """

    def understand(frame: Frame) -> int:
        bound = Bound.parse(frame.payload)
        if bound.status:
            raise NetworkError(bound.why or f"cannot bind {address}")
        return bound.port

    request = FutureRequest(understand)
    daemon.ask(request, opcode, [Place(number, address.port, address.host).encode()])
    try:
        return await request.done
    except asyncio.CancelledError:
        daemon.put(_UNDO[opcode], encode_socket(number))
        raise


class BoundPort:
    """A port that the daemon holds for us.

    Args:
        daemon: the connection to it.
        opcode: TCP_LISTEN or UDP_BIND.
        address: where; port 0 for any.

    Attributes:
        number: the daemon knows it by this; it changes when the daemon was away.
        address: where it is bound; the port is another one if the old one was taken meanwhile.
        is_closed: whether it was closed.
    """

    def __init__(self, daemon: DaemonConnection, opcode: Opcode, address: PeerAddress) -> None:
        self._daemon = daemon
        self._opcode = opcode
        self.number = 0
        self.address = address
        self.is_closed = False

    async def open(self, number: int) -> None:
        """Bind it. Raises NetworkError."""
        self.number = number
        port = await bind(self._daemon, self._opcode, number, self.address)
        self.address = PeerAddress(self.address.host, port)
        if self.is_closed:
            self._let_go()

    async def reopen(self, take_number: Callable[[], int]) -> None:
        """Bind it again, to the same port if it is free. Raises NetworkError."""
        try:
            await self.open(take_number())
        except NetworkError:
            if not self._daemon.is_up:
                raise
            self.address = PeerAddress(self.address.host, 0)
            await self.open(take_number())

    def close(self) -> None:
        """Give it back. Idempotent."""
        if not self.is_closed:
            self.is_closed = True
            self._let_go()

    def _let_go(self) -> None:
        self._daemon.put(_UNDO[self._opcode], encode_socket(self.number))
