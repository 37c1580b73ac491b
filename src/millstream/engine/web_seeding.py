"""The web seeds of one torrent: which are at work, and what they are to its machine."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace

from millstream.core.config import TransferConfig
from millstream.core.geometry import BLOCK_SHIFT, ConnectionId
from millstream.core.peer import Peer
from millstream.core.piece_set import set_of_ranges
from millstream.core.torrent import TorrentMachine
from millstream.engine.journal import Journal
from millstream.engine.known_web_seed import WebSeed
from millstream.engine.reading import Hold
from millstream.engine.status import PeerStatus, WebSeedStatus, peer_status
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

_PEER_ID = b"-WS0000-            "


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
        journal: where what happens goes.
    """

    __slots__ = (
        *("_allow_local", "_config", "_http", "_journal", "_layout", "_limits", "_machine"),
        *("_metainfo", "_next_connection", "_tasks", "_wake", "seeds"),
    )

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
        journal: Journal,
    ) -> None:
        urls = list(dict.fromkeys(metainfo.web_seeds))[:MAX_WEB_SEEDS]
        self.seeds = tuple([WebSeed.parse(url) for url in urls])
        self._metainfo = metainfo
        self._journal = journal
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
        return [seed.status(now) for seed in self.seeds]

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
                if seed.link is not None:
                    seed.link.close(reason)
                seed.ban(reason)
                self._journal.web_seed_banned(seed.url, reason)
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
            self._machine.transfer,
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
        piece = self._machine.transfer.download.active.get(index)
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
        self._limits.remove(link)
        self._machine.remove_peer(link.peer.id)
        seed.rested(error, retry_after, asyncio.get_running_loop().time())
        if error is not None:
            self._journal.web_seed_failed(seed.url, error)
        self._wake()
