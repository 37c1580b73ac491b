"""An internet in the process, on the running loop's clock: a swarm in virtual time.

Every host has one address and one line (`LinkProfile`). All timing goes through the loop, all
chance through one `random.Random`, and ports are counted, so that a run is the same every time.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
from collections.abc import Callable
from functools import lru_cache

from millstream.adapters.memory.agenda import Agenda
from millstream.adapters.memory.connection import MemoryConnection
from millstream.adapters.memory.datagram import Flights, MemoryDatagramSocket
from millstream.adapters.memory.link import Link, LinkProfile
from millstream.adapters.memory.stream import Stream
from millstream.errors import NetworkError
from millstream.interfaces.network import (
    Connection,
    ConnectionHandler,
    DatagramHandler,
    DatagramSocket,
)
from millstream.protocol.compact import PeerAddress

__all__ = ["LinkProfile", "MemoryHost", "MemoryListener", "MemoryNetwork"]

# What becomes of a connect that nobody answers: Linux gives up after 127 s (tcp_syn_retries = 6).
CONNECT_TIMEOUT = 127.0

RECEIVE_BUFFER_LENGTH = 256 * 1024
FIRST_EPHEMERAL_PORT = 49152  # RFC 6335, section 6
LAST_PORT = 65535

_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104  names to recognise, nothing is bound
_LOOPBACKS = ("127.0.0.1", "::1")

_NO_PROFILE = LinkProfile()


class MemoryNetwork:
    """All the hosts that can reach each other.

    Args:
        rng: decides which packets are lost.
        default: how hosts are connected that say nothing else.
        resolution: seconds; whatever streams do happens at the nearest multiple of it. 0 is exact.
            A swarm of hundreds is simulated several times as fast with 0.01, to which the times of
            tens of milliseconds that it is made of are then true.

    Attributes:
        agenda: what is to happen on the lines of its hosts.
    """

    def __init__(
        self,
        rng: random.Random,
        default: LinkProfile = _NO_PROFILE,
        *,
        resolution: float = 0.0,
    ) -> None:
        self.agenda = Agenda(resolution)
        self._default = default
        self._rng = rng
        self._hosts: dict[str, MemoryHost] = {}
        self._names: dict[str, tuple[str, ...]] = {}
        self._flights = Flights(rng)
        self._receive_buffer = memoryview(bytearray(RECEIVE_BUFFER_LENGTH))

    def host(self, address: str, profile: LinkProfile | None = None) -> MemoryHost:
        """Add a host at an IPv4 or IPv6 address; raises NetworkError if it is none, or taken."""
        try:
            address = ipaddress.ip_address(address).compressed
        except ValueError as error:
            raise NetworkError(f"{address!r} is not an IP address") from error
        if address in self._hosts:
            raise NetworkError(f"{address} is another host's address")
        host = MemoryHost(self, address, profile or self._default)
        self._hosts[address] = host
        return host

    def find(self, address: str) -> MemoryHost | None:
        """Return the host at an address, if there is one."""
        return self._hosts.get(address)

    def register(self, name: str, *addresses: str) -> None:
        """Let a name stand for addresses; without any it is unknown again."""
        self._names[name.lower()] = addresses

    def addresses(self, name: str) -> tuple[str, ...]:
        """Return the addresses of a name."""
        return self._names.get(name.lower(), ())

    def transmit(self, near: Link, far: Link, arrive: Callable[[], None]) -> None:
        """Let a datagram travel from one host's link to another's."""
        self._flights.send(near, far, arrive)

    def connect(
        self, near: MemoryHost, far: MemoryHost, address: PeerAddress
    ) -> tuple[MemoryConnection, MemoryConnection]:
        """Make both ends of a connection, which have no handlers yet."""
        near_host = near.address
        near_link, far_link = near.link, far.link
        if near is far:  # a loopback: not over the host's line, and both ends see its address
            near_host = address.host
            near_link = far_link = Link(_NO_PROFILE, self.agenda)
        there = Stream(near_link, far_link, self._rng)
        back = Stream(far_link, near_link, self._rng)
        near_address = PeerAddress(near_host, near.free_port())
        near_end = near.adopt(address, there, back, self._receive_buffer)
        far_end = far.adopt(near_address, back, there, self._receive_buffer)
        there.attach(near_end, far_end)
        back.attach(far_end, near_end)
        return near_end, far_end

    def catch_up(self) -> None:
        """Let every connection learn what happened while a host was offline."""
        for host in self._hosts.values():
            host.catch_up()


class MemoryHost:
    """One host: the `interfaces.network.Network` of whoever runs on it.

    Attributes:
        address: its IP address, in the canonical text.
        link: its line; `host.link.profile` may be replaced at any time, for quanta yet to be sent.
    """

    def __init__(self, network: MemoryNetwork, address: str, profile: LinkProfile) -> None:
        self.address = address
        self.link = Link(profile, network.agenda)
        self._network = network
        self._listeners: dict[int, MemoryListener] = {}
        self._datagrams: dict[int, MemoryDatagramSocket] = {}
        self._connections: dict[MemoryConnection, None] = {}  # a set that keeps its order
        self._last_port = FIRST_EPHEMERAL_PORT - 1

    # interfaces.network.Network

    async def connect(
        self, address: PeerAddress, make_handler: Callable[[Connection], ConnectionHandler]
    ) -> Connection:
        """Connect in one round trip, then ask for the handler; raises NetworkError."""
        address = PeerAddress(_canonical(address.host), address.port)
        far = self._find(address)
        if far is None or not (far is self or (self.link.online and far.link.online)):
            await asyncio.sleep(CONNECT_TIMEOUT)
            raise NetworkError(f"{address}: connection timed out")
        latency = 0.0 if far is self else self.link.profile.latency + far.link.profile.latency
        await asyncio.sleep(latency)
        listener = far.listener(address.port)
        if listener is None:
            await asyncio.sleep(latency)
            raise NetworkError(f"{address}: connection refused")
        near_end, far_end = self._network.connect(self, far, address)
        # In an event of its own: what the accepting side raises is not the connecting side's.
        asyncio.get_running_loop().call_soon(far_end.open, listener.accept)
        try:
            await asyncio.sleep(latency)
            near_end.open(make_handler)
        except BaseException:  # cancelled, or without a handler: abandon the attempt
            near_end.reset()
            raise
        return near_end

    async def listen(
        self, address: PeerAddress, accept: Callable[[Connection], ConnectionHandler]
    ) -> MemoryListener:
        """Accept connections to a port of this host (0: the next free one); raises NetworkError."""
        if _canonical(address.host) not in (self.address, *_WILDCARDS, *_LOOPBACKS):
            raise NetworkError(f"{address}: not an address of this host")
        port = address.port or self.free_port()
        if port in self._listeners:
            raise NetworkError(f"{address}: address already in use")
        listener = MemoryListener(PeerAddress(address.host, port), accept, self._listeners)
        self._listeners[port] = listener
        return listener

    async def open_datagram(
        self, address: PeerAddress, make_handler: Callable[[DatagramSocket], DatagramHandler]
    ) -> MemoryDatagramSocket:
        """Bind a port of this host (0: the next free one) for datagrams; raises NetworkError."""
        if _canonical(address.host) not in (self.address, *_WILDCARDS, *_LOOPBACKS):
            raise NetworkError(f"{address}: not an address of this host")
        port = address.port or self.free_port()
        if port in self._datagrams:
            raise NetworkError(f"{address}: address already in use")
        opened = MemoryDatagramSocket(
            PeerAddress(address.host, port), self._send_datagram, self._datagrams
        )
        self._datagrams[port] = opened
        opened.start(make_handler)
        return opened

    async def resolve(self, host: str) -> list[str]:
        """Look a name up with `MemoryNetwork.register`'s names; raises NetworkError."""
        try:
            return [_canonical(host)]
        except NetworkError:
            await asyncio.sleep(2 * self.link.profile.latency)
        addresses = self._network.addresses(host)
        if not addresses:
            raise NetworkError(f"{host}: no such host")
        return list(addresses)

    # What a simulation does to a host

    @property
    def offline(self) -> bool:
        """Whether the host vanished silently: nothing reaches it, nothing comes from it.

        Its connections stay and hear nothing; connecting to it times out. What was sent meanwhile
        arrives once it is online again, as by TCP's retransmission.
        """
        return not self.link.online

    @offline.setter
    def offline(self, value: bool) -> None:
        self.link.online = not value
        if not value:
            self._network.catch_up()

    def disconnect_all(self) -> None:
        """Break every connection; both sides lose it with a NetworkError.

        Of an offline host the peers learn nothing, until it is online again: a crash.
        """
        for connection in list(self._connections):
            connection.reset()

    @property
    def connection_count(self) -> int:
        """How many connections this host has."""
        return len(self._connections)

    # For the network

    def listener(self, port: int) -> MemoryListener | None:
        """Return who listens on a port."""
        return self._listeners.get(port)

    def datagram_socket(self, port: int) -> MemoryDatagramSocket | None:
        """Return who takes the datagrams of a port."""
        return self._datagrams.get(port)

    def free_port(self) -> int:
        """Return the next port that nobody listens at, for streams or datagrams."""
        for _ in range(FIRST_EPHEMERAL_PORT, LAST_PORT + 1):
            self._last_port += 1
            if self._last_port > LAST_PORT:
                self._last_port = FIRST_EPHEMERAL_PORT
            if self._last_port not in self._listeners and self._last_port not in self._datagrams:
                return self._last_port
        raise NetworkError(f"{self.address}: no free port")

    def adopt(
        self, remote: PeerAddress, outgoing: Stream, incoming: Stream, receive_buffer: memoryview
    ) -> MemoryConnection:
        """Make and keep this host's end of a connection."""
        connection = MemoryConnection(remote, outgoing, incoming, receive_buffer, self._forget)
        self._connections[connection] = None
        return connection

    def catch_up(self) -> None:
        """Let this host's connections learn what they missed."""
        for connection in self._connections:
            connection.catch_up()

    def _send_datagram(
        self, data: bytes, sender: MemoryDatagramSocket, address: PeerAddress
    ) -> None:
        try:
            address = PeerAddress(_canonical(address.host), address.port)
            far = self._find(address)
        except NetworkError:  # a name, or the other family
            return
        if far is None:
            return
        far_port = address.port

        def arrive() -> None:
            receiver = far.datagram_socket(far_port)
            if receiver is not None:
                receiver.deliver(data, source)

        if far is self:  # a loopback: not over the host's line
            source = PeerAddress(address.host, sender.address.port)
            asyncio.get_running_loop().call_soon(arrive)
        else:
            source = PeerAddress(self.address, sender.address.port)
            self._network.transmit(self.link, far.link, arrive)

    def _forget(self, connection: MemoryConnection) -> None:
        self._connections.pop(connection, None)

    def _find(self, address: PeerAddress) -> MemoryHost | None:
        if address.host in _LOOPBACKS:
            return self
        if address.is_ipv6 != (":" in self.address):
            raise NetworkError(f"{address}: network is unreachable")
        return self._network.find(address.host)


class MemoryListener:
    """A listening port; implements `interfaces.network.Listener`."""

    def __init__(
        self,
        address: PeerAddress,
        accept: Callable[[Connection], ConnectionHandler],
        listeners: dict[int, MemoryListener],
    ) -> None:
        self._address = address
        self._listeners = listeners
        self.accept = accept

    @property
    def address(self) -> PeerAddress:
        """Where it listens, with the port that was bound."""
        return self._address

    def close(self) -> None:
        """Stop accepting."""
        if self._listeners.get(self._address.port) is self:
            del self._listeners[self._address.port]


@lru_cache(maxsize=4096)
def _canonical(host: str) -> str:
    try:
        return ipaddress.ip_address(host).compressed
    except ValueError as error:
        raise NetworkError(f"{host!r} is not an IP address") from error
