"""The public face of a torrent's files: which are wanted, and where they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike

from millstream.core.file_priority import FilePriority
from millstream.engine.file_choice import FileChoice
from millstream.engine.torrent_handle import TorrentHandle
from millstream.errors import ConfigError
from millstream.storage.renaming import rename_file, rename_folder
from millstream.storage.roots import StorageRoot


class TorrentFiles(TorrentHandle):
    """What a user does with the files of a torrent."""

    @property
    def save_path(self) -> str:
        """The directory under which its files are."""
        return self._membership.root.path

    async def select_files(self, indexes: Iterable[int] | None) -> None:
        """Want only these files (numbers from 0, in the metainfo's order); None wants all.

        Files that were wanted and still are keep their priority, the others get the normal one.
        Raises as `set_file_priorities`.
        """
        count = len(self.metainfo.files)
        wanted = FileChoice.of_selection(indexes, count)

        def select(now: FileChoice) -> FileChoice:
            skip, normal = FilePriority.SKIP, FilePriority.NORMAL
            changes = {
                index: (now.of(index) or normal) if wanted.wants(index) else skip
                for index in range(count)
            }
            return now.changed(changes, count)

        await self._session.rearranging.choose(select)

    async def set_file_priorities(self, priorities: Mapping[int, FilePriority]) -> None:
        """Want files more, less, or not at all, by their numbers in the metainfo's order, from 0.

        A piece that files share comes if one of them is wanted; what it has of a skipped file is
        kept beside the files, in a hidden `.parts` file, until that is wanted as well. Returns when
        all files have their place; while they are checked they get it after that.

        Raises:
            MetadataPendingError: its files are not known yet.
            ConfigError: there is no such file or priority.
            StorageError: a file that is wanted now could not be made; it stays skipped.
        """
        count = len(self.metainfo.files)
        await self._session.rearranging.choose(lambda now: now.changed(priorities, count))

    def file_priorities(self) -> list[FilePriority]:
        """The priority of each file, in the metainfo's order. Raises MetadataPendingError."""
        choice = self._session.choice
        return [choice.of(index) for index in range(len(self.metainfo.files))]

    async def move(
        self, save_path: str | PathLike[str] | None = None, *, root: str | None = None
    ) -> None:
        """Move its files to another place.

        It goes on meanwhile: it serves its peers while files are copied to another disk, and only
        asks for nothing new. Whoever gives up waiting (cancels this) has all taken back, unless it
        has just come to its end. `TorrentStatus.moving` says how far it is.

        Args:
            save_path: the directory under which they are to be.
            root: the token of a storage root, instead.

        Raises:
            ConfigError: neither was said, or there is no such root.
            StorageError: a file is in the way there, or does not fit, or cannot be moved; or a root
                is not there. All is as it was.
            UnfinishedMoveError: nor could all be moved back. The torrent fails, and goes on with the
                move when it is started again.
            EngineClosedError: the torrent left the engine meanwhile; TorrentRemovedError if it was
                removed. All is as it was.
        """
        roots = self._membership.roots
        if (save_path is None) == (root is None):
            raise ConfigError("move: say either a directory or a storage root")
        target = roots.get(root) if root is not None else roots.for_path(save_path or "")
        if self.has_metadata:
            await self._session.rearranging.move(target)
        elif self._membership.is_removed:
            raise self._membership.departure
        else:
            roots.assign(self.info_hash, target.token)
            self._membership.changed()

    @property
    def moved_bytes(self) -> int | None:
        """Bytes that the move under way has moved; None if there is none."""
        return self._session.moved_bytes if self.has_metadata else None

    async def rename_file(self, index: int, path: str) -> None:
        """Give a file another path below the torrent's place, `/` between its parts.

        Raises:
            MetadataPendingError: its files are not known yet.
            ConfigError: there is no such file, or it cannot have this path; the message says why.
            StorageError: something is there already, or it cannot be renamed.
        """
        rearranging = self._session.rearranging
        await rearranging.rename(lambda placement: rename_file(placement, index, path))

    async def rename_folder(self, folder: str, path: str) -> None:
        """Give a directory of the torrent, the top one for one, another path. See `rename_file`."""
        rearranging = self._session.rearranging
        await rearranging.rename(lambda placement: rename_folder(placement, folder, path))

    def file_paths(self) -> list[str | None]:
        """Where each file is below `save_path`; None for padding. Raises MetadataPendingError.

        The bytes of a skipped file may be in the parts file instead.
        """
        placement = self._session.disk.placement
        return [placement.own_path(index) for index in range(len(placement.layout.names))]

    @property
    def content_path(self) -> str:
        """The file of a single-file torrent, or the directory that all files are in.

        Raises MetadataPendingError.
        """
        tops = {path.partition("/")[0] for path in self.file_paths() if path is not None}
        return f"{self.save_path}/{tops.pop()}" if len(tops) == 1 else self.save_path

    @property
    def root(self) -> StorageRoot:
        """What its files are under."""
        return self._membership.root

    @property
    def sequential(self) -> bool:
        """Whether pieces are fetched in order instead of the rarest first.

        Raises MetadataPendingError.
        """
        return self._session.machine.need.sequential

    @sequential.setter
    def sequential(self, wanted: bool) -> None:
        self._session.machine.need.sequential = wanted
        self._membership.changed()

    @property
    def first_last_first(self) -> bool:
        """Whether the first and last pieces of files come before all others, for players.

        Raises MetadataPendingError.
        """
        return self._session.choice.first_last

    @first_last_first.setter
    def first_last_first(self, wanted: bool) -> None:
        self._session.rearranging.prefer_ends(wanted=wanted)
