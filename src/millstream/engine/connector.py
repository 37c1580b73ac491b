"""Connecting to peers: within the limits, some at a time, never the same twice at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from millstream.engine.config import NetworkConfig
from millstream.engine.link import Link
from millstream.engine.session import TorrentSession
from millstream.errors import NetworkError
from millstream.interfaces.network import Connection, Network
from millstream.protocol.compact import PeerAddress


class Connector:
    """Opens connections for all torrents.

    Args:
        network: where.
        config: the limits.
        open_count: how many links the engine has.
        make_link: makes the link of a new connection of a torrent.
    """

    def __init__(
        self,
        network: Network,
        config: NetworkConfig,
        open_count: Callable[[], int],
        make_link: Callable[[Connection, TorrentSession], Link],
    ) -> None:
        self._network = network
        self._config = config
        self._open_count = open_count
        self._make_link = make_link
        self._attempts: dict[asyncio.Task[None], None] = {}

    def connect_due(self, session: TorrentSession) -> None:
        """Try the torrent's due peers, as many as the limits allow."""
        room = min(
            self._config.max_half_open - len(self._attempts),
            self._config.max_connections - self._open_count() - len(self._attempts),
        )
        if room <= 0:
            return
        loop = asyncio.get_running_loop()
        for address in session.swarm.due(loop.time(), room, seeds=not session.machine.is_complete):
            attempt = loop.create_task(self._try(session, address))
            self._attempts[attempt] = None
            attempt.add_done_callback(self._attempts.pop)

    async def close(self) -> None:
        """Abandon all attempts."""
        for attempt in list(self._attempts):
            attempt.cancel()
        await asyncio.gather(*self._attempts, return_exceptions=True)

    async def _try(self, session: TorrentSession, address: PeerAddress) -> None:
        try:
            async with asyncio.timeout(self._config.connect_timeout):
                await self._network.connect(
                    address, lambda connection: self._make_link(connection, session)
                )
        except (NetworkError, TimeoutError):
            session.swarm.lost(address, asyncio.get_running_loop().time(), useful=False)
