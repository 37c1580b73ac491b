"""The files of a torrent with pieces: which are wanted, where they are, and how both change."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from millstream.core.geometry import Geometry
from millstream.core.torrent import TorrentMachine
from millstream.engine.file_choice import FileChoice
from millstream.engine.inventory import Inventory
from millstream.engine.membership import Membership
from millstream.engine.shared import Shared
from millstream.engine.torrent_disk import TorrentDisk
from millstream.protocol.metainfo import Metainfo
from millstream.storage.layout import FileLayout
from millstream.storage.roots import StorageRoot

if TYPE_CHECKING:
    from millstream.engine.rearranging import Rearranging


class SessionFiles:
    """The part of `engine.session` that is about files.

    It is `engine.rearranging.RearrangedTorrent`, and most of `engine.inventory.CheckedTorrent`.

    Attributes:
        metainfo: the torrent.
        layout: where its bytes lie.
        geometry: lengths.
        machine: the decisions.
        disk: the way to its files.
        inventory: what of them is there.
        is_leaving: whether the torrent leaves the engine, or left it.
    """

    __slots__ = ("_rearranging", "is_leaving")
    metainfo: Metainfo
    layout: FileLayout
    geometry: Geometry
    machine: TorrentMachine
    disk: TorrentDisk
    inventory: Inventory
    is_leaving: bool
    _rearranging: Rearranging | None
    _membership: Membership
    _shared: Shared

    @property
    def rearranging(self) -> Rearranging:
        """Changes which files are wanted, and where they are; made when first needed."""
        if self._rearranging is None:
            # Here: most torrents are never rearranged.
            from millstream.engine.rearranging import Rearranging  # noqa: PLC0415

            shared = self._shared
            self._rearranging = Rearranging(
                self._membership,
                self.disk,
                self.inventory,
                shared.platform.files,
                shared.roots,
                shared.disk_watch,
                shared.config.disk.incomplete_suffix,
                self,
            )
            if self.is_leaving:
                self._rearranging.shut()
        return self._rearranging

    @property
    def choice(self) -> FileChoice:
        """Which files are to be wanted."""
        return (self.inventory if self._rearranging is None else self._rearranging).choice

    @property
    def moving(self) -> float | None:
        """The share of the files' bytes that a move has moved, 0 to 1; None if none is under way."""
        return None if self._rearranging is None else self._rearranging.moving

    @property
    def moved_bytes(self) -> int | None:
        """Bytes that the move under way has moved; None if there is none."""
        return None if self._rearranging is None else self._rearranging.moved

    @property
    def root(self) -> StorageRoot:
        """What its files are under."""
        return self._membership.root

    @property
    def have(self) -> int:
        """The set (an int) of the pieces that are verified."""
        return self.machine.need.have

    async def see_root(self, within: float) -> None:
        """See that its root is there. Raises RootUnavailableError."""
        await self._shared.disk_watch.see_root(self.metainfo.info_hash, within)

    def check_turn(self) -> AbstractAsyncContextManager[None]:
        """A turn to read its files."""
        return self._membership.check_turn()

    async def settle(self) -> None:
        """Find a place for every file. Raises StorageError."""
        if self._rearranging is not None or not self._is_settled:
            await self.rearranging.settle()

    @property
    def _is_settled(self) -> bool:
        """Whether `Rearranging.settle` would find nothing to do, as with most torrents."""
        gets_suffixes = self.inventory.is_first and self._shared.config.disk.incomplete_suffix
        return self.disk.is_untouched and self.choice.wants_all and not gets_suffixes

    def start_with(self, choice: FileChoice) -> None:
        """Want these files from the start, before any has a place."""
        if choice != self.inventory.choice:
            self.chosen(choice)

    def chosen(self, choice: FileChoice) -> None:
        """Want other files, or in another order; there is a place for what is wanted."""
        self.inventory.choice = choice
        self.machine.set_priorities(choice.pieces(self.layout, self.geometry.piece_count))
        self._shared.queue.changed()
        self._membership.changed()
        self._membership.wake()

    def lost(self, pieces: int) -> None:
        """Of these pieces some are there no more."""
        self._shared.cache.forget(self.metainfo.info_hash)
        if lost := self.machine.lose(pieces):
            self._membership.pieces_lost(lost)
            self._membership.wake()

    def when_at_rest(self, then: Callable[[], None]) -> None:
        """Call this once its files have the names that are due to them."""
        if self._rearranging is None:
            then()
        else:
            self._rearranging.when_finished(then)

    @property
    def is_at_rest(self) -> bool:
        """Whether its files have the names that are due to them."""
        return self._rearranging is None or not self._rearranging.is_busy

    async def at_rest(self) -> None:
        """Return when its files have the names that are due to them."""
        if self._rearranging is not None:
            await self._rearranging.finished()

    async def leave(self) -> None:
        """The torrent is about to leave the engine: end what changes its files."""
        self.is_leaving = True
        if self._rearranging is not None:
            self._rearranging.shut()
        await self.inventory.end()
        if self._rearranging is not None:
            await self._rearranging.close()

    async def delete_files(self) -> None:
        """Delete what is its own, once it left the engine; see `Engine.remove`."""
        await self.rearranging.delete_files()
