"""A folder in which torrents appear, and get into the engine.

It is looked at every few seconds. The system could tell of changes (inotify, FSEvents), but not on
network disks, where another machine makes them, nor when its queue was full: a look is needed
anyhow, and a look at a folder costs next to nothing.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from pathlib import Path

from millstream import Magnet, Metainfo
from millstream.errors import (
    DuplicateTorrentError,
    EngineClosedError,
    MalformedDataError,
    MillstreamError,
)
from millstream.logging import component_logger
from millstream.service import watch_files
from millstream.service.config import AfterAdding, WatchConfig, local_path
from millstream.service.watch_files import (
    ADDED_SUFFIX,
    INVALID_SUFFIX,
    ChangedMeanwhileError,
    Found,
)

# Seconds for which a file that makes no torrent must not have changed to be put aside: a copy over
# a network may pause.
PATIENCE = 30.0
# Files that are added before the session is saved and they are put away. A crash in between costs
# nothing; this is how long what comes first waits for what comes last.
BATCH = 100

AddTorrent = Callable[[Metainfo | Magnet, WatchConfig], Awaitable[None]]
"""Adds a torrent as the settings say. Raises MillstreamError."""

_LOG = component_logger("service")


class WatchFolder:
    """Looks at one folder.

    Args:
        config: which, and what becomes of what is there.
        add: adds a torrent.
        save: makes sure that what was added is not forgotten. Raises MillstreamError.
        patience: seconds; see `PATIENCE`.
    """

    def __init__(
        self,
        config: WatchConfig,
        add: AddTorrent,
        save: Callable[[], Awaitable[None]],
        patience: float = PATIENCE,
    ) -> None:
        self.config = config
        self._folder = local_path(config.folder)
        self._move_to = None if config.move_to is None else local_path(config.move_to)
        self._add = add
        self._save = save
        self._patience = patience
        # The files of the last look, and since when each is as it is.
        self._since: dict[Found, float] = {}
        # Files that nothing more is to be done with, as long as they stay as they are.
        self._settled: set[Found] = set()
        # What was told once and need not be told at every look.
        self._lacking = False
        self._unsaved = False

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look(asyncio.get_running_loop().time())
            except Exception:  # noqa: BLE001 - the last resort: one bad look must not be the last
                _LOG.exception("looking at the watch folder %r failed", str(self._folder))
            await asyncio.sleep(self.config.interval)

    async def look(self, now: float) -> None:
        """Add what is new and whole, and put it away; `now` is monotonic seconds."""
        found = await self._find()
        if found is None:
            return
        known = self._since
        self._since = {each: known.get(each, now) for each in found}
        self._settled &= self._since.keys()
        whole = [each for each in found if each in known and each not in self._settled]
        for start in range(0, len(whole), BATCH):
            if not await self._take(whole[start : start + BATCH], now):
                return

    async def _find(self) -> list[Found] | None:
        try:
            found = await asyncio.to_thread(watch_files.find, self._folder)
        except OSError as error:
            if not self._lacking:
                why = error.strerror or error
                _LOG.warning("the watch folder %r cannot be read: %s", str(self._folder), why)
            self._lacking = True
            return None
        if self._lacking:
            _LOG.info("the watch folder %r is back", str(self._folder))
        self._lacking = False
        return found

    async def _take(self, batch: list[Found], now: float) -> bool:
        """Add a batch, save, put it away. False if no more can be added now."""
        added: list[Found] = []
        engine_runs = True
        for found in batch:
            try:
                if await self._add_one(found, now):
                    added.append(found)
            except EngineClosedError:
                engine_runs = False
                break
        if not added:
            return engine_runs
        try:
            # Only what is saved may go: after a crash it is added again, or is a duplicate.
            await self._save()
        except MillstreamError as error:
            if not self._unsaved:
                _LOG.warning("what was added cannot be saved: %s", error)
            self._unsaved = True
            return False
        self._unsaved = False
        for found in added:
            await self._put_away(found)
        return engine_runs

    async def _add_one(self, found: Found, now: float) -> bool:
        """Add one; whether it is in the engine now. Raises EngineClosedError."""
        try:
            torrent = await asyncio.to_thread(watch_files.load, self._folder, found)
            await self._add(torrent, self.config)
        except DuplicateTorrentError:
            _LOG.info("%r is in the engine already", found.name)
        except EngineClosedError:
            raise
        except ChangedMeanwhileError:
            return False
        except (MalformedDataError, OSError) as error:
            if now - self._since[found] >= self._patience or found.is_too_long:
                await self._put_aside(found, error)
            return False
        except MillstreamError as error:
            # Not the file's fault: a setting's, for one. It is tried again after a restart.
            self._settled.add(found)
            _LOG.error("%r cannot be added: %s", found.name, error)
            return False
        else:
            _LOG.info("%r was added from the watch folder", found.name)
        return True

    async def _put_aside(self, found: Found, error: Exception) -> None:
        """Rename what makes no torrent, so that its owner sees it."""
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        self._settled.add(found)
        _LOG.warning("%r makes no torrent and is put aside: %s", found.name, why)
        await self._file_work(found, watch_files.rename, self._folder, found, INVALID_SUFFIX)

    async def _put_away(self, found: Found) -> None:
        # Settled whatever comes of it: it need not be added again only because it cannot be moved.
        self._settled.add(found)
        match self.config.after:
            case AfterAdding.DELETE:
                await self._file_work(found, watch_files.delete, self._folder, found)
            case AfterAdding.MOVE if self._move_to is not None:
                await self._file_work(found, watch_files.move, self._folder, found, self._move_to)
            case _:
                await self._file_work(found, watch_files.rename, self._folder, found, ADDED_SUFFIX)

    async def _file_work(
        self, found: Found, work: Callable[..., object], *arguments: Path | Found | str
    ) -> None:
        try:
            await asyncio.to_thread(work, *arguments)
        except OSError as error:
            words = "there is no such folder" if error.errno == errno.ENOENT else error.strerror
            _LOG.warning("%r stays where it is: %s", found.name, words or error)
