"""A UDP socket that is lent, multicast included."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, ip_address

from millstream.adapters.native.sockets import address_family, peer_address
from millstream.errors import NetworkError
from millstream.io_daemon.network_interfaces import network_interfaces
from millstream.protocol.compact import PeerAddress

# No datagram is longer: its length has 16 bits (RFC 768).
RECEIVE_BUFFER_LENGTH = 1 << 16

# Received in one go before other events get their turn.
MAX_RECEIVES = 64

# Hops that a multicast datagram may go: the original's; local discovery needs one.
MULTICAST_TTL = 2

Received = Callable[["DatagramSocket", memoryview, PeerAddress], None]


class DatagramSocket:
    """One socket, bound.

    What is not received in time, for lack of credit for one, the kernel drops, as it may any datagram.

    Args:
        number: the socket's, for the client.
        address: where it is to be bound; port 0 for any.
        received: takes what arrives; the view is borrowed.
        window: bytes that the client takes before it gives more credit; None for a client that
            knows of no credit.

    Attributes:
        number: the socket's, for the client.
        address: where it is bound.

    Raises:
        NetworkError: it cannot be bound.
    """

    def __init__(
        self, number: int, address: PeerAddress, received: Received, window: int | None
    ) -> None:
        self.number = number
        self._received = received
        self._uses_credit = window is not None
        self._credit = window or 0
        self._is_reading = False
        self._loop = asyncio.get_running_loop()
        self._buffer = memoryview(bytearray(RECEIVE_BUFFER_LENGTH))
        # The original shares ports; who knows of credit hears that one is taken.
        self._socket = _bind(address, shared=window is None)
        self.address = peer_address(self._socket.getsockname())

    def send(self, data: memoryview, address: PeerAddress) -> bool:
        """Send, or lose it: what cannot leave at once is dropped. Whether it left."""
        try:
            # Only addresses pass: given a name, sendto() would wait for the resolver.
            socket.inet_pton(self._socket.family, address.host)
            self._socket.sendto(data, tuple(address))
        except (OSError, OverflowError, ValueError):
            return False
        return True

    def add_credit(self, length: int) -> None:
        """The client takes so many more bytes."""
        self._credit += length

    def set_reading(self, wanted: bool) -> None:
        """Receive, if there is credit for it, or not."""
        wanted = wanted and (not self._uses_credit or self._credit > 0)
        if wanted != self._is_reading and self._socket.fileno() >= 0:
            self._is_reading = wanted
            if wanted:
                self._loop.add_reader(self._socket.fileno(), self._readable)
            else:
                self._loop.remove_reader(self._socket.fileno())

    def join(self, group: str, *, leave: bool = False) -> None:
        """Take part in a multicast group, at every interface but loopback, or leave it.

        Raises:
            NetworkError: it is no group, or no interface can.
        """
        try:
            address = ip_address(group)
        except ValueError:
            raise NetworkError(f"{group[:80]!r} is no address of a group") from None
        if not address.is_multicast:
            raise NetworkError(f"{group} is no multicast address")
        if address.version != (4 if self._socket.family == socket.AF_INET else 6):
            raise NetworkError(f"{group} is of another family than the socket")
        failure: OSError | None = None
        done = 0
        for level, option, value in _memberships(address.packed, leave=leave):
            try:
                self._socket.setsockopt(level, option, value)
            except OSError as error:
                # To have joined already, or left, is as good.
                if error.errno not in {errno.EADDRINUSE, errno.EADDRNOTAVAIL}:
                    failure = error
                    continue
            done += 1
        if not done:
            why = failure.strerror if failure else "there is no interface"
            raise NetworkError(f"cannot join {group}: {why}") from failure

    def close(self) -> None:
        """Close. Nothing is received any more."""
        self.set_reading(False)
        self._socket.close()

    def _readable(self) -> None:
        for _ in range(MAX_RECEIVES):
            if not self._is_reading:
                return
            try:
                length, name = self._socket.recvfrom_into(self._buffer)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # an ICMP message about something sent earlier: it was lost, no more
                continue
            if self._uses_credit:
                self._credit -= length
            self._received(self, self._buffer[:length], peer_address(name))
            if self._uses_credit and self._credit <= 0:
                self.set_reading(False)


def _bind(address: PeerAddress, *, shared: bool) -> socket.socket:
    opened: socket.socket | None = None
    try:
        family = address_family(address)
        opened = socket.socket(family, socket.SOCK_DGRAM)
        opened.setblocking(False)
        if shared:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, MULTICAST_TTL)
        else:
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, MULTICAST_TTL)
        # A name would wait for the resolver.
        socket.inet_pton(family, address.host)
        opened.bind(tuple(address))
    except (OSError, ValueError) as error:
        if opened is not None:
            with contextlib.suppress(OSError):
                opened.close()
        why = getattr(error, "strerror", None) or str(error)
        raise NetworkError(f"cannot bind {address}: {why}") from error
    return opened


def _memberships(group: bytes, *, leave: bool) -> list[tuple[int, int, bytes]]:
    """What setsockopt() wants, once for each interface."""
    if len(group) == 4:
        option = socket.IP_DROP_MEMBERSHIP if leave else socket.IP_ADD_MEMBERSHIP
        places = [IPv4Address(each["address"]) for each in network_interfaces()]
        return [
            (socket.IPPROTO_IP, option, group + place.packed)
            for place in places
            if not place.is_loopback
        ]
    option = socket.IPV6_LEAVE_GROUP if leave else socket.IPV6_JOIN_GROUP
    return [
        (socket.IPPROTO_IPV6, option, group + index.to_bytes(4, "little"))
        for index, name in socket.if_nameindex()
        if name != "lo"
    ]
