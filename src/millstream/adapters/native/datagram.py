"""UDP over a non-blocking socket on the asyncio loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

from millstream.adapters.native.sockets import address_family, peer_address
from millstream.errors import NetworkError
from millstream.interfaces.network import DatagramHandler, DatagramSocket
from millstream.protocol.compact import PeerAddress

# No datagram is longer: its length has 16 bits (RFC 768).
RECEIVE_BUFFER_LENGTH = 1 << 16

# Received in one go before other events get their turn.
MAX_RECEIVES = 64


class NativeDatagramSocket:
    """A bound UDP socket: implements `interfaces.network.DatagramSocket`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, bound: socket.socket) -> None:
        self._loop = loop
        self._socket = bound
        self._handler: DatagramHandler | None = None
        self._buffer = memoryview(bytearray(RECEIVE_BUFFER_LENGTH))
        self.address = peer_address(bound.getsockname())

    def start(self, handler: DatagramHandler) -> None:
        """Begin to receive, unless `close` was called meanwhile."""
        self._handler = handler
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket.fileno(), self._readable)

    def send(self, data: bytes, address: PeerAddress) -> None:
        """See `interfaces.network.DatagramSocket`."""
        # OverflowError: a port that is none. ValueError: a host with a NUL in it.
        with contextlib.suppress(OSError, OverflowError, ValueError):
            # Only addresses pass: given a name, sendto() would wait for the resolver.
            socket.inet_pton(self._socket.family, address.host)
            self._socket.sendto(data, tuple(address))

    def close(self) -> None:
        """See `interfaces.network.DatagramSocket`."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _readable(self) -> None:
        handler = self._handler
        for _ in range(MAX_RECEIVES):
            if handler is None or self._socket.fileno() < 0:
                return
            try:
                length, name = self._socket.recvfrom_into(self._buffer)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # an ICMP message about something sent earlier: it was lost, no more
                continue
            handler.datagram_received(self._buffer[:length], peer_address(name))


def open_datagram_socket(
    loop: asyncio.AbstractEventLoop,
    address: PeerAddress,
    make_handler: Callable[[DatagramSocket], DatagramHandler],
) -> NativeDatagramSocket:
    """Bind a socket and begin to receive; raises NetworkError."""
    family = address_family(address)
    try:
        bound = socket.socket(family, socket.SOCK_DGRAM)
        try:
            bound.setblocking(False)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bound.bind(tuple(address))
        except BaseException:
            bound.close()
            raise
    except OSError as error:
        raise NetworkError(f"cannot bind {address} for datagrams: {error.strerror}") from error
    opened = NativeDatagramSocket(loop, bound)
    try:
        opened.start(make_handler(opened))
    except BaseException:
        opened.close()
        raise
    return opened
