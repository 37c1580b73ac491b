"""One request to a UDP tracker and its answer: connection ids, retransmission, matching (BEP 15).

An exchange sends nothing itself: `datagram` is what to send now, `due` when to ask again, and
whatever came from the tracker's address goes to `receive`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeAlias

from millstream.errors import MalformedDataError, TrackerError
from millstream.protocol.compact import PeerAddress
from millstream.tracker.udp_packets import (
    AnnounceResponsePacket,
    ConnectResponse,
    ErrorResponse,
    ScrapeResponsePacket,
    pack_connect_request,
    parse_response,
)

# Seconds for which a connection id may be used after it came.
CONNECTION_LIFETIME = 60.0

# The wait doubles with every retransmission, at most so often: 15 * 2^8 s, an hour and 4 minutes.
MAX_DOUBLINGS = 8

# Trackers whose connection ids are remembered.
MAX_CONNECTIONS = 500

PackRequest: TypeAlias = Callable[[int, int], bytes]
"""Packs the request, given the connection id and the transaction."""

UdpAnswer: TypeAlias = AnnounceResponsePacket | ScrapeResponsePacket


class UdpConnections:
    """Connection ids by tracker, for as long as they hold."""

    def __init__(self) -> None:
        self._known: dict[PeerAddress, tuple[int, float]] = {}

    def get(self, tracker: PeerAddress, now: float) -> int | None:
        """Return a connection id that may still be used."""
        connection, expires = self._known.get(tracker, (None, now))
        return connection if now < expires else None

    def put(self, tracker: PeerAddress, connection: int, now: float) -> None:
        """Remember one that came now."""
        self._known.pop(tracker, None)
        self._known[tracker] = (connection, now + CONNECTION_LIFETIME)
        if len(self._known) > MAX_CONNECTIONS:
            del self._known[next(iter(self._known))]

    def forget(self, tracker: PeerAddress) -> None:
        """Do not use it again."""
        self._known.pop(tracker, None)


class UdpExchange:
    """One exchange with one tracker.

    Args:
        tracker: its address; whether it is IPv6 decides how peers are packed.
        pack: packs the request.
        connections: shared by all exchanges from the same socket.
        rng: for transactions: who cannot see our packets must not guess them.
        retransmit: seconds before the first retransmission.

    Attributes:
        due: when `datagram` wants to be asked again; monotonic seconds.
        answer: the tracker's answer, once it came.
    """

    def __init__(
        self,
        tracker: PeerAddress,
        pack: PackRequest,
        connections: UdpConnections,
        rng: random.Random,
        *,
        retransmit: float,
    ) -> None:
        self.tracker = tracker
        self.due = float("-inf")
        self.answer: UdpAnswer | None = None
        self._pack = pack
        self._connections = connections
        self._rng = rng
        self._retransmit = retransmit
        self._sent = 0
        self._connecting: int | None = None  # the transaction of our connect request
        self._asking: int | None = None  # the transaction of our request
        self._may_reconnect = True  # a connection id from before this exchange may be refused

    def datagram(self, now: float) -> bytes | None:
        """The datagram to send now, if one is due; the answer to an earlier one still counts."""
        if self.answer is not None or now < self.due:
            return None
        self.due = now + self._retransmit * 2 ** min(self._sent, MAX_DOUBLINGS)
        self._sent += 1
        connection = self._connections.get(self.tracker, now)
        if connection is None:
            if self._connecting is None:
                self._connecting = self._transaction()
            return pack_connect_request(self._connecting)
        if self._asking is None:
            self._asking = self._transaction()
        return self._pack(connection, self._asking)

    def receive(self, data: bytes | memoryview, now: float) -> None:
        """Take a datagram that came from the tracker's address.

        What is malformed, or answers nothing that we asked, is ignored: anybody can send it.

        Raises:
            TrackerError: the tracker refused.
        """
        try:
            packet = parse_response(data, ipv6=self.tracker.is_ipv6)
        except MalformedDataError:
            return
        is_ours = packet.transaction in (self._connecting, self._asking)
        if self.answer is not None or not is_ours:
            return
        if isinstance(packet, ErrorResponse):
            self._refused(packet)
        elif isinstance(packet, ConnectResponse):
            if packet.transaction == self._connecting:
                self._connecting = None
                self._may_reconnect = False
                self._connections.put(self.tracker, packet.connection, now)
                self._start_over()
        elif packet.transaction == self._asking:
            self.answer = packet

    def _refused(self, packet: ErrorResponse) -> None:
        if packet.transaction == self._asking and self._may_reconnect:
            # The tracker may have been started anew since it gave the id.
            self._connections.forget(self.tracker)
            self._asking = None
            self._may_reconnect = False
            self._start_over()
            return
        text = " ".join(packet.message.split()) or "no reason given"
        shown = "".join(char for char in text if char.isprintable())
        raise TrackerError(f"the tracker refused: {shown[:300]}")

    def _start_over(self) -> None:
        """Something came: the tracker is there, so its next answer is awaited afresh."""
        self._sent = 0
        self.due = float("-inf")

    def _transaction(self) -> int:
        return self._rng.getrandbits(32)
