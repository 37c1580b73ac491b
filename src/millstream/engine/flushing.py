"""Flushing the files of torrents, and looking at them: many torrents' in one errand to the disk.

What a flush is for is said in `engine.torrent_keeper`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Generic, Protocol, TypeVar

from millstream.errors import RootUnavailableError, StorageError
from millstream.interfaces.filesystem import FileStat, FileSystem, Synced
from millstream.logging.component_logger import component_logger

_LOG = component_logger("store")

# Torrents in one errand. The first save of a torrent waits for it, and going on an errand costs as
# much as to flush ten clean files.
_FLUSHED_TOGETHER = 100


@dataclass(frozen=True, slots=True)
class Flush:
    """What is to be done at the disk for one torrent, and what was so when it was begun.

    Attributes:
        root: what the files are under.
        unflushed: numbers of the files that have new pieces.
        stale: numbers of the files that need only be looked at.
        to_sync: where the first are.
        to_look_at: where the second are.
        pieces: the set of the pieces that are on the medium once this is done.
        checks: of the check by which it is known what is there.
        changes: of where the files are.
    """

    root: str
    unflushed: Sequence[int]
    stale: Sequence[int]
    to_sync: Sequence[str]
    to_look_at: Sequence[str]
    pieces: int
    checks: int
    changes: int


class Flushable(Protocol):
    """What remembers a torrent: `engine.torrent_keeper`."""

    @property
    def flush_due(self) -> float | None:
        """When its files have to be flushed or looked at, by the loop's time."""

    def begin_flush(self) -> Flush | None:
        """What there is to flush from now on; None if files on their way have to arrive first."""

    def flushed(self, flush: Flush, stats: Sequence[FileStat | None]) -> None:
        """It is done, and the files were like this then, `to_sync` before `to_look_at`."""

    def flush_failed(self, flush: Flush, error: StorageError) -> None:
        """Some of it could not be done, and all of it has to be done again."""


Keeper = TypeVar("Keeper", bound=Flushable)


class Flushing(Generic[Keeper]):
    """Flushes in the background, one errand after the other: a disk is not faster if asked twice.

    Args:
        files: does it.
        ended: is called for each torrent when its flush has ended, well or not.
        idle: is called when nothing is being flushed any more.
    """

    def __init__(
        self, files: FileSystem, ended: Callable[[Keeper], None], idle: Callable[[], None]
    ) -> None:
        self._files = files
        self._ended = ended
        self._idle = idle
        self._task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether something is being flushed in the background."""
        return self._task is not None

    def begin(self, now: float, keepers: Iterable[Keeper]) -> dict[Keeper, None]:
        """Flush those that are due, in the background, unless others are being flushed already.

        Returns:
            Those that are flushed now.
        """
        due = {k: None for k in keepers if k.flush_due is not None and k.flush_due <= now}
        if not due or self.is_running:
            return {}
        self._task = asyncio.get_running_loop().create_task(self._run(list(due)))
        return due

    async def wait(self, patience: float | None = None) -> None:
        """Return when nothing is being flushed, or after so many seconds."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=patience)

    async def flush(self, keepers: Sequence[Keeper]) -> None:
        """Flush these, due or not, and return when that has ended."""
        for at in range(0, len(keepers), _FLUSHED_TOGETHER):
            await self._flush(keepers[at : at + _FLUSHED_TOGETHER])

    async def _run(self, keepers: Sequence[Keeper]) -> None:
        try:
            await self.flush(keepers)
        finally:
            self._task = None
            self._idle()

    async def _flush(self, keepers: Sequence[Keeper]) -> None:
        by_root: dict[str, list[tuple[Keeper, Flush]]] = {}
        for keeper in keepers:
            flush = keeper.begin_flush()
            if flush is not None:
                by_root.setdefault(flush.root, []).append((keeper, flush))
        for root, begun in by_root.items():
            try:
                await self._errand(root, begun)
            except Exception as error:  # noqa: BLE001 - it is logged whole
                # What nobody thought of must not pass for a flush that went well.
                _LOG.exception("%s: an internal error while files were flushed", root)
                for keeper, flush in begun:
                    keeper.flush_failed(flush, StorageError(root, f"an internal error: {error!r}"))
        for keeper in keepers:
            self._ended(keeper)

    async def _errand(self, root: str, begun: Sequence[tuple[Keeper, Flush]]) -> None:
        synced = await self._sync(root, [flush.to_sync for _, flush in begun])
        seen = await self._look_at(root, [flush.to_look_at for _, flush in begun])
        for (keeper, flush), found, also in zip(begun, synced, seen, strict=True):
            _tell(keeper, flush, [*found, *also])

    async def _sync(self, root: str, wanted: Sequence[Sequence[str]]) -> list[list[Synced]]:
        # Each once, though torrents may share a file: who asked second would hear of no failure.
        paths = list(dict.fromkeys(chain.from_iterable(wanted)))
        try:
            found: Sequence[Synced] = await self._files.sync(root, paths) if paths else ()
        except StorageError as error:
            # It may have been any of them, and to ask again is no way to find out.
            found = [error] * len(paths)
        by_path = dict(zip(paths, found, strict=True))
        return [[by_path[path] for path in some] for some in wanted]

    async def _look_at(self, root: str, wanted: Sequence[Sequence[str]]) -> list[list[Synced]]:
        paths = list(chain.from_iterable(wanted))
        try:
            found = iter(await self._files.stat_many(root, paths) if paths else ())
        except StorageError as error:
            if len(wanted) == 1 or isinstance(error, RootUnavailableError):
                return [[error] * len(some) for some in wanted]
            # A torrent whose files cannot be looked at must not keep the others from it.
            return [each for some in wanted for each in await self._look_at(root, [some])]
        return [list(islice(found, len(some))) for some in wanted]


def _tell(keeper: Flushable, flush: Flush, found: Sequence[Synced]) -> None:
    stats: list[FileStat | None] = []
    for each in found:
        if isinstance(each, StorageError):
            keeper.flush_failed(flush, each)
            return
        stats.append(each)
    keeper.flushed(flush, stats)
