"""Looking, now and then, whether the files of torrents at work are still what they were.

Somebody may delete, cut or replace a file under a running torrent. Pieces that we believe to be
there would then fail when a peer asks for them, or be wrong. So files are looked at at a slow pace:
each must reach as far as the last verified byte in it, and one that is complete must not change.

Nothing is told that one look alone shows: files are renamed, moved and written meanwhile. And where
a whole disk is gone, its files are not (`engine.root_watch`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from millstream.errors import StorageError
from millstream.interfaces.filesystem import FileStat, FileSystem
from millstream.logging.component_logger import component_logger
from millstream.protocol.infohash import InfoHash
from millstream.storage.layout import FileLayout

# Files looked at in one beat, of one torrent: about a millisecond of a thread. A torrent of
# 100,000 files takes 200 beats.
MAX_STATS_A_BEAT = 500

# Seconds after which a look is given up, as `engine.root_looks` does: its disk does not answer.
LOOK_PATIENCE = 30.0

_LOG = component_logger("disk")


class ExpectedFile(NamedTuple):
    """A file that has verified bytes.

    Attributes:
        number: in the torrent, from 0.
        path: where it is now, below the torrent's root.
        least: bytes that it has at least: up to its last verified one.
        is_whole: whether all its pieces are verified, so that nobody writes to it.
    """

    number: int
    path: str
    least: int
    is_whole: bool


class WatchedTorrent(Protocol):
    """A torrent as this module sees it."""

    @property
    def info_hash(self) -> InfoHash:
        """Its name."""

    @property
    def file_root(self) -> str:
        """The root of its files, for the file system."""

    def expected_files(self) -> Sequence[ExpectedFile]:
        """Its files that have verified bytes, see `expected_files`."""

    async def is_root_there(self) -> bool:
        """Whether its storage root is there; asked before anything is told."""

    def files_changed(self, indexes: Sequence[int]) -> None:
        """These files are gone, cut or others: what was verified of them has to be read again."""


def expected_files(
    layout: FileLayout, have: int, piece_count: int, path_of: Callable[[int], str | None]
) -> list[ExpectedFile]:
    """The files that have verified bytes.

    Args:
        layout: of the torrent.
        have: the set (an int) of its verified pieces.
        piece_count: all of them.
        path_of: says where a file is; None for one that has no place of its own.
    """
    if not have:
        return []
    digits, length = f"{have:0{piece_count}b}", layout.piece_length
    found = []
    columns = zip(layout.names, layout.offsets, layout.lengths, strict=True)
    for index, (name, offset, size) in enumerate(columns):
        if not size or name is None:
            continue
        first, end = offset // length, -(-(offset + size) // length)
        last = digits.rfind("1", first, end)
        path = path_of(index) if last >= 0 else None
        if path is not None:
            least = min((last + 1) * length, offset + size) - offset
            is_whole = digits.find("0", first, end) < 0
            found.append(ExpectedFile(index, path, least, is_whole))
    return found


class _Seen(NamedTuple):
    """A file as it was; of one that we write to, the time means nothing."""

    root: str
    path: str
    size: int
    mtime: float | None


@dataclass(slots=True, eq=False)
class _Memory:
    """What is known of a torrent's files.

    Attributes:
        seen: how files were, by number.
        told: what was told and is not different since: by number, the file as it was then.
    """

    seen: dict[int, _Seen] = field(default_factory=dict)
    told: dict[int, FileStat | None] = field(default_factory=dict)


class FileWatch:
    """Looks at the files of torrents, a few in every beat, in one task at most.

    Args:
        files: where they are.
        interval: seconds between two looks at the same file, at least.
        active: gives the torrents that are worth it: those with peers or something at the disk.
    """

    def __init__(
        self,
        files: FileSystem,
        interval: float,
        active: Callable[[], Iterable[WatchedTorrent]],
    ) -> None:
        self._files = files
        self._interval = interval
        self._active = active
        self._memories: dict[InfoHash, _Memory] = {}
        self._waiting: list[WatchedTorrent] = []
        self._next_round = 0.0
        self._current: WatchedTorrent | None = None
        self._rest: Sequence[ExpectedFile] = ()
        self._look: asyncio.Task[None] | None = None
        self._began = 0.0

    def beat(self, now: float) -> None:
        """Look at the next files, unless the last look has not ended; about once a second."""
        if self._look is not None:
            if now >= self._began + LOOK_PATIENCE:
                self._rest = ()
                self._look.cancel()
            return
        if self._current is None and not self._waiting and now >= self._next_round:
            self._begin_round(now)
        while self._current is None and self._waiting:
            self._turn_to(self._waiting.pop())
        if self._current is not None:
            some, self._rest = self._rest[:MAX_STATS_A_BEAT], self._rest[MAX_STATS_A_BEAT:]
            coroutine = self._look_at(self._current, some)
            self._began = now
            self._look = asyncio.get_running_loop().create_task(coroutine, name="look at files")
            self._look.add_done_callback(self._ended)

    async def close(self) -> None:
        """Look no more."""
        self._waiting, self._next_round = [], float("inf")
        look = self._look
        if look is not None:
            look.cancel()
            await asyncio.gather(look, return_exceptions=True)

    def _begin_round(self, now: float) -> None:
        self._next_round = now + self._interval
        self._waiting = list(self._active())
        before, self._memories = self._memories, {}
        for torrent in self._waiting:
            self._memories[torrent.info_hash] = before.get(torrent.info_hash) or _Memory()

    def _turn_to(self, torrent: WatchedTorrent) -> None:
        self._rest = torrent.expected_files()
        self._current = torrent if self._rest else None
        memory = self._memories[torrent.info_hash]
        if memory.told or memory.seen:
            # What was read again, or is gone for good, is told again when it happens again.
            there = {file.number for file in self._rest}
            memory.told = {index: it for index, it in memory.told.items() if index in there}
            memory.seen = {index: it for index, it in memory.seen.items() if index in there}

    def _ended(self, _: asyncio.Task[None]) -> None:
        self._look = None
        if not self._rest:
            self._current = None

    async def _look_at(self, torrent: WatchedTorrent, some: Sequence[ExpectedFile]) -> None:
        memory = self._memories[torrent.info_hash]
        try:
            suspects = await self._suspects(torrent, some, memory)
            if suspects and await torrent.is_root_there():
                indexes = {file.number for file in suspects}
                # They may have been renamed, moved or written meanwhile: what holds now?
                again = [file for file in torrent.expected_files() if file.number in indexes]
                suspects = await self._suspects(torrent, again, memory, note=True)
                if suspects:
                    self._tell(torrent, suspects)
        except StorageError as error:
            # What cannot even be looked at fails when it is read, and is told then.
            _LOG.debug("%s: not looked at: %s", torrent.info_hash, error)
            self._rest = ()
        except Exception:  # noqa: BLE001 - it is logged whole
            _LOG.exception("%s: its files could not be looked at", torrent.info_hash)
            self._rest = ()

    async def _suspects(
        self,
        torrent: WatchedTorrent,
        some: Sequence[ExpectedFile],
        memory: _Memory,
        *,
        note: bool = False,
    ) -> list[ExpectedFile]:
        """Those that are not as they must be, and were not told; `note` remembers them as told."""
        root = torrent.file_root
        stats = await self._files.stat_many(root, [file.path for file in some])
        found = []
        for file, stat in zip(some, stats, strict=True):
            if file.number in memory.told and memory.told[file.number] == stat:
                continue
            if _is_right(file, stat) and self._is_as_it_was(root, file, stat, memory):
                memory.told.pop(file.number, None)
                continue
            found.append(file)
            if note:
                memory.told[file.number] = stat
                if stat is not None:
                    mtime = stat.mtime if file.is_whole else None
                    memory.seen[file.number] = _Seen(root, file.path, stat.size, mtime)
        return found

    @staticmethod
    def _is_as_it_was(
        root: str, file: ExpectedFile, stat: FileStat | None, memory: _Memory
    ) -> bool:
        if stat is None:
            memory.seen.pop(file.number, None)
            return True
        # We write to one that is not whole; but we cut none.
        now = _Seen(root, file.path, stat.size, stat.mtime if file.is_whole else None)
        before = memory.seen.get(file.number)
        if before is not None and (before.mtime is None) != (now.mtime is None):
            before = None
        if before is None or (before.root, before.path) != (root, file.path):
            memory.seen[file.number] = before = now
        if now.mtime is None and now.size >= before.size:
            memory.seen[file.number] = before = now
        return before == now

    @staticmethod
    def _tell(torrent: WatchedTorrent, suspects: Sequence[ExpectedFile]) -> None:
        count, first = len(suspects), suspects[0].path
        more = f" and {count - 1} more" if count > 1 else ""
        _LOG.warning("%s: somebody changed or removed %s%s", torrent.info_hash, first, more)
        torrent.files_changed([file.number for file in suspects])


def _is_right(file: ExpectedFile, stat: FileStat | None) -> bool:
    return stat is not None and not stat.is_directory and stat.size >= file.least
