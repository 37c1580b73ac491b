"""The service: everything that a daemon does by itself, beside its engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Any, Protocol, Self

from millstream import Engine, EngineConfig, Magnet, Metainfo, Torrent
from millstream.errors import EngineClosedError
from millstream.logging import component_logger
from millstream.service.config import WatchConfig, local_path
from millstream.service.happenings import Happenings
from millstream.service.hooks import Hooks
from millstream.service.log_levels import LogLevels
from millstream.service.occasion import Happening
from millstream.service.watching import Watching
from millstream.service.webhooks import Webhooks
from millstream.settings.catalogue import UserSettings
from millstream.settings.changes import Changes, changes

_LOG = component_logger("service")


class EngineOwner(Protocol):
    """Who starts and stops the engine: `rpc.control.Control`.

    Attributes:
        base: the settings of the next engine.
    """

    base: EngineConfig

    @property
    def running(self) -> Engine | None:
        """The engine, if there is one."""

    async def add_torrent(self, source: Metainfo | Magnet, **options: Any) -> Torrent:
        """Add a torrent with options of `Engine.add`."""

    def observe(self, observer: Service) -> None:
        """Tell this of every torrent."""

    def unobserve(self, observer: Service) -> None:
        """Tell it no more."""


class Service:
    """Use it as an async context manager, around the time in which there is an engine.

    Args:
        owner: has the engine.
        settings: to begin with.
        load: reads the settings again; called in a thread. Raises ConfigError and StorageError.
        fixed_levels: see `LogLevels`.
        wall_time: seconds since the epoch.
    """

    def __init__(
        self,
        owner: EngineOwner,
        settings: UserSettings,
        load: Callable[[], UserSettings],
        *,
        fixed_levels: Collection[str | None] = (),
        wall_time: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._owner = owner
        self._load = load
        self._levels = LogLevels(fixed_levels)
        self._hooks = Hooks(settings.service.hooks)
        self._webhooks = Webhooks(settings.service.webhooks)
        self._watching = Watching(self._add, self._save)
        self._happenings = Happenings(self._happened, wall_time)
        self._reloading = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._levels.apply(self.settings.service.log)
        self._owner.observe(self)
        await self._watching.configure(self.settings.service.watch)
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._watching.close()
        self._owner.unobserve(self)
        await asyncio.gather(self._hooks.close(), self._webhooks.close())
        self._levels.restore()

    async def reload(self) -> Changes:
        """Read the settings again, and put into force what can change while it runs.

        Returns:
            What changed since they were last read. What was set by other ways in between stays as
            it is where the settings are what they were.

        Raises:
            ConfigError: a setting is wrong; then all stay as they are.
            StorageError: the file cannot be read; the same.
        """
        async with self._reloading:
            after = await asyncio.to_thread(self._load)
            found = changes(self.settings, after)
            self.settings = after
            self._owner.base = after.engine
            if self._owner.running is not None:
                self._owner.running.configure(after.engine)
            self._levels.apply(after.service.log)
            self._hooks.configure(after.service.hooks)
            self._webhooks.configure(after.service.webhooks)
            await self._watching.configure(after.service.watch)
        if found.in_force:
            _LOG.info("settings read again; in force now: %s", ", ".join(found.in_force))
        if found.at_restart:
            _LOG.warning("these hold from the next start on: %s", ", ".join(found.at_restart))
        if not found:
            _LOG.info("settings read again; nothing changed")
        return found

    # What the engine's owner tells.

    def torrent_entered(self, torrent: Torrent, *, is_new: bool) -> None:
        """See `rpc.control.TorrentObserver`."""
        self._happenings.torrent_entered(torrent, is_new=is_new)

    def torrent_leaving(self, torrent: Torrent) -> Callable[[], None]:
        """See `rpc.control.TorrentObserver`."""
        return self._happenings.torrent_leaving(torrent)

    def _happened(self, happening: Happening) -> None:
        self._hooks.happened(happening)
        self._webhooks.happened(happening)

    # What the watch folders ask for.

    async def _add(self, torrent: Metainfo | Magnet, config: WatchConfig) -> None:
        engine = self._owner.running
        if engine is None:
            raise EngineClosedError("the engine is not running")
        save_path = None if config.save_path is None else str(local_path(config.save_path))
        await self._owner.add_torrent(
            torrent,
            save_path=save_path,
            root=None if config.root is None else _token_of(engine, config.root),
            sequential=config.sequential,
            start=not config.paused,
        )

    async def _save(self) -> None:
        if self._owner.running is None:
            raise EngineClosedError("the engine is not running")
        await self._owner.running.save_session()


def _token_of(engine: Engine, root: str) -> str:
    """The token of the storage root with this token or label; the engine refuses what is neither."""
    if engine.roots.find(root) is None:
        for each in engine.roots.roots:
            if each.label == root:
                return each.token
    return root
