"""Changing which files a torrent has, and where, while it runs.

One change at a time, each behind the fence of `engine.torrent_disk`. `engine.moving` does what needs
more words.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from millstream.core.file_priority import FilePriority
from millstream.core.piece_set import set_of_ranges
from millstream.engine.arrangement import Arrangement
from millstream.engine.file_choice import FileChoice
from millstream.engine.inventory import RECENT, Inventory, files_with
from millstream.engine.membership import Membership
from millstream.engine.moving import Moving
from millstream.engine.shared import DiskWatch
from millstream.engine.torrent_disk import TorrentDisk
from millstream.engine.unbroken import unbroken
from millstream.errors import EngineClosedError, MillstreamError, StorageError
from millstream.interfaces.filesystem import FileSystem
from millstream.storage.deletion import delete_data
from millstream.storage.incomplete import settle
from millstream.storage.materialising import materialise, retire_parts
from millstream.storage.placement import Placement
from millstream.storage.relocation import Relocation
from millstream.storage.roots import StorageRoot, StorageRootManager


class RearrangedTorrent(Protocol):
    """The torrent whose files they are: `engine.session`."""

    @property
    def have(self) -> int:
        """The set (an int) of the pieces that are verified."""

    async def see_root(self, within: float) -> None:
        """See that its root is there, unless that was so many seconds ago.

        Raises RootUnavailableError.
        """

    def chosen(self, choice: FileChoice) -> None:
        """Want what a choice says, now that there is a place for it."""

    def lost(self, pieces: int) -> None:
        """The pieces of this set have no place any more."""


class Rearranging:
    """Rearranges the files of one torrent.

    Args:
        member: the torrent.
        disk: its way to the disk.
        inventory: its checks; one that runs begins anew after a change.
        files: where the files are.
        roots: where torrents may be.
        disk_watch: knows which disks are there, and what other torrents have on them.
        suffix: what the names of incomplete files of a new torrent end with; empty for nothing.
        torrent: is told what becomes of them.

    Attributes:
        choice: which files are to be wanted.
    """

    __slots__ = (
        *("_arrangement", "_complete", "_disk", "_disk_watch", "_files", "_inventory"),
        *("_is_late", "_member", "_moving", "_suffix", "_task", "_torrent", "choice"),
    )

    def __init__(
        self,
        member: Membership,
        disk: TorrentDisk,
        inventory: Inventory,
        files: FileSystem,
        roots: StorageRootManager,
        disk_watch: DiskWatch,
        suffix: str,
        torrent: RearrangedTorrent,
    ) -> None:
        self._member = member
        self._disk = disk
        self._inventory = inventory
        self._files = files
        self._disk_watch = disk_watch
        self._suffix = suffix
        self._torrent = torrent
        self._arrangement = Arrangement(member, disk, inventory, files)
        self._moving = Moving(self._arrangement, roots, disk_watch)
        self._is_late = False
        self._complete: set[int] | None = None
        self._task: asyncio.Task[None] | None = None
        self.choice = inventory.choice

    @property
    def moving(self) -> float | None:
        """The share of the files' bytes that a move has moved, 0 to 1; None if none is under way."""
        return self._moving.share

    @property
    def moved(self) -> int | None:
        """Bytes that the move under way has moved; None if there is none."""
        return self._moving.moved

    # Which files are wanted.

    async def choose(self, change: Callable[[FileChoice], FileChoice]) -> None:
        """Want other files; what skips files, or is a matter of order, holds at once.

        While the files are checked the rest waits for the end of that, and this does not.

        Args:
            change: makes the choice of the one there is; may raise ConfigError.

        Raises:
            StorageError: a file that is wanted now got no place; it stays skipped.
        """
        self.choice = change(self.choice)
        self._prefer_placed()
        try:
            async with self._arrangement.alone(ends_check=False):
                self.choice = change(self.choice)
                await self._find_places()
        except BaseException:
            self.choice = self._placed(self.choice)
            self._torrent.chosen(self.choice)
            raise

    async def _find_places(self) -> None:
        self._is_late = self._arrangement.is_checking
        if self._is_late or self._moving.is_interrupted:
            return  # the next check does it
        placement = self._disk.placement
        made = [index for index in placement.in_parts if self.choice.wants(index)]
        if self._is_to_arrange(placement):
            await self._torrent.see_root(RECENT)
            async with self._disk.fence():
                await unbroken(self._arrange(placement))
        self._torrent.chosen(self.choice)
        # No piece makes these.
        empty = [index for index, size in enumerate(placement.layout.lengths) if not size]
        if made or empty:
            await self._inventory.make_room(frozenset(made + empty))

    def prefer_ends(self, *, wanted: bool) -> None:
        """Fetch the first and last pieces of files before all others, or no longer so."""
        self.choice = replace(self.choice, first_last=wanted)
        self._prefer_placed()

    def _prefer_placed(self) -> None:
        self._torrent.chosen(self._placed(self.choice))

    def _placed(self, choice: FileChoice) -> FileChoice:
        """The choice without the files that have no place of their own yet."""
        placement = self._disk.placement
        waiting = [index for index in placement.in_parts if choice.wants(index)]
        skipped = dict.fromkeys(waiting, FilePriority.SKIP)
        return choice.changed(skipped, len(placement.layout.names)) if waiting else choice

    def _is_to_arrange(self, placement: Placement) -> bool:
        choice = self.choice
        return any(choice.wants(index) for index in placement.in_parts) or (
            not choice.wants_all
            and any(not choice.wants(index) for index, _ in placement.own_paths())
        )

    async def _arrange(self, placement: Placement) -> None:
        """Let the bytes of wanted files be in the files, those of others in the parts file.

        A file that is there already is used, wanted or not.
        """
        choice = self.choice
        wanted = [index for index in placement.in_parts if choice.wants(index)]
        if wanted:
            if self._suffix and placement.suffix in {"", self._suffix}:
                complete = self._complete_ones(wanted)
                incomplete = [index for index in wanted if index not in complete]
                placement.add_suffix(incomplete, self._suffix)
            await materialise(self._files, placement, wanted)
            placement.take_out_of_parts(wanted)
            await self._arrangement.intend(parts_left=not placement.in_parts)
            await self._retire_parts(placement)
        if not choice.wants_all:
            await self._put_in_parts(placement)

    async def _retire_parts(self, placement: Placement) -> None:
        if self._disk.record.parts_left and not placement.in_parts:
            await retire_parts(self._files, placement)
            self._arrangement.note(parts_left=False)

    async def _put_in_parts(self, placement: Placement) -> None:
        own = placement.own_paths()
        skipped = [(index, path) for index, path in own if not self.choice.wants(index)]
        stats = await self._files.stat_many(placement.root, [path for _, path in skipped])
        pairs = zip(skipped, stats, strict=True)
        # Before a check nobody knows what there is of files that were somebody else's.
        others = self._not_ours() if self._inventory.is_taken else set()
        gone = [index for (index, _), stat in pairs if stat is None or index in others]
        placement.put_in_parts(gone)
        # A file that had something was deleted by somebody, and nobody noticed.
        layout = placement.layout
        self._torrent.lost(set_of_ranges(layout.pieces_of(gone), layout.piece_count))

    # Where the files are.

    async def move(self, root: StorageRoot) -> None:
        """See `Moving.move`."""
        await self._moving.move(root)

    async def rename(self, choose: Callable[[Placement], Mapping[int, str]]) -> None:
        """See `Moving.rename`."""
        await self._moving.rename(choose)

    def follow_root(self) -> None:
        """The torrent's root has another path; the files are there already."""
        if self._disk.placement.root == self._member.root.path:
            return
        if self._arrangement.is_idle:
            self._disk.release()
            self._disk.placement.root = self._member.root.path
            self._disk.changes += 1
        else:
            self._begin()

    async def _follow_root(self) -> None:
        async with self._arrangement.alone(), self._disk.fence() as placement:
            placement.root = self._member.root.path

    async def delete_files(self) -> None:
        """Delete the torrent's own files, but those of other torrents, once it is at rest.

        Raises:
            StorageError: not all could be deleted.
        """
        if self._inventory.is_first:
            return  # nobody ever looked: nothing of what is there is known to be its own
        await self._torrent.see_root(RECENT)
        placement, stays = self._disk.placement, self._not_ours()
        owned = [index for index in range(len(placement.layout.names)) if index not in stays]

        async def delete() -> None:
            keep = self._disk_watch.paths_in_use(placement.root, self._member.info_hash)
            await delete_data(self._files, placement, owned, keep)

        try:
            await self._moving.discard(delete)
        finally:
            await delete()

    def _not_ours(self) -> set[int]:
        """The files that were there before the torrent, and still have nothing of it."""
        foreign, layout = self._disk.record.foreign, self._disk.placement.layout
        if foreign is None:
            return set()
        there = set(foreign.indexes(len(layout.names)))
        return there.difference(files_with(self._torrent.have, layout, there, layout.piece_count))

    # The suffix of incomplete files.

    def piece_verified(self, piece: int) -> None:
        """Let files that are complete now lose the suffix, in the background."""
        layout = self._disk.placement.layout
        spans = layout.spans(piece * layout.piece_length, layout.length_of(piece))
        self._finish({span.file for span in spans})

    def checked(self) -> None:
        """The same for all files; and find places for those that were chosen during the check."""
        if self._is_late:
            self._begin()
        if self._disk.placement.suffixed:
            self._finish(self._disk.placement.suffixed)

    def _finish(self, indexes: Iterable[int]) -> None:
        suffixed = self._disk.placement.suffixed
        complete = self._complete_ones([index for index in indexes if index in suffixed])
        if complete:
            self._complete = complete.union(self._complete or ())
            self._begin()

    def _complete_ones(self, indexes: Iterable[int]) -> set[int]:
        """Those of the files of which every piece is verified."""
        layout, have = self._disk.placement.layout, self._torrent.have
        complete = set()
        for index in indexes:
            for span in layout.pieces_of([index]):
                every = (1 << len(span)) - 1
                if have >> (layout.piece_count - span.stop) & every == every:
                    complete.add(index)
        return complete

    async def _drop_suffixes(self) -> None:
        async with self._arrangement.alone(ends_check=False) as placement:
            if self._arrangement.is_checking or self._moving.is_interrupted:
                self._complete = None
                return  # at the check's end they are found again
            indexes = sorted(placement.suffixed & (self._complete or set()))
            self._complete = None
            relocation = Relocation.without_suffix(placement, indexes)
            try:
                await self._torrent.see_root(RECENT)
                await relocation.check(self._files)
                async with self._disk.fence():
                    await unbroken(self._rename(relocation, indexes))
            except StorageError as error:
                self._member.journal.suffix_stays(error)
            self._member.changed()

    async def _rename(self, relocation: Relocation, indexes: list[int]) -> None:
        placement = self._disk.placement
        try:
            await relocation.run(self._files)
        except StorageError:
            try:
                await settle(self._files, placement)
            except StorageError as error:
                self._arrangement.interrupted(error)
            raise
        placement.drop_suffix(indexes)

    # In the background.

    def _begin(self) -> None:
        if self._task is None and not self._arrangement.is_closed:
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        try:
            while not self._arrangement.is_closed:
                if self._disk.placement.root != self._member.root.path:
                    await self._follow_root()
                elif self._is_late and not self._arrangement.is_checking:
                    await self.choose(lambda choice: choice)
                elif self._complete:
                    await self._drop_suffixes()
                else:
                    return
        except EngineClosedError:
            pass
        except MillstreamError as error:
            self._member.journal.not_rearranged(error)
        finally:
            self._complete, self._is_late, self._task = None, False, None

    @property
    def is_busy(self) -> bool:
        """Whether something is done in the background."""
        return self._task is not None

    async def finished(self) -> None:
        """Wait for what is done in the background."""
        while self._task is not None:
            await asyncio.wait([self._task])

    def when_finished(self, then: Callable[[], None]) -> None:
        """Call this now, or when what is done in the background has its end."""
        if self._task is None:
            then()
        else:
            self._task.add_done_callback(lambda _: then())

    def shut(self) -> None:
        """The torrent leaves: begin nothing more, and take back what is under way."""
        self._arrangement.shut()

    async def close(self) -> None:
        """The same, and return when it is done."""
        await self._arrangement.close()
        await self.finished()

    # Before a check.

    async def settle(self) -> None:
        """Finish what a crash interrupted, and find a place for every file. Raises StorageError.

        `engine.session_files` says when there is nothing of this to do: the two belong together.
        """
        async with self._disk.arranging:
            await self._moving.recover()
            placement = self._disk.placement
            if self._suffix and self._inventory.is_first:
                filled = [index for index, size in enumerate(placement.layout.lengths) if size]
                placement.add_suffix(filled, self._suffix)
            if placement.suffixed:
                await settle(self._files, placement)
            await self._retire_parts(placement)
            if self._is_to_arrange(placement):
                async with self._disk.fence():
                    await unbroken(self._arrange(placement))
            if self._inventory.choice != self.choice:
                self._torrent.chosen(self.choice)
            self._is_late = False
