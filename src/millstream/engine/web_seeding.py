"""The web seeds of one torrent: which are at work, and when one that failed is tried again."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from millstream.core.config import TransferConfig
from millstream.core.geometry import BLOCK_SHIFT, ConnectionId
from millstream.core.peer import Peer
from millstream.core.piece_set import set_of_ranges
from millstream.core.torrent import TorrentMachine
from millstream.engine.reading import Hold
from millstream.engine.status import (
    PeerStatus,
    WebSeedState,
    WebSeedStatus,
    peer_status,
)
from millstream.engine.torrent_limits import TorrentLimits
from millstream.engine.web_seed import MAX_REQUESTS, WebSeedLink
from millstream.engine.web_seed_files import WebSeedFiles
from millstream.interfaces.http import HttpClient
from millstream.protocol.bitfield import encode_bitfield
from millstream.protocol.compact import PeerAddress
from millstream.protocol.metainfo import Metainfo
from millstream.storage.layout import FileLayout

# Web seeds of a torrent that are known, and that are used at a time.
MAX_WEB_SEEDS = 100
MAX_AT_WORK = 8
# Seconds until one is tried again: after a failure of one that had sent something, after the first
# failure of another (libtorrent's `urlseed_wait_retry` is 30), and at most.
QUICK_RETRY = 10.0
FIRST_RETRY = 30.0
LONGEST_RETRY = 3600.0

_PEER_ID = b"-WS0000-            "
_PORTS = {"http": 80, "https": 443}


@dataclass(slots=True)
class WebSeed:
    """A web seed and how it fared.

    Attributes:
        url: as the torrent has it.
        address: host and port; None if the URL cannot be used.
        link: while it is at work.
        failures: since it last sent something.
        next_try: monotonic seconds; infinite if never again.
        error: what went wrong last.
        is_banned: whether it sent corrupt data.
        downloaded: payload bytes that it sent when it was at work before.
    """

    url: str
    address: PeerAddress | None
    link: WebSeedLink | None = None
    failures: int = 0
    next_try: float = 0.0
    error: str | None = None
    is_banned: bool = False
    downloaded: int = 0

    @property
    def identity(self) -> PeerAddress:
        """What its data is traced back to: one host may have several web seeds."""
        return PeerAddress(self.url, self.address.port if self.address else 0)

    @property
    def state(self) -> WebSeedState:
        """What it is to the torrent at the moment."""
        if self.link is not None:
            return WebSeedState.ACTIVE
        if self.is_banned:
            return WebSeedState.BANNED
        if self.address is None:
            return WebSeedState.UNUSABLE
        return WebSeedState.IDLE if self.error is None else WebSeedState.FAILED


class WebSeeding:
    """Keeps web seeds at work while a torrent downloads; an `engine.web_seed.WebSeedOwner`.

    Args:
        metainfo: the torrent, with its web seeds (BEP 19).
        layout: where its files lie.
        machine: takes web seeds for peers.
        limits: the torrent's rate limits.
        http: fetches; without it there are no web seeds.
        allow_local: whether their hosts' addresses need not be global.
        next_connection: gives connection ids.
        wake: asks for a tick.
    """

    def __init__(
        self,
        metainfo: Metainfo,
        layout: FileLayout,
        machine: TorrentMachine,
        limits: TorrentLimits,
        config: TransferConfig,
        http: HttpClient | None,
        *,
        allow_local: bool,
        next_connection: Callable[[], ConnectionId],
        wake: Callable[[], None],
    ) -> None:
        self.seeds = [_parse(url) for url in metainfo.web_seeds[:MAX_WEB_SEEDS]]
        self._metainfo = metainfo
        self._layout = layout
        self._machine = machine
        self._limits = limits
        self._config = config
        self._http = http
        self._allow_local = allow_local
        self._next_connection = next_connection
        self._wake = wake
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def departed_downloaded(self) -> int:
        """Payload bytes from web seeds before they came to rest, or failed."""
        return sum(seed.downloaded for seed in self.seeds)

    @property
    def is_tended(self) -> bool:
        """Whether time alone may bring something about."""
        return any(seed.link or seed.next_try < math.inf for seed in self.seeds)

    def statuses(self, now: float) -> list[WebSeedStatus]:
        """All of them, in the torrent's order."""
        return [
            WebSeedStatus(
                url=seed.url,
                state=seed.state,
                error=seed.error,
                next_try=max(0.0, seed.next_try - now)
                if seed.state is WebSeedState.FAILED
                else None,
                downloaded=seed.downloaded + (seed.link.peer.downloaded.total if seed.link else 0),
            )
            for seed in self.seeds
        ]

    def peer_statuses(self, now: float) -> list[PeerStatus]:
        """Those at work, as peers."""
        return [
            replace(
                peer_status(seed.link.peer, "web seed", "", now),
                address=seed.address,
                client="web server",
            )
            for seed in self.seeds
            if seed.link is not None and seed.address is not None
        ]

    # Work and rest.

    def tend(self, now: float) -> None:
        """Put those to work that are due, and look after the others; twice a second."""
        if self._http is None:
            return
        at_work = 0
        for seed in self.seeds:
            if seed.link is not None:
                at_work += 1
                seed.link.tend(now)
        for seed in self.seeds:
            if at_work >= MAX_AT_WORK:
                return
            if seed.link is None and seed.next_try <= now:
                at_work += 1
                self._start(seed, self._http, now)

    def close(self, reason: str) -> None:
        """Put all of them to rest."""
        for seed in self.seeds:
            if seed.link is not None:
                seed.link.close(reason)

    async def finish(self) -> None:
        """Wait until the last request is abandoned."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def hold(self) -> None:
        """The disk took all it can: fetch nothing more for now."""
        for seed in self.seeds:
            if seed.link is not None:
                seed.link.reading.hold(Hold.DISK)

    def release(self, now: float) -> None:
        """The disk can take more again."""
        for seed in self.seeds:
            if seed.link is not None:
                seed.link.reading.release(Hold.DISK, now)

    def ban(self, identity: PeerAddress, reason: str) -> bool:
        """Never use a web seed again that sent corrupt data; False if it was none of them."""
        for seed in self.seeds:
            if seed.identity == identity:
                seed.is_banned = True
                seed.next_try = math.inf
                if seed.link is not None:
                    seed.link.close(reason)
                seed.error = reason
                return True
        return False

    def _start(self, seed: WebSeed, http: HttpClient, now: float) -> None:
        connection = self._next_connection()
        files = WebSeedFiles(
            seed.url, self._metainfo, self._layout, http, allow_local=self._allow_local
        )
        link = seed.link = WebSeedLink(files, self._machine.geometry, self, self._tasks)
        peer = link.peer = Peer(
            connection,
            seed.identity,
            link,
            self._machine,
            self._machine.geometry,
            self._config,
            peer_id=_PEER_ID,
            fast=True,
            incoming=False,
            now=now,
        )
        peer.depth.limit(MAX_REQUESTS)
        peer.run_at = self._machine.geometry.piece_count
        self._machine.add_peer(peer)
        self._limits.add(link)
        peer.receive_have_all()
        peer.receive_unchoke()
        self.touched(link)

    # engine.web_seed.WebSeedOwner

    def is_wanted(self, link: WebSeedLink, index: int, begin: int) -> bool:
        """Whether a block is still awaited from it."""
        piece = self._machine.download.active.get(index)
        return piece is not None and piece.is_awaited_from(link.peer.id, begin >> BLOCK_SHIFT)

    def touched(self, link: WebSeedLink) -> None:
        """Blocks came."""
        self._machine.touched[link.peer.id] = link.peer
        self._wake()

    def file_unusable(self, link: WebSeedLink, file: int, error: str) -> bool:
        """It lacks a file: ask it for what is not in it. Whether there is such."""
        for seed in self.seeds:
            if seed.link is link:
                seed.error = error
        count = self._machine.geometry.piece_count
        lost = set_of_ranges(self._layout.pieces_of([file]), count)
        left = link.peer.pieces & ~lost
        if left:
            link.peer.receive_bitfield(memoryview(encode_bitfield(left, count)))
            self.touched(link)
        return bool(left)

    def lost(self, link: WebSeedLink, error: str | None, retry_after: float | None) -> None:
        """It is at work no more."""
        [seed] = [seed for seed in self.seeds if seed.link is link]
        received = link.peer.downloaded.total
        self._limits.remove(link)
        self._machine.remove_peer(link.peer.id)
        seed.link = None
        seed.downloaded += received
        seed.error = error
        if error is not None:
            seed.failures = 0 if received else seed.failures + 1
            wait = QUICK_RETRY
            if seed.failures:
                wait = min(FIRST_RETRY * 2.0 ** min(seed.failures - 1, 10), LONGEST_RETRY)
            if retry_after is not None:
                wait = max(wait, min(retry_after, LONGEST_RETRY))
            seed.next_try = asyncio.get_running_loop().time() + wait
        self._wake()


def _parse(url: str) -> WebSeed:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        port = 0
    if not port or not parts.hostname or parts.scheme not in _PORTS:
        error = "is no URL that begins with http:// or https://"
        return WebSeed(url, None, next_try=math.inf, error=error)
    return WebSeed(url, PeerAddress(parts.hostname, port))
