"""Files of a torrent given other places: another root, or other names.

In this order, so that a crash at any moment loses nothing and can be told from what exists:

1. `check`: nothing is in the way at the new places.
2. The caller stores what it is about to do.
3. `run`: every file gets to its new place. Renamed where that is possible, else copied, with the old
   file left. On a failure all of it is taken back.
4. The caller switches the placement, and stores that.
5. `finish`: old files that were copied are deleted, and directories that became empty.

After a crash the caller finds what it stored and makes the same relocation again: before step 4 it
goes on with `run(resuming=True)`, or gives up with `undo`; after step 4 with `finish`. A copy gets
its name when it is whole, and has the size and the time of the original: by that it is known again.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Container, Iterable, Mapping
from typing import NamedTuple

from millstream.errors import ConfigError, StorageError, UnfinishedMoveError
from millstream.interfaces.filesystem import FileStat, FileSystem, Transfer, Transferred
from millstream.storage.chosen_names import directories_above
from millstream.storage.names import collision_key
from millstream.storage.placement import Placement

# FAT keeps times of modification in steps of two seconds.
_SAME_TIME = 2.0


class _Survey(NamedTuple):
    """What is where: transfers to do, those done before, and directories that are made for them."""

    to_do: list[Transfer]
    moved: list[Transfer]
    copied: list[Transfer]
    new_directories: list[str]


class Relocation:
    """Files that get from one place to another.

    Args:
        root: where they are.
        to_root: where they shall be.
        moves: the path of each below `root`, and the one below `to_root`; no path twice on either
            side. What does not exist is fine.
        sparse: those of the paths whose size says nothing of the room they take.

    Attributes:
        root: see above.
        to_root: see above.
        transfers: the moves.
    """

    def __init__(
        self,
        root: str,
        to_root: str,
        moves: Iterable[tuple[str, str]],
        *,
        sparse: Container[str] = (),
    ) -> None:
        self.root = root
        self.to_root = to_root
        self.transfers = [Transfer(path, to, _via(to)) for path, to in moves]
        self._sparse = sparse

    @classmethod
    def to_another_root(cls, placement: Placement, root: str, to_root: str) -> Relocation:
        """All files of a torrent and its parts file from one root to another, whichever is its."""
        paths = [*placement.paths, placement.parts_path]
        return cls(root, to_root, zip(paths, paths, strict=True), sparse={placement.parts_path})

    @classmethod
    def renaming(cls, placement: Placement, paths: Mapping[int, str]) -> Relocation:
        """Files that get the paths that a user chose, as `Placement.rename_many` takes them.

        Raises:
            ConfigError: as `Placement.check_renames`, or a file is to have the place of another
                that is renamed, too.
        """
        placement.check_renames(paths)
        holders = {collision_key(path): index for index, path in placement.own_paths()}
        moves = []
        for index, path in paths.items():
            own = placement.own_path(index)
            to = path + placement.suffix if index in placement.suffixed else path
            if own is None or own == to or index in placement.in_parts:
                continue
            if holders.get(collision_key(to), index) != index:
                raise ConfigError(
                    f"rename: {to!r} is only about to become free; rename in two steps"
                )
            moves.append((own, to))
        return cls(placement.root, placement.root, moves)

    @classmethod
    def without_suffix(cls, placement: Placement, indexes: Iterable[int]) -> Relocation:
        """Files that lose the suffix of incomplete files, as `Placement.drop_suffix` takes them."""
        moves = []
        for index in indexes:
            name, own = placement.name(index), placement.own_path(index)
            if name is not None and own is not None and own != name:
                moves.append((own, name))
        return cls(placement.root, placement.root, moves)

    async def check(self, files: FileSystem) -> None:
        """Find out whether the files can be moved; nothing is changed.

        Raises:
            StorageError: EEXIST names the first file that is in the way; ENOSPC says that the files
                do not fit; EINVAL that both roots are one directory.
        """
        survey = await self._survey(files, resuming=False)
        if self.root == self.to_root:
            return
        if await self._is_in_place(files):
            raise StorageError(self.to_root, "is where the files are already", errno.EINVAL)
        if not await files.same_disk(self.root, self.to_root):
            paths = [
                transfer.path for transfer in survey.to_do if transfer.path not in self._sparse
            ]
            found = await files.stat_many(self.root, paths)
            needed = sum(stat.size for stat in found if stat is not None)
            free = await files.free_space(self.to_root)
            if needed > free:
                cause = f"the files have {needed} bytes, and {free} are free"
                raise StorageError(self.to_root, cause, errno.ENOSPC)

    async def run(
        self,
        files: FileSystem,
        progress: Callable[[int], None] | None = None,
        *,
        resuming: bool = False,
    ) -> None:
        """Get every file to its new place; afterwards the placement can be switched.

        If it fails or is cancelled, all is taken back first.

        Args:
            files: the file system.
            progress: called with the number of bytes moved since the last call.
            resuming: files at the new places may be there by an earlier run.

        Raises:
            StorageError: a file is in the way, or could not be moved; all is as it was.
            UnfinishedMoveError: nor could all be taken back. Try `run` or `undo` again later.
        """
        survey = await self._survey(files, resuming=resuming)
        if survey.copied:
            # One that was whole when the run ended may have its hidden name still, besides.
            await files.delete_many(self.to_root, [transfer.via for transfer in survey.copied])
        done: list[Transferred] = []
        try:
            await files.transfer(self.root, self.to_root, survey.to_do, done, progress)
        except BaseException as error:
            for transfer, what in zip(survey.to_do, done, strict=False):
                if what is Transferred.MOVED:
                    survey.moved.append(transfer)
                elif what is Transferred.COPIED:
                    survey.copied.append(transfer)
            await self._take_back(files, survey, error)
            raise

    async def undo(self, files: FileSystem) -> None:
        """Take back what an earlier `run` did before a crash; afterwards all is at the old place.

        Raises:
            UnfinishedMoveError: not all could be taken back.
        """
        survey = await self._survey(files, resuming=True)
        await self._take_back(files, survey, None)

    async def finish(self, files: FileSystem, keep: Container[str] = ()) -> None:
        """Delete the old files that were copied, and the directories that are empty now.

        Call it when the placement was switched and that is stored; it can be called again.

        Args:
            files: the file system.
            keep: paths below the old root that another torrent uses.

        Raises:
            StorageError: something could not be deleted; all the rest is.
        """
        if self.root != self.to_root and await self._is_in_place(files):
            return
        before = await files.stat_many(self.root, [transfer.path for transfer in self.transfers])
        after = await files.stat_many(self.to_root, [transfer.to for transfer in self.transfers])
        copied = [
            transfer.path
            for transfer, old, new in zip(self.transfers, before, after, strict=True)
            if old is not None
            and new is not None
            and not self._is_respelled(transfer)
            and transfer.path not in keep
            # What is newer than our file came there later, and is somebody's.
            and old.mtime <= new.mtime + _SAME_TIME
        ]
        directories = deepest_first(transfer.path for transfer in self.transfers)
        try:
            await files.delete_many(self.root, copied)
        finally:
            await files.remove_empty_directories(self.root, directories)

    async def _is_in_place(self, files: FileSystem) -> bool:
        """Whether the two roots are one directory by different names."""
        identity = await files.identify(self.root)
        return identity is not None and identity == await files.identify(self.to_root)

    def _is_respelled(self, transfer: Transfer) -> bool:
        """Whether some file system takes the old name and the new one for the same."""
        same_key = collision_key(transfer.path) == collision_key(transfer.to)
        return self.root == self.to_root and same_key

    async def _survey(self, files: FileSystem, *, resuming: bool) -> _Survey:
        survey = _Survey([], [], [], [])
        before = await files.stat_many(self.root, [transfer.path for transfer in self.transfers])
        after = await files.stat_many(self.to_root, [transfer.to for transfer in self.transfers])
        for transfer, old, new in zip(self.transfers, before, after, strict=True):
            if new is None or self._is_respelled(transfer):
                if old is not None:
                    survey.to_do.append(transfer)
            elif not resuming or new.is_directory:
                raise _in_the_way(self.to_root, transfer.to)
            elif old is None:
                survey.moved.append(transfer)
            elif _is_copy(old, new):
                survey.copied.append(transfer)
            else:
                raise _in_the_way(self.to_root, transfer.to)
        directories = deepest_first(transfer.to for transfer in self.transfers)
        found = await files.stat_many(self.to_root, directories)
        survey.new_directories.extend(
            path
            for path, stat in zip(directories, found, strict=True)
            # After a crash nobody knows which were there: empty ones are taken for ours.
            if stat is None or resuming
        )
        return survey

    async def _take_back(
        self, files: FileSystem, survey: _Survey, reason: BaseException | None
    ) -> None:
        back = [Transfer(to, path, _via(path)) for path, to, _ in survey.moved]
        copies = [transfer.to for transfer in survey.copied]
        vias = [transfer.via for transfer in (*survey.to_do, *survey.copied)]
        done: list[Transferred] = []
        try:
            await files.transfer(self.to_root, self.root, back, done)
            copies += [
                transfer.path
                for transfer, what in zip(back, done, strict=True)
                if what is Transferred.COPIED
            ]
            await files.delete_many(self.to_root, copies + vias)
            await files.remove_empty_directories(self.to_root, survey.new_directories)
        except StorageError as error:
            cause = f"{error.cause}; files are at the old place and at the new one"
            if reason is not None:
                cause = f"{cause}, as the move failed: {str(reason) or 'it was given up'}"
            raise UnfinishedMoveError(error.path, cause, error.errno) from error


def deepest_first(paths: Iterable[str]) -> list[str]:
    """The directories that these files are in, each before the one that it is in."""
    found = directories_above({path.rpartition("/")[0] for path in paths})
    return sorted(found, key=lambda path: (-path.count("/"), path))


def _via(path: str) -> str:
    """Where a copy lies until it is whole: hidden, as long as any name may be, and nobody's."""
    directory, slash, _ = path.rpartition("/")
    digest = hashlib.sha1(path.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{directory}{slash}.millstream-{digest[:16]}.moving"


def _is_copy(old: FileStat, new: FileStat) -> bool:
    return old.size == new.size and abs(old.mtime - new.mtime) <= _SAME_TIME


def _in_the_way(root: str, path: str) -> StorageError:
    return StorageError(f"{root}/{path}", "exists already", errno.EEXIST)
