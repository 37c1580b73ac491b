"""One engine, or none at the moment, and what clients may do with it."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from millstream import Engine, EngineConfig, InfoHash, Torrent, __version__, create_native_engine
from millstream.engine.engine_events import EngineEvent, TorrentAdded
from millstream.engine.sources import TorrentSource
from millstream.errors import MalformedDataError, StorageError
from millstream.events import EventStream
from millstream.http_server.fields import Fields
from millstream.logging.components import ROOT
from millstream.logging.ring_buffer import RingBufferLogger
from millstream.rpc.config import ControlConfig
from millstream.rpc.engine_settings import EngineSettings, read_rate
from millstream.rpc.feed import Feed
from millstream.rpc.moves import Moves
from millstream.rpc.refusals import Refusal, invalid
from millstream.rpc.torrent_view import Json

_LOG = logging.getLogger(f"{ROOT}.rpc")

# Elements of arrays that a client sends with a torrent; libtorrent keeps 3000 peers.
MAX_PEERS = 3000
MAX_TRACKERS = 200
MAX_SELECTED = 1_000_000
# A magnet link with all its trackers; `protocol.magnet` sets a limit of its own.
MAX_MAGNET_LENGTH = 1 << 20


class TorrentObserver(Protocol):
    """Told of every torrent in the engine: `service.service.Service` is one."""

    def torrent_entered(self, torrent: Torrent, *, is_new: bool) -> None:
        """A torrent is in the engine; `is_new` if it is not of the last run."""

    def torrent_leaving(self, torrent: Torrent) -> Callable[[], None]:
        """A torrent is about to be removed; what this gives is called when it is gone.

        Not called for those that are there when the engine ends.
        """


class Control:
    """The engine's owner.

    Args:
        config: where things are stored.
        base: the settings of an engine, as far as a client does not say otherwise.

    Attributes:
        feed: what happens, for `/events`.
        log: the latest of the log.
        moves: torrents on their way to other roots.
        reload: reads the settings again and says what changed; None where nobody does.
    """

    def __init__(self, config: ControlConfig, base: EngineConfig | None = None) -> None:
        self._config = config
        self.base = base or EngineConfig()
        self._engine: Engine | None = None
        # Starting and stopping take their time, and may not meet.
        self._changing = asyncio.Lock()
        self.feed = Feed()
        self.log = RingBufferLogger()
        self.moves = Moves()
        self._observers: list[TorrentObserver] = []
        self._farewells: set[asyncio.Task[None]] = set()
        self.reload: Callable[[], Awaitable[Json]] | None = None

    def observe(self, observer: TorrentObserver) -> None:
        """Tell this of torrents, those that are there already included."""
        self._observers.append(observer)
        for torrent in [] if self._engine is None else self._engine.torrents:
            observer.torrent_entered(torrent, is_new=False)

    def unobserve(self, observer: TorrentObserver) -> None:
        """Tell it no more."""
        self._observers.remove(observer)

    def happened(self, event: EngineEvent) -> None:
        """A torrent came, or is about to go: by a request, for its goals, or from a watch folder."""
        torrent = event.torrent
        id_ = str(torrent.info_hash)
        if isinstance(event, TorrentAdded):
            self.feed.watch(torrent)
            if not event.restored:
                self.feed.tell({"type": "torrentAdded", "id": id_, "name": torrent.name})
            for observer in self._observers:
                observer.torrent_entered(torrent, is_new=not event.restored)
        else:
            self.moves.forget(torrent.info_hash)
            # While it is here: then it has a place.
            left = [observer.torrent_leaving(torrent) for observer in self._observers]
            left.append(lambda: self.feed.tell({"type": "torrentRemoved", "id": id_}))
            task = asyncio.get_running_loop().create_task(_call_when_gone(torrent.events(), left))
            self._farewells.add(task)
            task.add_done_callback(self._farewells.discard)

    @property
    def running(self) -> Engine | None:
        """The engine, if there is one."""
        return self._engine

    @property
    def engine(self) -> Engine:
        """The engine; raises Refusal if there is none."""
        if self._engine is None:
            raise Refusal(400, "EngineNotRunning", "the engine is not running: start it first")
        return self._engine

    async def start(self, settings: EngineSettings) -> None:
        """Start an engine, and bring back the torrents of its session.

        Raises:
            Refusal: it is running already.
            NetworkError: there is no port to be had.
            StorageError: the session cannot be used.
        """
        async with self._changing:
            if self._engine is not None:
                raise Refusal(400, "EngineAlreadyRunning", "the engine is running already")
            if settings.log_level is not None:
                logging.getLogger(ROOT).setLevel(settings.log_level)
            session = self._config.session
            engine = create_native_engine(
                settings.config,
                save_path=settings.save_path or self._config.save_path,
                session=None if session is None else os.fspath(session),
            )
            engine.listen(self.happened)
            await engine.start()
            try:
                if session is not None:
                    await self._restore(engine)
            except BaseException:
                await engine.close()
                raise
            self._engine = engine
        self.feed.tell({"type": "engineStarted", "port": engine.listen_port})

    async def _restore(self, engine: Engine) -> None:
        restored = await engine.restore_session()
        for info_hash, error in restored.failed.items():
            _LOG.error("torrent %s was not restored: %s", info_hash, error)

    async def stop(self) -> None:
        """Stop the engine; raises Refusal if it is not running."""
        async with self._changing:
            engine = self.engine
            # Nobody is to add to what is being closed.
            self._engine = None
            await self.moves.close()
            await engine.close()
        self.feed.tell({"type": "engineStopped"})

    async def close(self) -> None:
        """Stop the engine if it is running."""
        if self._engine is not None or self._changing.locked():
            try:
                await self.stop()
            except Refusal:
                return

    def status(self) -> Json:
        """What `/engine/status` answers, but for the torrents."""
        engine = self._engine
        return {
            "running": engine is not None,
            "version": __version__,
            "port": None if engine is None else engine.listen_port,
        }

    def torrent(self, name: str) -> Torrent:
        """The torrent with this infohash in hex; raises Refusal if there is none."""
        try:
            info_hash = InfoHash.from_hex(name)
        except MalformedDataError:
            raise Refusal(
                400, "TorrentNotFound", f"{name[:80]!r} is no infohash: 40 hex digits are"
            ) from None
        torrent = self.engine.find(info_hash)
        if torrent is not None:
            return torrent
        raise Refusal(400, "TorrentNotFound", f"there is no torrent {info_hash}")

    async def add(self, fields: Fields) -> Torrent:
        """Add the torrent that a body describes; raises Refusal and what `Engine.add` raises."""
        kind = fields.required(lambda key: fields.choice(key, ("magnet", "file")), "type")
        source = _read_source(kind, fields)
        save_path = fields.path("storagePath")
        peers = fields.texts("peers", MAX_PEERS)
        trackers = fields.texts("trackers", MAX_TRACKERS)
        select = fields.integers("select", MAX_SELECTED)
        root = fields.text("root")
        sequential = fields.flag("sequential") or False
        first_last = fields.flag("firstLast") or False
        paused = fields.flag("paused") or False
        fields.finish()
        if root is not None and save_path is not None:
            raise invalid("root", "is there, and so is storagePath")
        return await self.add_torrent(
            source,
            save_path=save_path,
            root=root,
            peers=peers,
            trackers=trackers,
            select=select,
            sequential=sequential,
            first_last=first_last,
            start=not paused,
        )

    async def add_torrent(self, source: TorrentSource, **options: Any) -> Torrent:
        """Add a torrent with options of `Engine.add`; raises Refusal and what that raises."""
        torrent = await self.engine.add(source, **options)
        await self.remember(torrent)
        return torrent

    async def remember(self, torrent: Torrent) -> None:
        """See to it that what was asked holds after a crash, before it is answered."""
        try:
            await torrent.remember()
        except StorageError as error:
            # It was done all the same; the engine goes on trying.
            _LOG.warning("torrent %s is not saved yet: %s", torrent.info_hash, error)

    async def remove(self, torrent: Torrent, *, delete_data: bool = False) -> None:
        """Stop a torrent and forget it; raises StorageError if not all its files can be deleted."""
        await self.engine.remove(torrent, delete_data=delete_data)

    def set_limits(self, fields: Fields) -> None:
        """Set the limits of all torrents together, or those that are named; raises Refusal."""
        download, upload = self.engine.limits
        if fields.has("download"):
            download = read_rate(fields, "download")
        if fields.has("upload"):
            upload = read_rate(fields, "upload")
        fields.finish()
        self.engine.set_limits(download=download, upload=upload)

    def logs(
        self,
        *,
        level: str,
        limit: int,
        component: str | None,
        torrent: str | None,
        after: int = 0,
    ) -> Json:
        """What `/logs` answers: the latest entries, the oldest of them first. Raises ConfigError."""
        found = self.log.numbered(
            after=after, level=level, component=component, torrent=torrent, limit=limit
        )
        return {
            "entries": [
                {
                    "number": number,
                    "time": entry.time,
                    "level": entry.level_name.lower(),
                    "component": entry.component,
                    "torrent": entry.torrent,
                    "peer": entry.peer,
                    "message": entry.message,
                    "exception": entry.exception,
                }
                for number, entry in found
            ],
            "oldest": self.log.oldest,
            "latest": self.log.latest,
            "now": time.time(),
        }


async def _call_when_gone(events: EventStream, calls: list[Callable[[], None]]) -> None:
    """Call these once the torrent has left its engine: then its events end."""
    async for _ in events:
        pass
    for call in calls:
        call()


def _read_source(kind: str, fields: Fields) -> str | bytes:
    """The magnet link or the .torrent file's contents; a path or URL is nothing to be sent here."""
    if kind == "magnet":
        link = fields.required(lambda key: fields.text(key, longest=MAX_MAGNET_LENGTH), "data")
        if link[:7].lower() != "magnet:":
            raise invalid("data", "is no magnet link: it must begin with magnet:")
        return link
    text = fields.required(lambda key: fields.text(key, longest=1 << 30), "data")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid("data", f"is no base64: {error}") from None
