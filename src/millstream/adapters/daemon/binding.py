"""Asking the daemon for a port of its own, of TCP or UDP."""

from __future__ import annotations

import asyncio

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
