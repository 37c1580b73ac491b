"""A UDP tracker without sockets: from a datagram to the one that answers it (BEP 15)."""

from __future__ import annotations

import random
from dataclasses import replace
from ipaddress import IPv4Address

from millstream.errors import MalformedDataError, TrackerError
from millstream.tracker.connection_id import ConnectionIds
from millstream.tracker.registry import Registry
from millstream.tracker.udp_packets import (
    AnnounceRequestPacket,
    ConnectRequest,
    ScrapeRequestPacket,
    pack_announce_response,
    pack_connect_response,
    pack_error_response,
    pack_scrape_response,
    parse_request,
)

# IPv6 peers that fit a packet which no link splits (1280 bytes, RFC 8200, section 5), after 48
# bytes of headers and 20 of answer. IPv4 peers are so small that the registry's limit fits.
MAX_PEERS6_IN_DATAGRAM = 67


class UdpTracker:
    """Answers datagrams. No answer is longer than its request but to who proved its address.

    Args:
        registry: what is tracked.
        ids: gives the proofs.
        rng: draws the peers.
        allow_ip: whether a client may name another IPv4 address than its own.

    Attributes:
        announces: those that were taken.
        scrapes: those that were answered.
        refused: announces answered by an error.
        ignored: datagrams that were no request, or whose connection id is not the sender's.
    """

    def __init__(
        self, registry: Registry, ids: ConnectionIds, rng: random.Random, *, allow_ip: bool = False
    ) -> None:
        self._registry = registry
        self._ids = ids
        self._rng = rng
        self._allow_ip = allow_ip
        self.announces = 0
        self.scrapes = 0
        self.refused = 0
        self.ignored = 0

    def answer(self, data: bytes | memoryview, host: str, now: float) -> bytes | None:
        """Answer a datagram, or not.

        Args:
            data: the datagram.
            host: the sender's address in canonical text.
            now: seconds, monotonic.
        """
        try:
            request = parse_request(data)
        except MalformedDataError:
            self.ignored += 1
            return None
        if isinstance(request, ConnectRequest):
            return pack_connect_response(request.transaction, self._ids.issue(host, now))
        if not self._ids.is_valid(request.connection, host, now):
            self.ignored += 1
            return None
        if isinstance(request, ScrapeRequestPacket):
            self.scrapes += 1
            counts = self._registry.scrape(request.info_hashes, now)
            return pack_scrape_response(request.transaction, counts)
        return self._announce(request, host, now)

    def _announce(self, request: AnnounceRequestPacket, host: str, now: float) -> bytes:
        announce = request.announce
        is_ipv6 = ":" in host
        if is_ipv6:
            most = MAX_PEERS6_IN_DATAGRAM
            announce = replace(announce, want=min(announce.want, most))
        elif self._allow_ip and request.ip:
            host = str(IPv4Address(request.ip))
        try:
            answer = self._registry.announce(announce, host, now, self._rng)
        except TrackerError as error:
            self.refused += 1
            return pack_error_response(request.transaction, str(error))
        self.announces += 1
        return pack_announce_response(
            request.transaction,
            interval=answer.interval,
            leechers=answer.leechers or 0,
            seeders=answer.seeders or 0,
            peers=answer.peers,
            ipv6=is_ipv6,
        )
