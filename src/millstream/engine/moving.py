"""Files of a torrent that get to other places while it runs.

What is moved or renamed is written down before the first file is touched, so that whoever starts
after a crash finds the files, wherever each of them is, and goes on (`Moving.recover`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from millstream.engine import events
from millstream.engine.arrangement import Arrangement
from millstream.engine.shared import DiskWatch
from millstream.engine.unbroken import unbroken
from millstream.errors import ConfigError, StorageError, UnfinishedMoveError
from millstream.storage.placement import Placement
from millstream.storage.relocation import Relocation
from millstream.storage.roots import StorageRoot, StorageRootManager


class Moving:
    """Moves and renames the files of one torrent.

    Args:
        arrangement: of the files.
        roots: where torrents may be.
        disk_watch: knows which disks are there, and what other torrents have on them.

    Attributes:
        moved: bytes that the move under way has moved; None if there is none.
        total: bytes that it has to move, about.
    """

    __slots__ = (
        "_arrangement",
        "_disk",
        "_files",
        "_roots",
        "_watch",
        "moved",
        "total",
    )

    def __init__(
        self,
        arrangement: Arrangement,
        roots: StorageRootManager,
        disk_watch: DiskWatch,
    ) -> None:
        self._arrangement = arrangement
        self._disk = arrangement.disk
        self._files = arrangement.files
        self._roots = roots
        self._watch = disk_watch
        self.moved: int | None = None
        self.total = 0

    @property
    def share(self) -> float | None:
        """The share of the bytes that is moved, 0 to 1; None if no move is under way."""
        return None if self.moved is None else min(1.0, self.moved / (self.total or 1))

    async def move(self, root: StorageRoot) -> None:
        """Move all files to another root.

        Raises:
            StorageError: a root is not there, a file is in the way, or does not fit, or cannot be
                moved; all is as it was.
            UnfinishedMoveError: nor could all be moved back. The next check goes on with it.
            EngineClosedError: the torrent leaves the engine; all is as it was.
        """
        async with self._arrangement.alone() as placement:
            # It may have gone meanwhile, with the last torrent that was in it.
            root = self._roots.for_path(root.path)
            await self._see_both(root)
            await self.recover()
            if root.path == placement.root:
                self._arrive(placement)
                return
            relocation = Relocation.to_another_root(placement, placement.root, root.path)
            await relocation.check(self._files)
            await self._relocate(relocation)

    async def _see_both(self, root: StorageRoot) -> None:
        # Where a disk is not mounted all files seem to be gone, and would go to its mount point.
        await self._watch.require_root(self._arrangement.member.root.token)
        await self._watch.require_root(root.token)

    async def _relocate(self, relocation: Relocation) -> None:
        arrangement = self._arrangement
        try:
            await arrangement.intend(moving_to=relocation.to_root)
            # Whoever copies leaves the files where they are until the end: they can be read.
            is_copied = not await self._files.same_disk(relocation.root, relocation.to_root)
            await self._measure(relocation)
            async with self._disk.fence(reads_go_on=is_copied):
                await arrangement.transfer(relocation, self._progressed)
                await unbroken(self._switch(relocation))
        except UnfinishedMoveError:
            raise
        except BaseException:
            arrangement.note(moving_to=None)
            raise
        finally:
            self.moved = None
            arrangement.member.wake()
        await unbroken(self._clear_up(relocation))

    async def _measure(self, relocation: Relocation) -> None:
        paths = [transfer.path for transfer in relocation.transfers]
        stats = await self._files.stat_many(relocation.root, paths)
        self.total = sum(stat.size for stat in stats if stat is not None)
        self.moved = 0

    def _progressed(self, moved: int) -> None:
        self.moved = (self.moved or 0) + moved

    async def _switch(self, relocation: Relocation) -> None:
        """All files are at the new root: let nobody look for them at the old one."""
        identity: str | None = None
        with suppress(StorageError):
            # Also for a torrent of which nothing is there: where it is it is no disk that is gone.
            await self._files.make_directory(relocation.to_root, "")
            identity = await self._files.identify(relocation.to_root)
        await self._disk.hold_reads()
        placement = self._disk.placement
        placement.root = relocation.to_root
        root = self._arrive(placement)
        if identity is not None:
            self._roots.set_identity(root.token, identity)
        self._arrangement.note(moving_to=None, moved_from=relocation.root)

    def _arrive(self, placement: Placement) -> StorageRoot:
        member = self._arrangement.member
        root = self._roots.for_path(placement.root)
        self._roots.assign(member.info_hash, root.token)
        member.changed()
        return root

    async def _clear_up(self, relocation: Relocation) -> None:
        """Delete what was copied, once it is stored that it was.

        What fails here does so after the move, and is tried again at the next start.
        """
        arrangement = self._arrangement
        try:
            await arrangement.member.remember()
            await self._finish(relocation)
        except StorageError as error:
            arrangement.member.journal.leftovers(relocation.root, error)
        else:
            arrangement.note(moved_from=None)
        arrangement.member.tell(events.TorrentMoved(relocation.to_root))

    async def _finish(self, relocation: Relocation) -> None:
        info_hash = self._arrangement.member.info_hash
        keep = self._watch.paths_in_use(relocation.root, besides=info_hash)
        await relocation.finish(self._files, keep)

    async def rename(self, choose: Callable[[Placement], Mapping[int, str]]) -> None:
        """Give files other paths.

        Args:
            choose: says which, by the numbers of the files; may raise ConfigError.

        Raises:
            ConfigError: a file cannot have this path.
            StorageError: something is there already, or a file could not be renamed; all is as it
                was.
            UnfinishedMoveError: nor could all be taken back. The next check goes on with it.
        """
        arrangement = self._arrangement
        if not _changes(choose(self._disk.placement), self._disk.placement):
            return
        async with arrangement.alone() as placement:
            await self._watch.require_root(arrangement.member.root.token)
            await self.recover()
            paths = _changes(choose(placement), placement)
            relocation = Relocation.renaming(placement, paths)
            await relocation.check(self._files)
            try:
                await arrangement.intend(renaming=paths)
                async with self._disk.fence():
                    await arrangement.transfer(relocation)
                    placement.rename_many(paths)
                    arrangement.note(renaming={})
            except UnfinishedMoveError:
                raise
            except BaseException:
                arrangement.note(renaming={})
                raise
            await unbroken(self._renamed(relocation, paths))

    async def _renamed(self, relocation: Relocation, paths: Mapping[int, str]) -> None:
        arrangement = self._arrangement
        try:
            await arrangement.member.remember()
            await relocation.finish(self._files)
        except StorageError as error:
            arrangement.member.journal.leftovers(relocation.root, error)
        arrangement.member.tell(events.FilesRenamed(dict(paths)))

    # After a crash.

    @property
    def is_interrupted(self) -> bool:
        """Whether files may be at two places, so that none of them can be relied on."""
        record = self._disk.record
        return record.moving_to is not None or bool(record.renaming)

    async def recover(self) -> None:
        """Finish what a crash or an error interrupted. Nobody else uses the files.

        Raises:
            StorageError: it is not finished.
        """
        record, placement = self._disk.record, self._disk.placement
        if record.moving_to is not None:
            root = self._roots.for_path(record.moving_to)
            await self._see_both(root)
            relocation = Relocation.to_another_root(placement, placement.root, root.path)
            await self._measure(relocation)
            async with self._disk.fence():
                await self._resume(relocation)
                await unbroken(self._switch(relocation))
            await unbroken(self._clear_up(relocation))
        elif record.moved_from is not None:
            before = Relocation.to_another_root(placement, record.moved_from, placement.root)
            try:
                await self._finish(before)
            except StorageError as error:
                self._arrangement.member.journal.leftovers(record.moved_from, error)
            self._arrangement.note(moved_from=None)
        if record.renaming:
            try:
                relocation = Relocation.renaming(placement, record.renaming)
            except ConfigError:
                self._arrangement.note(renaming={})
                return
            async with self._disk.fence():
                await self._resume(relocation)
                placement.rename_many(record.renaming)
                self._arrangement.note(renaming={})
            await unbroken(self._renamed(relocation, record.renaming))

    async def _resume(self, relocation: Relocation) -> None:
        try:
            await self._arrangement.transfer(relocation, self._progressed, resuming=True)
        finally:
            self.moved = None

    async def discard(self, delete: Callable[[], Awaitable[None]]) -> None:
        """Delete what a move or a rename that was interrupted left at the other places.

        Args:
            delete: deletes the torrent's files where the placement says that they are.

        Raises:
            StorageError: not all could be deleted.
        """
        record, placement = self._disk.record, self._disk.placement
        if record.moved_from is not None and record.moving_to is None:
            before = Relocation.to_another_root(placement, record.moved_from, placement.root)
            await self._finish(before)
        if record.moving_to is not None:
            relocation = Relocation.to_another_root(placement, placement.root, record.moving_to)
            root, placement.root = placement.root, record.moving_to
            try:
                vias = [transfer.via for transfer in relocation.transfers]
                await self._files.delete_many(placement.root, vias)
                await delete()
            finally:
                placement.root = root
        if record.renaming:
            with suppress(ConfigError):
                await Relocation.renaming(placement, record.renaming).undo(self._files)


def _changes(paths: Mapping[int, str], placement: Placement) -> dict[int, str]:
    return {index: path for index, path in paths.items() if path != placement.name(index)}
