"""Changing which files a torrent has, and where, while it runs.

One change at a time, each behind the fence of `engine.torrent_disk`. What is moved or renamed is
written down before the first file is touched, so that whoever starts after a crash finds the files,
wherever each of them is (`settle`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Container, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from millstream.core.file_priority import FilePriority
from millstream.core.torrent_state import TorrentState
from millstream.engine.file_choice import FileChoice
from millstream.engine.inventory import Inventory, files_with
from millstream.engine.membership import Membership
from millstream.engine.torrent_disk import TorrentDisk
from millstream.errors import ConfigError, StorageError, UnfinishedMoveError
from millstream.interfaces.filesystem import FileSystem
from millstream.storage import incomplete
from millstream.storage.deletion import delete_data
from millstream.storage.materialising import materialise, retire_parts
from millstream.storage.placement import Placement
from millstream.storage.relocation import Relocation
from millstream.storage.roots import StorageRoot, StorageRootManager


class Rearranging:
    """Rearranges the files of one torrent.

    Args:
        member: the torrent.
        disk: its way to the disk.
        inventory: its checks; one that runs begins anew after a change.
        files: where the files are.
        roots: where torrents may be.
        suffix: what the names of incomplete files of a new torrent end with; empty for nothing.
        chosen: lets the torrent want what a choice says, now that there is a place for it.

    Attributes:
        choice: which files are to be wanted.
        moved: bytes that the move under way has moved; None if there is none.
    """

    def __init__(
        self,
        member: Membership,
        disk: TorrentDisk,
        inventory: Inventory,
        files: FileSystem,
        roots: StorageRootManager,
        suffix: str,
        chosen: Callable[[FileChoice], None],
    ) -> None:
        self._member = member
        self._disk = disk
        self._inventory = inventory
        self._files = files
        self._roots = roots
        self._suffix = suffix
        self._chosen = chosen
        self._lock: asyncio.Lock | None = None
        self._finishing: asyncio.Task[None] | None = None
        self.choice = FileChoice()
        self.moved: int | None = None

    # Which files are wanted.

    async def choose(self, choice: FileChoice) -> None:
        """Want other files. Raises StorageError; what could get no place then is not wanted."""
        self.choice = choice
        async with self._alone():
            count = len(self._disk.placement.layout.files)
            waiting = [index for index in self._disk.placement.in_parts if choice.wants(index)]
            skipped = dict.fromkeys(waiting, FilePriority.SKIP)
            # At once: what is skipped now, and the order of the rest.
            self._chosen(choice.changed(skipped, count) if waiting else choice)
            try:
                async with self._disk.fence() as placement:
                    await self._arrange(placement)
            except StorageError:
                self.choice = self._inventory.choice
                raise
            self._chosen(self.choice)

    def prefer_ends(self, *, wanted: bool) -> None:
        """Fetch the first and last pieces of files before all others, or no longer so."""
        self.choice = replace(self.choice, first_last=wanted)
        self._chosen(replace(self._inventory.choice, first_last=wanted))

    async def _arrange(self, placement: Placement) -> None:
        """Let the bytes of wanted files be in the files, those of others in the parts file.

        A file that is there already is used, wanted or not.
        """
        choice = self.choice
        wanted = [index for index in placement.in_parts if choice.wants(index)]
        if wanted:
            if self._suffix and placement.suffix in {"", self._suffix}:
                placement.add_suffix(wanted, self._suffix)
            await materialise(self._files, placement, wanted)
            placement.take_out_of_parts(wanted)
            await self._member.remember()
            await retire_parts(self._files, placement)
        if choice.wants_all:
            return
        skipped = [
            (index, path) for index, path in placement.own_paths() if not choice.wants(index)
        ]
        stats = await self._files.stat_many(placement.root, [path for _, path in skipped])
        placement.put_in_parts(
            index for (index, _), stat in zip(skipped, stats, strict=True) if stat is None
        )

    # Where the files are.

    async def move(self, root: StorageRoot) -> None:
        """Move all files to another root.

        Raises:
            StorageError: a file is in the way there, or does not fit, or cannot be moved; all is as
                it was.
            UnfinishedMoveError: nor could all be moved back. The next check goes on with it.
        """
        async with self._alone():
            placement = self._disk.placement
            if root.path != placement.root:
                relocation = Relocation.to_another_root(placement, placement.root, root.path)
                await relocation.check(self._files)
                await self._relocate(relocation, root)
            self._roots.assign(self._member.info_hash, root.token)
            self._member.changed()

    async def _relocate(self, relocation: Relocation, root: StorageRoot) -> None:
        await self._intend(moving_to=root.path)
        self.moved = 0
        try:
            async with self._disk.fence() as placement:
                await relocation.run(self._files, self._progressed)
                placement.root = root.path
        except UnfinishedMoveError as error:
            self._interrupted(error)
            raise
        except BaseException:
            self._note(moving_to=None)
            raise
        finally:
            self.moved = None
        await self._arrived(relocation, root)

    async def _arrived(self, relocation: Relocation, root: StorageRoot) -> None:
        """All files are at the new root: let nobody look for them at the old one, and clear that."""
        self._roots.assign(self._member.info_hash, root.token)
        await self._intend(moving_to=None, moved_from=relocation.root)
        await relocation.finish(self._files)
        self._note(moved_from=None)

    def _progressed(self, moved: int) -> None:
        self.moved = (self.moved or 0) + moved

    async def rename(self, paths: Mapping[int, str]) -> None:
        """Give files other paths, by their numbers.

        Raises:
            ConfigError: a file cannot have this path.
            StorageError: something is there already, or a file could not be renamed.
        """
        async with self._alone():
            relocation = Relocation.renaming(self._disk.placement, paths)
            await relocation.check(self._files)
            await self._intend(renaming=paths)
            try:
                async with self._disk.fence() as placement:
                    await relocation.run(self._files)
                    placement.rename_many(paths)
            except UnfinishedMoveError as error:
                self._interrupted(error)
                raise
            except BaseException:
                self._note(renaming={})
                raise
            await self._intend(renaming={})
            await relocation.finish(self._files)

    async def delete_files(self, have: int, keep: Container[str]) -> None:
        """Delete the torrent's own files, once it is at rest.

        Args:
            have: the set (an int) of the pieces that are verified.
            keep: paths that another torrent uses.

        Raises:
            StorageError: not all could be deleted.
        """
        await self.finished()
        placement, foreign = self._disk.placement, self._disk.record.foreign
        if self._inventory.is_first:
            return  # nobody ever looked: nothing of what is there is known to be its own
        owned = None
        if foreign is not None:
            layout = placement.layout
            count = -(-layout.total_length // layout.piece_length)
            there = set(foreign.indexes(len(layout.files)))
            stays = there.difference(files_with(have, layout, there, count))
            owned = [index for index in range(len(layout.files)) if index not in stays]
        await delete_data(self._files, placement, owned, keep)

    def _interrupted(self, error: UnfinishedMoveError) -> None:
        """Files are at both places: nothing may be read or written before a check went on with it."""
        self._inventory.checked_pieces = 0
        self._member.stage.fail(error)

    async def _intend(self, **changes: object) -> None:
        self._note(**changes)
        await self._member.remember()

    def _note(self, **changes: object) -> None:
        self._disk.record = replace(self._disk.record, **changes)  # type: ignore[arg-type]
        self._member.changed()

    # The suffix of incomplete files.

    def finish_files(self, indexes: list[int]) -> None:
        """These files are complete: let them lose the suffix, in the background."""
        if indexes and (self._finishing is None or self._finishing.done()):
            self._finishing = asyncio.get_running_loop().create_task(self._finish(indexes))

    async def _finish(self, indexes: list[int]) -> None:
        async with self._alone():
            placement = self._disk.placement
            try:
                relocation = Relocation.without_suffix(placement, indexes)
                await relocation.check(self._files)
                async with self._disk.fence():
                    await relocation.run(self._files)
                    placement.drop_suffix(indexes)
            except StorageError as error:
                self._member.journal.suffix_stays(error)
            self._member.changed()

    async def finished(self) -> None:
        """Wait for what is done in the background."""
        if self._finishing is not None:
            await asyncio.wait([self._finishing])

    # Before a check.

    async def settle(self) -> None:
        """Finish what a crash interrupted, and find a place for every file. Raises StorageError."""
        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            placement = self._disk.placement
            await self._recover(placement)
            if self._suffix and self._inventory.is_first:
                placement.add_suffix(range(len(placement.layout.files)), self._suffix)
            if placement.suffixed:
                await incomplete.settle(self._files, placement)
            await self._arrange(placement)

    async def _recover(self, placement: Placement) -> None:
        record = self._disk.record
        if record.moving_to is not None:
            root = self._roots.for_path(record.moving_to)
            relocation = Relocation.to_another_root(placement, placement.root, root.path)
            await relocation.run(self._files, resuming=True)
            placement.root = root.path
            await self._arrived(relocation, root)
        elif record.moved_from is not None:
            before = Relocation.to_another_root(placement, record.moved_from, placement.root)
            await before.finish(self._files)
            self._note(moved_from=None)
        if record.renaming:
            try:
                relocation = Relocation.renaming(placement, record.renaming)
            except ConfigError:
                self._note(renaming={})
                return
            await relocation.run(self._files, resuming=True)
            placement.rename_many(record.renaming)
            await self._intend(renaming={})
            await relocation.finish(self._files)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Nothing else is rearranged within, and no check runs."""
        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            if self._is_checking:
                await self._inventory.end()
            else:
                await self._inventory.finished()
            try:
                yield
            finally:
                if self._is_checking and not self._inventory.is_running:
                    self._inventory.begin()

    @property
    def _is_checking(self) -> bool:
        return self._member.stage.state is TorrentState.CHECKING
