"""The web seeds of one torrent: which are at work, and when one that failed is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from millstream.core.config import TransferConfig
from millstream.core.geometry import ConnectionId, Geometry
from millstream.core.peer import Peer
from millstream.core.torrent import TorrentMachine
from millstream.engine.reading import Hold
from millstream.engine.web_seed import FileParts, WebSeedLink
from millstream.interfaces.http import HttpClient
from millstream.protocol.compact import PeerAddress
from millstream.protocol.metainfo import Metainfo
from millstream.storage.layout import FileLayout

# Web seeds of a torrent that are used at a time, and the first and the longest wait after a failure,
# seconds: libtorrent's `urlseed_wait_retry` is 30.
MAX_WEB_SEEDS = 8
FIRST_RETRY = 30.0
LONGEST_RETRY = 3600.0

_PEER_ID = b"-WS0000-            "


@dataclass(slots=True)
class WebSeed:
    """A web seed and how it fared.

    Attributes:
        url: as the torrent has it.
        address: host and port.
        link: while it is at work.
        failures: since it last sent something.
        next_try: monotonic seconds; infinite if never again.
        error: what went wrong last.
    """

    url: str
    address: PeerAddress
    link: WebSeedLink | None = None
    failures: int = 0
    next_try: float = 0.0
    error: str | None = None


class WebSeeding:
    """Keeps web seeds at work while a torrent downloads.

    Args:
        urls: the torrent's web seeds (BEP 19).
        machine: takes them for peers.
        http: fetches; without it there are no web seeds.
        allow_local: whether their hosts' addresses need not be global.
        next_connection: gives connection ids.
        wake: asks for a tick.
    """

    def __init__(
        self,
        urls: Sequence[str],
        metainfo: Metainfo,
        layout: FileLayout,
        geometry: Geometry,
        machine: TorrentMachine,
        config: TransferConfig,
        http: HttpClient | None,
        *,
        allow_local: bool,
        next_connection: Callable[[], ConnectionId],
        wake: Callable[[], None],
    ) -> None:
        self.seeds = [seed for url in urls if (seed := _parse(url)) is not None][:MAX_WEB_SEEDS]
        self._metainfo = metainfo
        self._parts = FileParts(layout)
        self._geometry = geometry
        self._machine = machine
        self._config = config
        self._http = http
        self._allow_local = allow_local
        self._next_connection = next_connection
        self._wake = wake

    def tend(self, now: float) -> None:
        """Put those to work that are due."""
        if self._http is None:
            return
        for seed in self.seeds:
            if seed.link is None and seed.next_try <= now:
                self._start(seed, self._http, now)

    def close(self, reason: str) -> None:
        """Put all of them to rest."""
        for seed in self.seeds:
            if seed.link is not None:
                seed.link.close(reason)

    def hold(self) -> None:
        """The disk took all it can: fetch nothing more for now."""
        for seed in self.seeds:
            if seed.link is not None:
                seed.link.hold(Hold.DISK)

    def release(self) -> None:
        """The disk can take more again."""
        for seed in self.seeds:
            if seed.link is not None:
                seed.link.release(Hold.DISK)

    def ban(self, address: PeerAddress, reason: str) -> bool:
        """Never use a web seed again that sent corrupt data; False if the address is none of them."""
        banned = [seed for seed in self.seeds if seed.address == address]
        for seed in banned:
            seed.next_try = float("inf")
            if seed.link is not None:
                seed.link.close(reason)
            seed.error = reason
        return bool(banned)

    def _start(self, seed: WebSeed, http: HttpClient, now: float) -> None:
        connection = self._next_connection()
        link = seed.link = WebSeedLink(
            seed.url,
            self._metainfo,
            self._geometry,
            self._parts,
            http,
            allow_local=self._allow_local,
            touched=partial(self._touched, connection),
            lost=partial(self._lost, seed, connection),
        )
        peer = link.peer = Peer(
            connection,
            seed.address,
            link,
            self._machine,
            self._geometry,
            self._config,
            peer_id=_PEER_ID,
            fast=True,
            incoming=False,
            now=now,
        )
        self._machine.add_peer(peer)
        peer.receive_have_all()
        peer.receive_unchoke()
        self._machine.touched[connection] = peer
        self._wake()

    def _touched(self, connection: ConnectionId) -> None:
        peer = self._machine.peers.get(connection)
        if peer is not None:
            self._machine.touched[connection] = peer
            self._wake()

    def _lost(
        self, seed: WebSeed, connection: ConnectionId, reason: str, retry_after: float | None
    ) -> None:
        peer = self._machine.peers.get(connection)
        useful = peer is not None and peer.downloaded.total > 0
        self._machine.remove_peer(connection)
        seed.link = None
        seed.error = reason
        seed.failures = 0 if useful else seed.failures + 1
        wait = min(FIRST_RETRY * 2 ** min(seed.failures, 10), LONGEST_RETRY)
        if retry_after is not None:
            wait = max(wait, min(retry_after, LONGEST_RETRY))
        if self._machine.is_active and seed.next_try != float("inf"):
            seed.next_try = asyncio.get_running_loop().time() + wait
        self._wake()


def _parse(url: str) -> WebSeed | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    default = 443 if parts.scheme == "https" else 80
    return WebSeed(url, PeerAddress(parts.hostname, port or default))
