"""What of a torrent is on the disk already: found out once, believed from then on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Coroutine, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from millstream.core.piece_set import set_of_ranges
from millstream.engine.checking import Checker
from millstream.engine.config import EngineConfig
from millstream.engine.file_choice import NO_CHOICE
from millstream.engine.preparation import make_empty_files, make_room
from millstream.engine.room import check_room, room_needed
from millstream.engine.torrent_disk import TorrentDisk
from millstream.engine.unbroken import interrupt_once
from millstream.errors import MillstreamError
from millstream.interfaces.disk import Allocation, DiskResult
from millstream.interfaces.filesystem import FileStat, FileSystem
from millstream.protocol.bitfield import every_piece
from millstream.protocol.file_selection import FileSelection
from millstream.protocol.metainfo import Metainfo
from millstream.storage.layout import FileLayout
from millstream.storage.placement import Placement
from millstream.storage.roots import StorageRoot

if TYPE_CHECKING:
    from millstream.engine.resumption import CheckPlan
    from millstream.storage.claims import Claims

# Seconds for which a look at the root holds where nothing speaks against it: ten thousand torrents
# that are checked at once look a few times.
RECENT = 1.0


class CheckedTorrent(Protocol):
    """The torrent that is checked: `engine.session`."""

    @property
    def root(self) -> StorageRoot:
        """What its files are under."""

    async def see_root(self, within: float) -> None:
        """See that it is there, unless that was so many seconds ago: `engine.shared.DiskWatch`.

        Awaited before anything is believed to be missing. Raises RootUnavailableError.
        """

    async def settle(self) -> None:
        """Find a place for every file, before each check. Raises StorageError."""

    def check_turn(self) -> AbstractAsyncContextManager[None]:
        """Wait until a check may read the files, and hold its place while it does."""

    def found(self, have: int) -> None:
        """The set (an int) of the pieces that are there, after each check."""

    def lost(self, pieces: int) -> None:
        """The set of those that turned out to be gone, while the torrent runs."""

    def fail(self, error: MillstreamError) -> None:
        """Instead of either: that cannot be found out."""


_NONE: frozenset[int] = frozenset()


class Inventory:
    """The checks of one torrent.

    Args:
        metainfo: the torrent.
        disk: its way to the disk.
        files: looks for its files, and makes those that are missing.
        config: how files are made, and what room must be left.
        torrent: is told what is there.

    Attributes:
        claims: what the last run says is there, until the first check has been.
        plan: how the last check used that, until somebody remembers it.
        checks: how often it was found out what is there.
        checked_pieces: pieces looked at by the check that is running or was last run.
        choice: which files are wanted.
    """

    __slots__ = (
        *(
            "_checker",
            "_checking",
            "_config",
            "_disk",
            "_files",
            "_looked_at",
            "_metainfo",
            "_suspects",
        ),
        *("_torrent", "_was_known", "checked_pieces", "checks", "choice", "claims", "plan"),
    )

    def __init__(
        self,
        metainfo: Metainfo,
        disk: TorrentDisk,
        files: FileSystem,
        config: EngineConfig,
        torrent: CheckedTorrent,
    ) -> None:
        self._metainfo = metainfo
        self._disk = disk
        self._files = files
        self._config = config
        self._torrent = torrent
        self._checker: Checker | None = None
        self._checking: asyncio.Task[None] | None = None
        self._suspects = self._looked_at = _NONE
        self._was_known = False
        self.claims: Claims | None = None
        self.plan: CheckPlan | None = None
        self.checks = 0
        self.checked_pieces = 0
        self.choice = NO_CHOICE

    @property
    def is_running(self) -> bool:
        """Whether a check runs."""
        return self._checking is not None and not self._checking.done()

    @property
    def is_first(self) -> bool:
        """Whether nothing was ever known of what is there."""
        return self.claims is None and not self.checks and not self._was_known

    @property
    def is_taken(self) -> bool:
        """Whether the last check came to its end."""
        return self.checked_pieces >= self._metainfo.piece_count

    def begin(self) -> None:
        """Find out in the background."""
        self.checked_pieces = 0
        self._run(self._check())

    def assume(self, have: int) -> None:
        """Trust that these pieces are there (seed mode)."""
        self._know(have)

    def distrust(self) -> None:
        """Believe nothing of what the last run says: the next check reads everything."""
        self._was_known |= self.claims is not None
        self.claims = None

    def disk_went(self, claims: Claims | None) -> None:
        """What was on its way to the disk may not be there when that is back: check it then.

        Args:
            claims: what is known to be there for good, if anything is remembered; None has all
                read again.
        """
        if self.is_taken:
            self.claims = claims
        self.checked_pieces = 0

    def look_again(self, indexes: Iterable[int], have: Callable[[], int]) -> list[int]:
        """Somebody deleted, cut or replaced these files while the torrent runs: see what is left.

        Args:
            indexes: numbers of files.
            have: says the set of the pieces that are believed to be there.

        Returns:
            Those of the files that are not looked at already.
        """
        news = sorted(set(indexes) - self._suspects - self._looked_at)
        self._suspects = self._suspects.union(indexes)
        if self._suspects and not self.is_running:
            self._run(self._look_again(have))
        return news

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._checking = asyncio.get_running_loop().create_task(work)
        self._checking.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # A task that is done holds a kilobyte.
        if self._checking is task:
            self._checking = None

    def abandon(self) -> None:
        """Give up the check that is running; it may take a moment to end."""
        if self.is_running and self._checking is not asyncio.current_task():
            assert self._checking is not None  # noqa: S101 - it runs
            interrupt_once(self._checking)

    async def end(self) -> None:
        """Give up the check that is running."""
        checking = self._checking
        if checking is not None and not checking.done():
            # Not twice: it waits for what it has at the disk.
            interrupt_once(checking)
            await asyncio.wait([checking])

    async def make_room(self, among: Container[int]) -> None:
        """Give those of these files that are wanted their length. Raises StorageError."""

        def wants(index: int) -> bool:
            return index in among and self.choice.wants(index)

        allocation = self._config.disk.allocation
        await make_room(self._files, self._disk.placement, allocation, wants)

    def take(self, result: DiskResult) -> None:
        """The disk answered."""
        if self._checker is not None:
            self._checker.take(result)

    def _progressed(self, checked: int) -> None:
        self.checked_pieces = checked

    async def _check(self) -> None:
        files, placement = self._files, self._disk.placement
        count = self._metainfo.piece_count
        plan: CheckPlan | None = None
        try:
            await self._torrent.see_root(RECENT)
            await self._torrent.settle()
            if self.claims is not None:
                # Here: only a session has claims of an earlier run.
                from millstream.engine.resumption import plan_check  # noqa: PLC0415

                plan = await plan_check(self.claims, placement, files, count)
            among = None if plan is None else plan.doubtful
            checker = Checker(self._metainfo, self._disk, self._progressed, among)
            self._checker = checker
            have = await checker.run(files, self._torrent.check_turn)
            if checker.unreadable:
                await self._torrent.see_root(0.0)
            if self.is_first:
                await self._note_foreign(have, checker.sizes)
            if plan is not None:
                have |= plan.trusted
            if plan is not None and not plan.unknown_files:
                pass  # every file is there, in its full length
            elif have == every_piece(count):
                await make_empty_files(files, placement)
            else:
                await self._torrent.see_root(RECENT)
                await self._see_that_it_fits(have)
                await make_room(files, placement, self._config.disk.allocation, self.choice.wants)
        except MillstreamError as error:
            self._torrent.fail(error)
            return
        finally:
            self._checker = None
            self.checked_pieces = 0  # unless the whole check came to its end
        self._know(have, plan)

    async def _note_foreign(self, have: int, sizes: Mapping[str | None, int]) -> None:
        """Remember the files that are there and have nothing of the torrent: somebody else's.

        What a skipped one of them shares with its neighbours must not get into it.
        """
        placement = self._disk.placement
        there = [index for index, path in placement.own_paths() if sizes.get(path)]
        count = self._metainfo.piece_count
        foreign = set(there).difference(files_with(have, placement.layout, there, count))
        if foreign:
            record = replace(self._disk.record, foreign=FileSelection.of(foreign))
            self._disk.record = record
            async with self._disk.fence():
                placement.put_in_parts([i for i in foreign if not self.choice.wants(i)])

    async def _see_that_it_fits(self, have: int) -> None:
        """Raises NoSpaceError."""
        if not self._config.storage.require_room:
            return
        placement = self._disk.placement
        layout, allocation = placement.layout, self._config.disk.allocation
        stats: list[FileStat | None] = []
        if allocation is not Allocation.SPARSE:
            paths = [placement.own_path(index) or "" for index in range(len(layout.names))]
            stats = await self._files.stat_many(placement.root, paths)
        needed = room_needed(
            layout,
            have=have,
            wanted=self.choice.pieces(layout, layout.piece_count).wanted,
            allocation=allocation,
            files=[index for index in range(len(layout.names)) if self.choice.wants(index)],
            stats=stats,
        )
        await check_room(
            self._files, self._torrent.root, needed, self._config.storage.min_free_space
        )

    async def _look_again(self, have: Callable[[], int]) -> None:
        try:
            async with self._disk.arranging:
                while self._suspects:
                    self._looked_at, self._suspects = self._suspects, _NONE
                    indexes = sorted(self._looked_at)
                    await self._look_at(indexes, have)
        except asyncio.CancelledError:
            self._look_failed()
            raise
        except MillstreamError as error:
            self._look_failed()
            self._torrent.fail(error)
        finally:
            self._checker, self._looked_at = None, _NONE

    def _look_failed(self) -> None:
        """Nobody knows what is there: all is to be checked before it goes on."""
        self._suspects = _NONE
        self.checked_pieces = 0

    async def _look_at(self, indexes: list[int], have: Callable[[], int]) -> None:
        """What is gone is told at once; what is still there is read again, and told if it is wrong."""
        count = self._metainfo.piece_count
        await self._torrent.see_root(0.0)
        # No file is open within: what is read from now on is what is there now.
        async with self._disk.fence() as placement:
            gone = set_of_ranges(await self._gone(indexes, placement), count)
            touched = set_of_ranges(placement.layout.pieces_of(indexes), count)
            doubtful = have() & touched & ~gone
            self._torrent.lost(gone)
            await self.make_room(frozenset(indexes))
        if doubtful:
            checker = Checker(self._metainfo, self._disk, lambda _: None, doubtful)
            self._checker = checker
            self._torrent.lost(doubtful & ~await checker.run(self._files))

    async def _gone(self, indexes: list[int], placement: Placement) -> list[range]:
        """The pieces that have bytes beyond the files' ends."""
        layout = placement.layout
        stored = [(index, placement.path(index)) for index in indexes]
        paths = [path for _, path in stored if path is not None]
        sizes = iter(await self._files.stat_many(placement.root, paths))
        gone: list[range] = []
        for index, path in stored:
            found = next(sizes) if path is not None else None
            size = 0 if found is None or found.is_directory else found.size
            offset, length = layout.offsets[index], layout.lengths[index]
            if path is not None and path != placement.parts_path and size < length:
                first = (offset + size) // layout.piece_length
                last = (offset + length - 1) // layout.piece_length
                gone.append(range(first, last + 1))
        return gone

    def _know(self, have: int, plan: CheckPlan | None = None) -> None:
        self.claims, self.plan = None, plan
        self.checks += 1
        self.checked_pieces = self._metainfo.piece_count
        self._torrent.found(have)


def files_with(
    pieces: int, layout: FileLayout, indexes: Iterable[int], piece_count: int
) -> Iterator[int]:
    """Those of the files, by number, that have bytes of a set of pieces."""
    digits = f"{pieces:0{piece_count}b}"
    for index in indexes:
        for span in layout.pieces_of([index]):
            if digits.find("1", span.start, span.stop) >= 0:
                yield index
