"""The engine: torrents, connections and one tick for all of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from os import PathLike, fspath
from types import TracebackType
from typing import Self

from millstream.core.geometry import ConnectionId
from millstream.core.torrent import BEAT
from millstream.engine.config import EngineConfig
from millstream.engine.connector import Connector
from millstream.engine.link import Link
from millstream.engine.listener import listen_everywhere
from millstream.engine.session import Shared, TorrentSession
from millstream.engine.tick import Tick
from millstream.engine.torrent import Torrent
from millstream.errors import (
    DuplicateTorrentError,
    EngineClosedError,
    RemoteProtocolError,
)
from millstream.interfaces.disk import DiskQueue, DiskResult
from millstream.interfaces.filesystem import FileSystem
from millstream.interfaces.network import Connection, Listener, Network
from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash
from millstream.protocol.metainfo import MAX_TORRENT_LENGTH, Metainfo
from millstream.protocol.peer_id import make_peer_id
from millstream.storage.buffers import PieceBufferPool
from millstream.storage.read_cache import ReadCache

READ_CACHE_BYTES = 4 << 20


class Engine:
    """A BitTorrent engine on some platform; presets make them.

    Use it as an async context manager, or call `start` and `close`.

    Args:
        config: the settings.
        network: streams.
        disk: torrent data.
        files: the cold paths of the disk.
        save_path: the root of torrents that are added without one.
    """

    def __init__(
        self,
        config: EngineConfig,
        network: Network,
        disk: DiskQueue,
        files: FileSystem,
        save_path: str,
    ) -> None:
        self.config = config
        self._network = network
        self._disk = disk
        self._save_path = save_path
        rng = random.Random(config.seed)
        self._tick = Tick(disk)
        self._shared = Shared(
            config=config,
            disk=disk,
            files=files,
            pool=PieceBufferPool(config.transfer.max_buffered_bytes),
            cache=ReadCache(READ_CACHE_BYTES),
            tick=self._tick,
            rng=rng,
            peer_id=make_peer_id(rng),
        )
        self._sessions: dict[InfoHash, TorrentSession] = {}
        self._torrents: dict[InfoHash, Torrent] = {}
        self._links: dict[ConnectionId, Link] = {}
        self._next_connection = 1
        self._connector = Connector(
            network, config.network, lambda: len(self._links), self._make_link
        )
        self._listeners: list[Listener] = []
        self._beat: asyncio.TimerHandle | None = None
        self._running = False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Begin to listen. Raises NetworkError if there is no port to be had."""
        if self._running:
            return
        self._listeners = await listen_everywhere(self._network, self.config.network, self._accept)
        self._disk.start(self._deliver, self._resume)
        self._running = True
        self._beat = asyncio.get_running_loop().call_later(BEAT, self._on_beat)

    async def close(self) -> None:
        """Stop all torrents, finish what is at the disk, free everything. Idempotent."""
        if not self._running:
            return
        for listener in self._listeners:
            listener.close()
        for torrent in list(self._torrents.values()):
            await self.remove(torrent)
        # Not before: until the last torrent is stopped there are new attempts.
        await self._connector.close()
        for link in list(self._links.values()):
            link.close("engine is closed")
        self._running = False
        if self._beat is not None:
            self._beat.cancel()
        await self._disk.close()
        self._tick.stop()

    @property
    def listen_port(self) -> int | None:
        """The port at which peers reach it; None if it does not listen."""
        return self._listeners[0].address.port if self._listeners else None

    @property
    def torrents(self) -> list[Torrent]:
        """The torrents, in the order they were added."""
        return list(self._torrents.values())

    async def add(
        self,
        torrent: Metainfo | bytes | str | PathLike[str],
        *,
        save_path: str | PathLike[str] | None = None,
        peers: Iterable[PeerAddress | str] = (),
        sequential: bool = False,
        seed_mode: bool = False,
        start: bool = True,
    ) -> Torrent:
        """Add a torrent and begin: existing files are checked in the background first.

        Args:
            torrent: a .torrent file's path or contents, or parsed metainfo.
            save_path: the directory under which its files are or will be.
            peers: peers to connect to, `host:port`.
            sequential: fetch pieces in order instead of the rarest first.
            seed_mode: trust that all files are complete and right, and check nothing.
            start: False leaves it stopped.

        Raises:
            MalformedTorrentError: it is no usable torrent.
            StorageError: the path cannot be read.
            DuplicateTorrentError: it is here already.
            EngineClosedError: the engine is not running.
        """
        if not self._running:
            raise EngineClosedError("the engine is not running")
        addresses = [PeerAddress.parse(peer) if isinstance(peer, str) else peer for peer in peers]
        metainfo = await load_metainfo(torrent, self._shared.files)
        if metainfo.info_hash in self._sessions:
            raise DuplicateTorrentError(f"{metainfo.name!r} is in the engine already")
        root = self._shared.files.root(fspath(save_path or self._save_path))
        session = TorrentSession(metainfo, root, self._shared, self._connector.connect_due)
        session.machine.download.picker.sequential = sequential
        session.add_peers(addresses)
        self._sessions[metainfo.info_hash] = session
        added = self._torrents[metainfo.info_hash] = Torrent(session)
        if seed_mode:
            session.assume_complete()
        elif start:
            session.check()
        return added

    async def remove(self, torrent: Torrent) -> None:
        """Stop a torrent and forget it; its files stay."""
        if self._torrents.get(torrent.info_hash) is not torrent:
            return
        session = self._sessions[torrent.info_hash]
        await session.stop()
        del self._torrents[torrent.info_hash], self._sessions[torrent.info_hash]
        torrent.gone()

    # Connections.

    def _accept(self, connection: Connection) -> Link:
        link = self._add_link(connection, None)
        if len(self._links) > self.config.network.max_connections:
            link.close("too many connections")
        return link

    def _make_link(self, connection: Connection, session: TorrentSession) -> Link:
        return self._add_link(connection, session)

    def _add_link(self, connection: Connection, session: TorrentSession | None) -> Link:
        identity = ConnectionId(self._next_connection)
        self._next_connection += 1
        link = Link(identity, connection, session, self._find_session, self._link_closed)
        self._links[identity] = link
        link.deadline = asyncio.get_running_loop().call_later(
            self.config.network.handshake_timeout, self._expect_handshake, link
        )
        return link

    def _expect_handshake(self, link: Link) -> None:
        if link.peer is None:
            link.close("no handshake in time")

    def _find_session(self, info_hash: InfoHash) -> TorrentSession:
        session = self._sessions.get(info_hash)
        if session is None or not session.machine.is_active:
            raise RemoteProtocolError(f"handshake for torrent {info_hash}, which is not active")
        return session

    def _link_closed(self, link: Link) -> None:
        self._links.pop(link.id, None)
        if link.deadline is not None:
            link.deadline.cancel()

    # The tick's sources.

    def _deliver(self, results: list[DiskResult]) -> None:
        for result in results:
            session = self._sessions.get(result.job.torrent)
            if session is not None:
                self._tick.deliver(session, result)

    def _resume(self) -> None:
        for session in self._sessions.values():
            session.resume()

    def _on_beat(self) -> None:
        for session in self._sessions.values():
            if session.links or session.swarm.has_candidates():
                self._tick.wake(session)
        self._beat = asyncio.get_running_loop().call_later(BEAT, self._on_beat)


async def load_metainfo(
    torrent: Metainfo | bytes | str | PathLike[str], files: FileSystem
) -> Metainfo:
    """Read a torrent from wherever it is. Raises MalformedTorrentError and StorageError."""
    if isinstance(torrent, Metainfo):
        return torrent
    if not isinstance(torrent, bytes | bytearray | memoryview):
        torrent = await files.load(fspath(torrent), MAX_TORRENT_LENGTH + 1)
    return Metainfo.parse(bytes(torrent))
