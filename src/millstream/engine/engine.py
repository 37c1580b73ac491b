"""The engine: torrents, connections and one tick for all of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Self

from millstream.core.swarm import PeerSource
from millstream.engine.assembly import Assembly
from millstream.engine.config import EngineConfig
from millstream.engine.engine_events import EngineEvent, EngineHub, TorrentAdded, TorrentRemoved
from millstream.engine.engine_stats import tick_stats
from millstream.engine.garbage import uncollected
from millstream.engine.goal_ends import GoalEnds
from millstream.engine.heartbeat import Heartbeat
from millstream.engine.housekeeping import Housekeeping
from millstream.engine.idle_watch import IdleWatch
from millstream.engine.kept_pieces import KeptPieces
from millstream.engine.limits import Limits
from millstream.engine.links import Links
from millstream.engine.listener import Listeners
from millstream.engine.membership import Membership
from millstream.engine.partial_record import MAX_PARTIAL_BYTES
from millstream.engine.queue import Queue
from millstream.engine.running_settings import RunningSettings
from millstream.engine.session import TorrentSession
from millstream.engine.shared import Shared
from millstream.engine.sources import TorrentSource, load_source
from millstream.engine.tick import Tick
from millstream.engine.tick_meter import TickStats
from millstream.engine.torrent import Torrent
from millstream.engine.torrent_options import Selection, TorrentOptions
from millstream.engine.tracker_access import TrackerAccess
from millstream.errors import DuplicateTorrentError, EngineClosedError, EngineError
from millstream.interfaces.disk import DiskResult
from millstream.interfaces.platform import Platform
from millstream.logging.component_logger import component_logger
from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash
from millstream.protocol.magnet import Magnet
from millstream.protocol.metainfo import Metainfo
from millstream.protocol.peer_id import client_name, make_peer_id
from millstream.storage.buffers import PieceBufferPool
from millstream.storage.read_cache import ReadCache
from millstream.storage.roots import StorageRootManager

if TYPE_CHECKING:
    from millstream.engine.persistence import Persistence
    from millstream.engine.restored import RestoredSession

READ_CACHE_BYTES = 4 << 20

_LOG = component_logger("engine")


class Engine:
    """A BitTorrent engine on some platform; presets make them.

    Use it as an async context manager, or call `start` and `close`.

    Args:
        config: the settings.
        platform: what it stands on.
        save_path: where torrents are stored that are added without saying where, unless the session
            has a default root that the user chose.

    Attributes:
        roots: where torrents may be.
    """

    def __init__(self, config: EngineConfig, platform: Platform, save_path: str) -> None:
        self._platform = platform
        self._save_path = save_path
        self._members: dict[InfoHash, Membership] = {}
        self._torrents: dict[InfoHash, Torrent] = {}
        rng = random.Random(config.seed)
        peer_id = make_peer_id(rng)
        self.roots = StorageRootManager(random.Random(config.seed), platform.files.root)
        self._listeners = Listeners()
        self._tick = Tick(platform.disk)
        self._idle_watch = IdleWatch(self._members.values)
        self._limits = Limits(config.limits, platform.clock)
        self.queue = Queue(config.queue, self._members.get)
        self._goal_ends = GoalEnds(
            config.goals, self._members.values, self._torrents.get, self.remove
        )
        self._links = Links(config, platform, self._members.get, self._members.values)
        self._housekeeping = Housekeeping(config, platform, self.roots, self._members)
        self._trackers = TrackerAccess.make(
            peer_id, self._listeners, platform, rng, config.trackers
        )
        self._shared = Shared(
            config=config,
            platform=platform,
            pool=PieceBufferPool(config.transfer.max_buffered_bytes),
            cache=ReadCache(READ_CACHE_BYTES),
            kept_pieces=KeptPieces(MAX_PARTIAL_BYTES),
            roots=self.roots,
            disk_watch=self._housekeeping,
            tick=self._tick,
            limits=self._limits,
            queue=self.queue,
            trackers=self._trackers,
            rng=rng,
            peer_id=peer_id,
            client=client_name(peer_id),
            next_connection=self._links.next_connection,
            listen_port=lambda: self._listeners.port,
        )
        self._assembly = Assembly(self._shared, self._links.connector)
        self._persistence: Persistence | None = None
        if platform.store is not None:
            # Here: most engines remember nothing, and much is imported by those that do.
            from millstream.engine.persistence import Persistence  # noqa: PLC0415

            self._persistence = Persistence(
                platform.store, platform.files, platform.clock, self.roots, self.queue
            )
        self._hub = EngineHub()
        self._settings = RunningSettings(
            config, self._limits, self.queue, self._goal_ends.watch, self._persistence
        )
        self._heartbeat = Heartbeat(
            [
                self._tick.beat,
                lambda _: self._limits.beat(),
                self._housekeeping.beat,
                self._idle_watch.beat,
                self.queue.beat,
                self._goal_ends.watch.beat,
            ]
        )
        self._running = self._is_over = False

    @property
    def config(self) -> EngineConfig:
        """The settings."""
        return self._settings.config

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
        """Begin to listen. An engine starts once: one that cannot is closed then.

        Raises:
            NetworkError: there is no port to be had.
            StorageError: the session cannot be used; another process may have it.
            EngineClosedError: it was closed before.
        """
        if self._running:
            return
        if self._is_over:
            raise EngineClosedError("the engine was closed: make another")
        try:
            if self._persistence is not None:
                await self._persistence.open()
            default = self.roots.default
            if default is None or default.is_implicit:
                # What was only handed over at the start of the last run was for that run.
                self.roots.set_default(self.roots.for_path(self._save_path).token)
            network = self._platform.network
            await self._listeners.open(network, self.config.network, self._links.accept)
        except BaseException:
            self._listeners.close()
            await self._free()
            raise
        self._platform.disk.start(self._deliver, self._resume)
        self._limits.start()
        self._settings.restore()
        self._running = True
        _LOG.info("started, listens at port %s", self.listen_port)
        self._heartbeat.start()

    async def close(self) -> None:
        """Stop all torrents, finish what is at the disk, free everything. Idempotent."""
        if not self._running:
            return
        self._listeners.close()
        await self._housekeeping.close()
        await self.queue.close()
        await self._goal_ends.close()
        # Together: each may wait for its trackers to hear that it stops.
        await asyncio.gather(*(self._leave(torrent) for torrent in self.torrents))
        # Not before: until the last torrent is stopped there are new attempts.
        await self._links.close()
        self._running = False
        self._heartbeat.stop()
        self._limits.close()
        self._trackers.close()
        await self._free()
        self._tick.stop()
        _LOG.info("closed")

    async def _free(self) -> None:
        """Let go of what it stands on."""
        self._is_over = True
        if self._persistence is not None:
            await self._persistence.close()
        await self._platform.disk.close()
        await self._platform.files.close()
        if self._platform.http is not None:
            await self._platform.http.close()

    @property
    def listen_port(self) -> int | None:
        """The port at which peers reach it; None if it does not listen."""
        return self._listeners.port

    @property
    def torrents(self) -> list[Torrent]:
        """The torrents, in the order they were added; those of the last run in its queue's order."""
        return list(self._torrents.values())

    def find(self, info_hash: InfoHash) -> Torrent | None:
        """The torrent with this infohash, if it is here."""
        return self._torrents.get(info_hash)

    async def add(
        self,
        torrent: TorrentSource,
        *,
        save_path: str | PathLike[str] | None = None,
        root: str | None = None,
        peers: Iterable[PeerAddress | str] = (),
        trackers: Iterable[str] = (),
        select: Selection | None = None,
        sequential: bool = False,
        first_last: bool = False,
        seed_mode: bool = False,
        observe: bool = False,
        start: bool = True,
    ) -> Torrent:
        """Add a torrent and begin: existing files are checked in the background first.

        Args:
            torrent: a .torrent file's path or contents, a magnet link, the URL of a .torrent file,
                or parsed metainfo. A magnet's metadata is fetched from its peers in the background.
            save_path: the directory under which its files are or will be.
            root: the token of a storage root, instead of `save_path`; without either, the default.
            peers: peers to connect to, `host:port`.
            trackers: announce URLs besides the torrent's own. If one of these, or of the peers, is
                at an address that is not global, all trackers and web seeds of the torrent may be;
                else they may not, unless `EngineConfig.trackers` allows it.
            select: numbers of the files to get, from 0, or a function that gives them once the
                metainfo is known; None gets all, or what the magnet selects (BEP 53).
            sequential: fetch pieces in order instead of the rarest first.
            first_last: fetch the first and last pieces of files before all others.
            seed_mode: trust that all files are complete and right, and check nothing.
            observe: get nothing, but stay connected to everybody, seeds included; what is there
                is served.
            start: False leaves it stopped.

        Raises:
            MalformedTorrentError: it is no usable torrent.
            MalformedMagnetError: it is no usable magnet link.
            StorageError: the path cannot be read.
            HttpError: the URL cannot be fetched.
            ConfigError: there is no such file to select, or no such root.
            TrackerError: one of `trackers` is no announce URL.
            DuplicateTorrentError: it is here already.
            EngineClosedError: the engine is not running.
        """
        if not self._running:
            raise EngineClosedError("the engine is not running")
        addresses = [PeerAddress.parse(peer) if isinstance(peer, str) else peer for peer in peers]
        source = await load_source(torrent, self._platform.files, self._platform.http)
        there = self._torrents.get(source.info_hash)
        if there is not None:
            raise DuplicateTorrentError(f"{there.name!r} is in the engine already")
        extra = list(trackers)
        options = TorrentOptions.make(
            sequential=sequential, first_last=first_last, select=select, observe=observe
        )
        member = self._assembly.make(
            source,
            self.roots.choose(root, save_path, self._save_path),
            options,
            peers=addresses,
            trackers=extra,
        )
        added = self._enter(source, member)
        member.add_peers(addresses, PeerSource.USER)
        if isinstance(source, Magnet):
            member.add_peers(source.peers, PeerSource.MAGNET)
        member.added_at = self._platform.clock.wall_time()
        member.is_stopped_by_user = not start and not seed_mode
        self.queue.entered(member)
        if self._persistence is not None:
            self._persistence.add_new(member, options, extra)
        if seed_mode and isinstance(member.stage, TorrentSession):
            await member.stage.assume_complete()
        elif start:
            await member.stage.start()
        self._hub.emit(TorrentAdded(added))
        return added

    def _enter(self, source: Metainfo | Magnet, member: Membership) -> Torrent:
        self._members[source.info_hash] = member
        self._links.add_torrent(source.info_hash)
        torrent = self._torrents[source.info_hash] = Torrent(member)
        member.journal.added(source.name or str(source.info_hash))
        return torrent

    async def remove(self, torrent: Torrent, *, delete_data: bool = False) -> None:
        """Stop a torrent and forget it.

        Args:
            torrent: of this engine; another is passed over.
            delete_data: delete its files and the directories that are empty then. Files that were
                there before it, or that another torrent uses, stay, as do files that are not of it.

        Raises:
            StorageError: not all files could be deleted; the torrent is gone nevertheless.
        """
        if self._torrents.get(torrent.info_hash) is not torrent:
            return
        member = self._members[torrent.info_hash]
        member.is_removed = True
        self._hub.emit(TorrentRemoved(torrent, delete_data))
        await self._leave(torrent)
        member.journal.removed()
        if self._persistence is not None:
            await self._persistence.forget(torrent.info_hash)
        try:
            if delete_data and isinstance(member.stage, TorrentSession):
                await member.stage.delete_files()
        finally:
            self.roots.unassign(torrent.info_hash)
            self._shared.kept_pieces.take(torrent.info_hash)

    async def _leave(self, torrent: Torrent) -> None:
        if self._torrents.get(torrent.info_hash) is not torrent:
            return
        # First what moves its files: a stop does not wait for that.
        await self._members[torrent.info_hash].stage.leave()
        await self._members[torrent.info_hash].stop()
        if self._torrents.pop(torrent.info_hash, None) is not None:
            member = self._members.pop(torrent.info_hash)
            self.queue.left(torrent.info_hash)
            self._links.remove_torrent(torrent.info_hash)
            torrent.gone()
            self._tick.forget(member)

    async def accept_root(self, token: str) -> None:
        """Take the directory that is at a storage root's path for the root, whatever is in it.

        For a disk that was replaced: until then its torrents fail with RootUnavailableError, and
        after that they fetch what is missing. Raises ConfigError if there is no such root.
        """
        await self._housekeeping.accept_root(token)

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
        from millstream.engine.restored import bring_back, start_all  # noqa: PLC0415 - as above

        with uncollected():
            restored = await bring_back(
                self._persistence, self._assembly, self.roots, self._members, self._enter
            )
            # A disk that is not mounted must be known before anybody looks for files on it.
            await self._housekeeping.look_at_roots()
            for torrent in restored.torrents:
                if torrent.info_hash in self._members:
                    self._hub.emit(TorrentAdded(torrent, restored=True))
            await start_all(restored.torrents, self._members)
        return restored

    async def save_session(self) -> None:
        """Save what changed now, not within a second. Raises StorageError."""
        if self._persistence is not None:
            await self._persistence.save()

    # Events.

    def listen(self, listener: Callable[[EngineEvent], None]) -> None:
        """Call this with every event as it happens. It must be quick."""
        self._hub.listen(listener)

    def unlisten(self, listener: Callable[[EngineEvent], None]) -> None:
        """Call it no more."""
        self._hub.unlisten(listener)

    # Limits.

    @property
    def limits(self) -> tuple[int | None, int | None]:
        """What holds now for all torrents together, down and up: bytes a second, or None."""
        return self._settings.rates

    def set_limits(self, *, download: int | None, upload: int | None) -> None:
        """Limit all torrents together, in bytes a second; None: no limit. Raises ConfigError.

        With a session it holds in the next run, too, unless the configured limits are others then.
        """
        self._settings.set_rates((download, upload))

    def configure(self, config: EngineConfig) -> None:
        """Put into force what may change while it runs: limits, queue and goals.

        What was set by other ways since the engine was made, and is not changed by this, stays so.
        All other settings hold for the next engine.
        """
        self._settings.configure(config)

    def tick_stats(self) -> TickStats:
        """How long the ticks of the last seconds took, and what there is to do in them."""
        now = asyncio.get_running_loop().time()
        return tick_stats(self._tick.meter, self._members.values(), now)

    # The tick's sources.

    def _deliver(self, results: list[DiskResult]) -> None:
        for result in results:
            member = self._members.get(result.job.torrent)
            if member is not None:
                self._tick.deliver(member, result)

    def _resume(self) -> None:
        for member in self._members.values():
            member.resume()
