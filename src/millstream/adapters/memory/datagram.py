"""Datagrams in the simulated internet: delayed and lost by the hosts' links, whole or not at all.

They take no room on the lines: the traffic of trackers and the DHT is small beside the streams.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable

from millstream.adapters.memory.link import Link
from millstream.interfaces.network import DatagramHandler, DatagramSocket
from millstream.protocol.compact import PeerAddress

# The biggest payload that IPv4 carries.
MAX_DATAGRAM = 65507


class MemoryDatagramSocket:
    """A bound datagram socket: implements `interfaces.network.DatagramSocket`.

    Args:
        address: where it is bound.
        send: what takes a datagram on its way: the data, from this socket, to an address.
        sockets: the open ones of the host by port, from which `close` removes it.
    """

    def __init__(
        self,
        address: PeerAddress,
        send: Callable[[bytes, MemoryDatagramSocket, PeerAddress], None],
        sockets: dict[int, MemoryDatagramSocket],
    ) -> None:
        self._address = address
        self._send = send
        self._sockets = sockets
        self._handler: DatagramHandler | None = None
        self._closed = False

    @property
    def address(self) -> PeerAddress:
        """Where it is bound, with the port that was bound."""
        return self._address

    def start(self, make_handler: Callable[[DatagramSocket], DatagramHandler]) -> None:
        """Begin to receive."""
        self._handler = make_handler(self)

    def send(self, data: bytes, address: PeerAddress) -> None:
        """See `interfaces.network.DatagramSocket`."""
        if not self._closed and len(data) <= MAX_DATAGRAM:
            self._send(bytes(data), self, address)

    def close(self) -> None:
        """See `interfaces.network.DatagramSocket`."""
        self._closed = True
        if self._sockets.get(self._address.port) is self:
            del self._sockets[self._address.port]

    def deliver(self, data: bytes, sender: PeerAddress) -> None:
        """A datagram arrived."""
        if not self._closed and self._handler is not None:
            self._handler.datagram_received(memoryview(bytearray(data)), sender)


class Flights:
    """Datagrams on their way. What arrives at the same time arrives in the order it was sent.

    Args:
        rng: decides which are lost.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._arrivals: list[tuple[float, int, Callable[[], None]]] = []
        self._sent = 0

    def send(self, near: Link, far: Link, arrive: Callable[[], None]) -> None:
        """Let a datagram travel: `arrive` is called after both latencies, or never."""
        for link in (near, far):
            loss = link.profile.loss
            if not link.online or (loss and self._rng.random() < loss):
                return

        def arrived() -> None:
            if far.online:
                arrive()

        loop = asyncio.get_running_loop()
        when = loop.time() + near.profile.latency + far.profile.latency
        self._sent += 1
        heapq.heappush(self._arrivals, (when, self._sent, arrived))
        # There is one timer for each: which of two simultaneous ones fires first does not matter.
        loop.call_at(when, self._land)

    def _land(self) -> None:
        _, _, arrived = heapq.heappop(self._arrivals)
        arrived()
