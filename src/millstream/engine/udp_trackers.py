"""Asking UDP trackers (BEP 15): one socket for each family, however many torrents ask."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from millstream.errors import TrackerError
from millstream.interfaces.network import DatagramSocket, Network
from millstream.protocol.address_scope import is_global, scope_of
from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import AnnounceRequest, AnnounceResponse, ScrapeEntry
from millstream.tracker.config import TrackerConfig
from millstream.tracker.interval import sane_interval
from millstream.tracker.tracker_url import TrackerUrl
from millstream.tracker.udp_exchange import PackRequest, UdpAnswer, UdpConnections, UdpExchange
from millstream.tracker.udp_packets import (
    AnnounceResponsePacket,
    ScrapeResponsePacket,
    pack_announce_request,
    pack_scrape_request,
)

_WILDCARDS = {4: PeerAddress("0.0.0.0", 0), 6: PeerAddress("::", 0)}  # noqa: S104 - answers come


@dataclass(slots=True)
class _Waiting:
    """An exchange, and what wakes the task that drives it."""

    exchange: UdpExchange
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    refusal: TrackerError | None = None


class _Receiver:
    """Gives what comes to the exchanges with its sender; others' datagrams are nobody's."""

    def __init__(self) -> None:
        self.waiting: dict[PeerAddress, list[_Waiting]] = {}

    def datagram_received(self, data: memoryview, address: PeerAddress) -> None:
        now = asyncio.get_running_loop().time()
        for waiting in self.waiting.get(address, ()):
            try:
                waiting.exchange.receive(data, now)
            except TrackerError as error:
                waiting.refusal = error
            waiting.changed.set()


class _Line(NamedTuple):
    """A socket and what belongs to it: connection ids hold for our address alone."""

    socket: DatagramSocket
    receiver: _Receiver
    connections: UdpConnections


class UdpTrackers:
    """Exchanges with UDP trackers, for all torrents of an engine.

    Sockets are opened when first needed.

    Args:
        network: where.
        rng: for transaction ids, and to choose among a tracker's addresses.
        config: the timeouts.
    """

    def __init__(self, network: Network, rng: random.Random, config: TrackerConfig) -> None:
        self._network = network
        self._rng = rng
        self._config = config
        self._lines: dict[int, _Line] = {}
        self._opening = asyncio.Lock()
        self._chosen: dict[tuple[str, int], str] = {}

    async def announce(
        self, url: str, request: AnnounceRequest, *, family: int, allow_local: bool
    ) -> AnnounceResponse:
        """Announce by IPv4 or IPv6.

        Raises:
            NetworkError: no such host, no answer in time, a local address that is not allowed.
            TrackerError: the tracker refused.
        """
        parsed = TrackerUrl.parse(url)

        def pack(connection: int, transaction: int) -> bytes:
            return pack_announce_request(connection, transaction, request, url_data=parsed.data)

        answer = await self._ask(parsed.address, (family,), pack, allow_local)
        if not isinstance(answer, AnnounceResponsePacket):
            raise TrackerError("the tracker answered an announce with a scrape")
        return AnnounceResponse(
            interval=sane_interval(answer.interval),
            seeders=answer.seeders,
            leechers=answer.leechers,
            peers=answer.peers,
        )

    async def scrape(
        self, url: str, info_hashes: Sequence[InfoHash], *, allow_local: bool
    ) -> dict[InfoHash, ScrapeEntry]:
        """Ask for the numbers of 1 to MAX_SCRAPE torrents; raises as `announce` does."""

        def pack(connection: int, transaction: int) -> bytes:
            return pack_scrape_request(connection, transaction, info_hashes)

        address = TrackerUrl.parse(url).address
        answer = await self._ask(address, (4, 6), pack, allow_local)
        if not isinstance(answer, ScrapeResponsePacket):
            raise TrackerError("the tracker answered a scrape with an announce")
        return dict(zip(info_hashes, answer.entries, strict=False))

    def close(self) -> None:
        """Close the sockets; it can be used again."""
        for line in self._lines.values():
            line.socket.close()
        self._lines.clear()

    async def _ask(
        self,
        named: PeerAddress,
        families: Sequence[int],
        pack: PackRequest,
        allow_local: bool,
    ) -> UdpAnswer:
        seconds = self._config.udp_timeout
        try:
            async with asyncio.timeout(seconds):
                host = await self._choose(named.host, families, allow_local)
                try:
                    return await self._exchange(PeerAddress(host, named.port), pack)
                except BaseException:
                    # Another of its addresses may do better.
                    self._chosen.pop((named.host, _family(host)), None)
                    raise
        except TimeoutError as error:
            raise TrackerError(f"{named.host}: no answer within {seconds:g} s") from error

    async def _choose(self, name: str, families: Sequence[int], allow_local: bool) -> str:
        """One of the tracker's addresses, the same one while it answers."""
        found = await self._network.resolve(name)
        for family in families:
            fitting = [address for address in found if _family(address) == family]
            if fitting:
                break
        else:
            raise TrackerError(f"{name} has no IPv{families[0]} address")
        usable = [address for address in fitting if allow_local or is_global(address)]
        if not usable:
            raise TrackerError(
                f"{name} leads to {fitting[0]}, a {scope_of(fitting[0]).value} address: "
                "local hosts are not contacted for a torrent unless that is allowed"
            )
        chosen = self._chosen.get((name, family))
        if chosen not in usable:
            chosen = self._chosen[name, family] = self._rng.choice(usable)
        return chosen

    async def _exchange(self, tracker: PeerAddress, pack: PackRequest) -> UdpAnswer:
        line = await self._line(_family(tracker.host))
        exchange = UdpExchange(
            tracker, pack, line.connections, self._rng, retransmit=self._config.udp_retransmit
        )
        waiting = _Waiting(exchange)
        peers = line.receiver.waiting.setdefault(tracker, [])
        peers.append(waiting)
        loop = asyncio.get_running_loop()
        try:
            while exchange.answer is None:
                if waiting.refusal is not None:
                    raise waiting.refusal
                waiting.changed.clear()
                datagram = exchange.datagram(loop.time())
                if datagram is not None:
                    line.socket.send(datagram, tracker)
                try:
                    async with asyncio.timeout_at(exchange.due):
                        await waiting.changed.wait()
                except TimeoutError:
                    continue
            return exchange.answer
        finally:
            peers.remove(waiting)
            if not peers:
                line.receiver.waiting.pop(tracker, None)

    async def _line(self, family: int) -> _Line:
        async with self._opening:
            line = self._lines.get(family)
            if line is None:
                receiver = _Receiver()
                opened = await self._network.open_datagram(_WILDCARDS[family], lambda _: receiver)
                line = self._lines[family] = _Line(opened, receiver, UdpConnections())
            return line


def _family(host: str) -> int:
    return 6 if ":" in host else 4
