"""The engine: torrents, connections and one tick for all of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from os import PathLike, fspath
from types import TracebackType
from typing import Self

from millstream.core.metadata_fetch import MetadataFetch
from millstream.core.swarm import PeerSource
from millstream.core.torrent import BEAT
from millstream.core.torrent_state import TorrentState
from millstream.engine.config import EngineConfig
from millstream.engine.idle_watch import IdleWatch
from millstream.engine.limits import Limits
from millstream.engine.links import Links
from millstream.engine.listener import listen_everywhere
from millstream.engine.magnet import MagnetStage
from millstream.engine.membership import Membership
from millstream.engine.persistence import Persistence
from millstream.engine.restored import RestoredSession, take_over
from millstream.engine.saved_torrent import SavedTorrent
from millstream.engine.session import TorrentSession
from millstream.engine.shared import Shared
from millstream.engine.sources import TorrentSource, load_source
from millstream.engine.tick import Tick
from millstream.engine.tick_meter import TickStats
from millstream.engine.torrent import Torrent
from millstream.engine.torrent_options import Selection, TorrentOptions
from millstream.engine.udp_trackers import UdpTrackers
from millstream.errors import (
    ConfigError,
    DuplicateTorrentError,
    EngineClosedError,
    EngineError,
    MillstreamError,
)
from millstream.interfaces.disk import DiskResult
from millstream.interfaces.network import Listener
from millstream.interfaces.platform import Platform
from millstream.logging.component_logger import component_logger
from millstream.protocol.address_scope import is_local
from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash
from millstream.protocol.magnet import Magnet
from millstream.protocol.metainfo import Metainfo
from millstream.protocol.peer_id import client_name, make_peer_id
from millstream.storage.buffers import PieceBufferPool
from millstream.storage.read_cache import ReadCache
from millstream.tracker.tracker_url import TrackerUrl

READ_CACHE_BYTES = 4 << 20

_LOG = component_logger("engine")


class Engine:
    """A BitTorrent engine on some platform; presets make them.

    Use it as an async context manager, or call `start` and `close`.

    Args:
        config: the settings.
        platform: what it stands on.
        save_path: the root of torrents that are added without one.
    """

    def __init__(self, config: EngineConfig, platform: Platform, save_path: str) -> None:
        self.config = config
        self._platform = platform
        self._save_path = save_path
        self._members: dict[InfoHash, Membership] = {}
        self._torrents: dict[InfoHash, Torrent] = {}
        rng = random.Random(config.seed)
        peer_id = make_peer_id(rng)
        self._tick = Tick(platform.disk)
        self._idle_watch = IdleWatch(self._members.values)
        self._limits = Limits(config.limits, platform.clock)
        self._udp = UdpTrackers(platform.network, rng, config.trackers)
        self._links = Links(config, platform, self._members.get, self._members.values)
        self._shared = Shared(
            config=config,
            platform=platform,
            pool=PieceBufferPool(config.transfer.max_buffered_bytes),
            cache=ReadCache(READ_CACHE_BYTES),
            tick=self._tick,
            limits=self._limits,
            udp=self._udp,
            rng=rng,
            peer_id=peer_id,
            client=client_name(peer_id),
            key=rng.getrandbits(32),
            next_connection=self._links.next_connection,
            listen_port=lambda: self.listen_port,
            families=self._families,
        )
        self._persistence: Persistence | None = None
        if platform.store is not None:
            self._persistence = Persistence(platform.store, platform.files, platform.clock)
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
        """Begin to listen.

        Raises:
            NetworkError: there is no port to be had.
            StorageError: the session cannot be used; another process may have it.
        """
        if self._running:
            return
        if self._persistence is not None:
            await self._persistence.open()
        try:
            self._listeners = await listen_everywhere(
                self._platform.network, self.config.network, self._links.accept
            )
        except BaseException:
            if self._persistence is not None:
                await self._persistence.close()
            raise
        self._platform.disk.start(self._deliver, self._resume)
        self._limits.start()
        self._running = True
        _LOG.info("started, listens at port %s", self.listen_port)
        self._beat = asyncio.get_running_loop().call_later(BEAT, self._on_beat)

    async def close(self) -> None:
        """Stop all torrents, finish what is at the disk, free everything. Idempotent."""
        if not self._running:
            return
        for listener in self._listeners:
            listener.close()
        # Together: each may wait for its trackers to hear that it stops.
        await asyncio.gather(*(self._leave(torrent) for torrent in self.torrents))
        # Not before: until the last torrent is stopped there are new attempts.
        await self._links.close()
        self._running = False
        if self._beat is not None:
            self._beat.cancel()
        self._limits.close()
        self._udp.close()
        if self._persistence is not None:
            await self._persistence.close()
        await self._platform.disk.close()
        if self._platform.http is not None:
            await self._platform.http.close()
        self._tick.stop()
        _LOG.info("closed")

    @property
    def listen_port(self) -> int | None:
        """The port at which peers reach it; None if it does not listen."""
        return self._listeners[0].address.port if self._listeners else None

    def _families(self) -> tuple[int, ...]:
        """The IP versions in which peers reach us; all, if we accept nobody."""
        hosts = [listener.address.host for listener in self._listeners]
        return tuple(sorted({6 if ":" in host else 4 for host in hosts})) or (4, 6)

    @property
    def torrents(self) -> list[Torrent]:
        """The torrents, in the order they were added."""
        return list(self._torrents.values())

    async def add(
        self,
        torrent: TorrentSource,
        *,
        save_path: str | PathLike[str] | None = None,
        peers: Iterable[PeerAddress | str] = (),
        trackers: Iterable[str] = (),
        select: Selection | None = None,
        sequential: bool = False,
        seed_mode: bool = False,
        observe: bool = False,
        start: bool = True,
    ) -> Torrent:
        """Add a torrent and begin: existing files are checked in the background first.

        Args:
            torrent: a .torrent file's path or contents, a magnet link, the URL of a .torrent file,
                or parsed metainfo. A magnet's metadata is fetched from its peers in the background.
            save_path: the directory under which its files are or will be.
            peers: peers to connect to, `host:port`.
            trackers: announce URLs besides the torrent's own. If one of these, or of the peers, is
                at an address that is not global, all trackers and web seeds of the torrent may be;
                else they may not, unless `EngineConfig.trackers` allows it.
            select: numbers of the files to get, from 0, or a function that gives them once the
                metainfo is known; None gets all, or what the magnet selects (BEP 53).
            sequential: fetch pieces in order instead of the rarest first.
            seed_mode: trust that all files are complete and right, and check nothing.
            observe: get nothing, but stay connected to everybody, seeds included; what is there
                is served.
            start: False leaves it stopped.

        Raises:
            MalformedTorrentError: it is no usable torrent.
            MalformedMagnetError: it is no usable magnet link.
            StorageError: the path cannot be read.
            HttpError: the URL cannot be fetched.
            ConfigError: there is no such file to select.
            TrackerError: one of `trackers` is no announce URL.
            DuplicateTorrentError: it is here already.
            EngineClosedError: the engine is not running.
        """
        if not self._running:
            raise EngineClosedError("the engine is not running")
        addresses = [PeerAddress.parse(peer) if isinstance(peer, str) else peer for peer in peers]
        source = await load_source(torrent, self._platform.files, self._platform.http)
        if source.info_hash in self._members:
            raise DuplicateTorrentError(f"{source.name!r} is in the engine already")
        extra = list(trackers)
        member = self._join(source, save_path, addresses, extra)
        options = TorrentOptions.make(sequential=sequential, select=select, observe=observe)
        added = self._enter(source, member, options)
        member.add_peers(addresses, PeerSource.USER)
        member.add_peers(member.magnet.peers, PeerSource.MAGNET)
        member.is_stopped_by_user = not start and not seed_mode
        if self._persistence is not None:
            self._persistence.add_new(member, options, extra)
        if seed_mode and isinstance(member.stage, TorrentSession):
            member.stage.assume_complete()
        elif start:
            await member.stage.start()
        return added

    async def remove(self, torrent: Torrent) -> None:
        """Stop a torrent and forget it; its files stay."""
        if self._torrents.get(torrent.info_hash) is torrent:
            await self._leave(torrent)
            if self._persistence is not None:
                await self._persistence.forget(torrent.info_hash)

    async def _leave(self, torrent: Torrent) -> None:
        if self._torrents.get(torrent.info_hash) is not torrent:
            return
        await self._members[torrent.info_hash].stop()
        if self._torrents.pop(torrent.info_hash, None) is not None:
            self._members.pop(torrent.info_hash).journal.removed()
            self._links.remove_torrent(torrent.info_hash)
            torrent.gone()

    # The session.

    async def restore_session(self) -> RestoredSession:
        """Add all torrents of the session that are not here yet, as they were.

        Their files are checked by size and time of modification, and only what does not match is
        read again. A torrent that cannot be restored hinders no other, and stays in the session.

        Raises:
            EngineError: the engine was made without a session.
            EngineClosedError: it is not running.
            StorageError: the session cannot be read.
        """
        if self._persistence is None:
            raise EngineError("the engine was made without a session")
        if not self._running:
            raise EngineClosedError("the engine is not running")
        torrents: list[Torrent] = []
        failed: dict[InfoHash, MillstreamError] = {}
        async for info_hash, saved in self._persistence.saved():
            if info_hash in self._members:
                continue
            try:
                if isinstance(saved, MillstreamError):
                    raise saved
                torrents.append(await self._restore(saved, self._persistence))
            except MillstreamError as error:
                failed[info_hash] = error
                _LOG.warning("the torrent %s was not restored: %s", info_hash, error)
        return RestoredSession(tuple(torrents), failed)

    async def save_session(self) -> None:
        """Save what changed now, not within a second. Raises StorageError."""
        if self._persistence is not None:
            await self._persistence.save()

    async def _restore(self, saved: SavedTorrent, persistence: Persistence) -> Torrent:
        state, source = saved.state, saved.source
        member = self._join(
            source, state.save_path, (), state.trackers, allow_local=state.allow_local
        )
        restored = self._enter(source, member, TorrentOptions.of_state(state))
        take_over(member, saved)
        persistence.add_restored(member, state)
        if not state.stopped:
            await member.stage.start()
        return restored

    # Limits.

    @property
    def limits(self) -> tuple[int | None, int | None]:
        """What holds now for all torrents together, down and up: bytes a second, or None."""
        return self._limits.download, self._limits.upload

    def set_limits(self, *, download: int | None, upload: int | None) -> None:
        """Limit all torrents together, in bytes a second; None: no limit. Raises ConfigError."""
        self._limits.set(download=download, upload=upload)

    def tick_stats(self) -> TickStats:
        """How long the ticks of the last seconds took, and what there is to do in them."""
        count, total, longest = self._tick.meter.window(asyncio.get_running_loop().time())
        members = self._members.values()
        stages = [member.stage for member in members]
        return TickStats(
            count=count,
            total=total,
            longest=longest,
            active_pieces=sum(
                len(stage.machine.download.active)
                for stage in stages
                if isinstance(stage, TorrentSession)
            ),
            connected_peers=sum(len(member.links) for member in members),
            active_torrents=sum(stage.is_active for stage in stages),
        )

    # What a torrent is made of.

    def _join(
        self,
        source: Metainfo | Magnet,
        save_path: str | PathLike[str] | None,
        peers: Sequence[PeerAddress],
        trackers: Sequence[str],
        *,
        allow_local: bool = False,
    ) -> Membership:
        root = self._platform.files.root(fspath(save_path or self._save_path))
        is_magnet = isinstance(source, Magnet)
        magnet = source if isinstance(source, Magnet) else Magnet.of(source)
        tiers = [[url] for url in magnet.trackers] if is_magnet else list(source.trackers)
        hosts = [peer.host for peer in (*peers, *magnet.peers)]
        hosts += [TrackerUrl.parse(url).host for url in trackers]
        return Membership(
            magnet,
            [*tiers, *([url] for url in trackers)],
            root,
            self._shared,
            self._links.connector,
            # Whoever came with hosts of a local network may have its trackers there.
            allow_local=allow_local
            or any(map(is_local, hosts))
            or self.config.trackers.allow_local,
            fetch=MetadataFetch(magnet.info_hash, self._shared.rng) if is_magnet else None,
        )

    def _enter(
        self, source: Metainfo | Magnet, member: Membership, options: TorrentOptions
    ) -> Torrent:
        try:
            if isinstance(source, Metainfo):
                member.stage = self._make_session(source, member, options)
            else:
                member.stage = self._make_magnet_stage(source, member, options)
        except ConfigError:
            member.limits.close()
            raise
        self._members[source.info_hash] = member
        self._links.add_torrent(source.info_hash)
        torrent = self._torrents[source.info_hash] = Torrent(member)
        member.journal.added(source.name or str(source.info_hash))
        return torrent

    def _make_session(
        self, metainfo: Metainfo, member: Membership, options: TorrentOptions
    ) -> TorrentSession:
        session = TorrentSession(metainfo, member, self._shared)
        session.machine.download.picker.sequential = options.sequential
        session.machine.keep_seeds = options.observe
        if options.select is not None:
            session.select_files(options.choose(metainfo))
        return session

    def _make_magnet_stage(
        self, magnet: Magnet, member: Membership, options: TorrentOptions
    ) -> MagnetStage:
        def arrived(info: bytes) -> None:
            metainfo = Metainfo.from_info(
                info, [[url] for url in magnet.trackers], magnet.web_seeds
            )
            session = self._make_session(metainfo, member, options.or_select(magnet.select))
            session.machine.state = TorrentState.FETCHING_METADATA
            member.stage = session
            session.check()

        return MagnetStage(member, arrived)

    # The tick's sources.

    def _deliver(self, results: list[DiskResult]) -> None:
        for result in results:
            member = self._members.get(result.job.torrent)
            if member is not None:
                self._tick.deliver(member, result)

    def _resume(self) -> None:
        for member in self._members.values():
            member.resume()

    def _on_beat(self) -> None:
        for member in self._members.values():
            if member.is_busy:
                member.wake()
        self._limits.beat()
        self._idle_watch.beat(asyncio.get_running_loop().time())
        self._beat = asyncio.get_running_loop().call_later(BEAT, self._on_beat)
