"""A tracker in a running event loop."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiohttp import web

from millstream.http_server.listening import url_host
from millstream.http_server.running import run_server
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import ScrapeEntry
from millstream.tracker.connection_id import SECRET_LENGTH, ConnectionIds
from millstream.tracker.http_tracker import HttpTracker
from millstream.tracker.registry import Registry
from millstream.tracker.udp_tracker import UdpTracker
from millstream.tracker_service.config import TrackerServiceConfig
from millstream.tracker_service.http import HttpServer
from millstream.tracker_service.sockets import BoundSockets, bind_sockets
from millstream.tracker_service.udp import UdpServer

# Seconds after which peers that are gone are looked for though nobody announces.
EXPIRY_INTERVAL = 60.0

# Seconds that requests which are being answered may still take at the end.
SHUTDOWN_TIME = 1.0


@dataclass(frozen=True, slots=True)
class TrackerStats:
    """What a tracker has done and holds.

    Attributes:
        swarms: torrents with somebody in them.
        peers: in all of them.
        http_announces: answered since the start.
        udp_announces: answered since the start.
        scrapes: answered since the start, by both protocols.
        refused: requests that were answered by a failure reason.
        ignored: datagrams that were not answered.
    """

    swarms: int
    peers: int
    http_announces: int
    udp_announces: int
    scrapes: int
    refused: int
    ignored: int


class TrackerService:
    """A tracker, HTTP and UDP at one port; an async context manager.

    ```python
    async with TrackerService(TrackerServiceConfig(hosts=("127.0.0.1",), port=0)) as tracker:
        print(tracker.http_url, tracker.udp_url)
    ```

    Args:
        config: the settings; None for the defaults.

    Attributes:
        registry: what is tracked.
    """

    def __init__(self, config: TrackerServiceConfig | None = None) -> None:
        self.config = config or TrackerServiceConfig()
        self.registry = Registry(self.config.registry)
        rng = random.Random(self.config.seed)
        allow_ip = self.config.allow_ip
        self._http = HttpTracker(self.registry, rng, allow_ip=allow_ip)
        # Predictable only if that was asked for.
        is_seeded = self.config.seed is not None
        ids = ConnectionIds((rng.randbytes if is_seeded else os.urandom)(SECRET_LENGTH))
        self._udp = UdpTracker(self.registry, ids, rng, allow_ip=allow_ip)
        self._sockets: BoundSockets | None = None
        self._runner: web.ServerRunner | None = None
        self._datagrams: list[asyncio.DatagramTransport] = []
        self._expiry: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        """Listen; raises NetworkError if it cannot."""
        config = self.config
        self._sockets = bind_sockets(config.hosts, config.port, http=config.http, udp=config.udp)
        try:
            await self._serve(self._sockets)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._close()

    @property
    def port(self) -> int:
        """Where it listens, by both protocols; 0 if it does not."""
        return self._sockets.port if self._sockets else 0

    @property
    def hosts(self) -> tuple[str, ...]:
        """The addresses that it listens at."""
        return tuple(self._sockets.hosts) if self._sockets else ()

    @property
    def http_url(self) -> str | None:
        """The announce URL of the first host, for this machine; None without HTTP."""
        return self._url("http") if self.config.http else None

    @property
    def udp_url(self) -> str | None:
        """The announce URL of the first host, for this machine; None without UDP."""
        return self._url("udp") if self.config.udp else None

    def stats(self) -> TrackerStats:
        """Count."""
        self.registry.expire(asyncio.get_running_loop().time())
        return TrackerStats(
            swarms=self.registry.swarm_count,
            peers=self.registry.peer_count,
            http_announces=self._http.announces,
            udp_announces=self._udp.announces,
            scrapes=self._http.scrapes + self._udp.scrapes,
            refused=self._http.refused + self._udp.refused,
            ignored=self._udp.ignored,
        )

    def swarms(self) -> dict[InfoHash, ScrapeEntry]:
        """Every torrent with somebody in it."""
        self.registry.expire(asyncio.get_running_loop().time())
        return dict(self.registry.swarms())

    def _url(self, scheme: str) -> str | None:
        if not self._sockets:
            return None
        return f"{scheme}://{url_host(self._sockets.hosts[0])}:{self._sockets.port}/announce"

    async def _serve(self, sockets: BoundSockets) -> None:
        loop = asyncio.get_running_loop()
        server = HttpServer(self._http, self.config, loop.time)
        self._runner = await run_server(server, sockets.streams, SHUTDOWN_TIME)
        for opened in sockets.datagrams:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: UdpServer(self._udp, loop.time), sock=opened
            )
            self._datagrams.append(transport)
        self._expire()

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        self.registry.expire(loop.time())
        self._expiry = loop.call_later(EXPIRY_INTERVAL, self._expire)

    async def _close(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        for transport in self._datagrams:
            transport.abort()
        if self._runner is not None:
            await self._runner.cleanup()
        # Transports close their sockets in the loop's next turn.
        await asyncio.sleep(0)
        if self._sockets is not None:
            self._sockets.close()
            self._sockets = None
