"""What every change of a torrent's files needs: to be alone, to be remembered, and to end in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from millstream.core.torrent_state import TorrentState
from millstream.engine.inventory import Inventory
from millstream.engine.membership import Membership
from millstream.engine.torrent_disk import TorrentDisk
from millstream.engine.unbroken import interrupt_once, unbroken
from millstream.errors import StorageError, UnfinishedMoveError
from millstream.interfaces.filesystem import FileSystem
from millstream.storage.placement import Placement
from millstream.storage.relocation import Relocation


class Arrangement:
    """The files of one torrent, as those change them who may.

    Args:
        member: the torrent.
        disk: its way to the disk.
        inventory: its checks.
        files: where the files are.

    Attributes:
        member: see above.
        disk: see above.
        inventory: see above.
        files: see above.
        is_closed: whether nothing may be changed any more, as the torrent leaves.
    """

    __slots__ = ("_transfer", "disk", "files", "inventory", "is_closed", "member")

    def __init__(
        self, member: Membership, disk: TorrentDisk, inventory: Inventory, files: FileSystem
    ) -> None:
        self.member = member
        self.disk = disk
        self.inventory = inventory
        self.files = files
        self.is_closed = False
        self._transfer: asyncio.Task[None] | None = None

    @property
    def is_checking(self) -> bool:
        """Whether the torrent's files are checked, or will be when what runs here has ended."""
        return self.member.stage.state is TorrentState.CHECKING

    @property
    def is_idle(self) -> bool:
        """Whether nobody uses the files, or changes them."""
        disk = self.disk
        return not (disk.in_flight or disk.is_fenced or disk.arranging.locked())

    @asynccontextmanager
    async def alone(self, *, ends_check: bool = True) -> AsyncIterator[Placement]:
        """Nobody else changes files within; nor does a check run, which begins anew afterwards.

        Args:
            ends_check: False leaves a check that runs alone.

        Raises:
            EngineClosedError: the torrent leaves, or left while this was under way; what was begun
                is taken back. TorrentRemovedError if it was removed.
        """
        async with self.disk.arranging:
            self._be_open()
            try:
                if ends_check and self.is_checking:
                    await self.inventory.end()
                yield self.disk.placement
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if self.is_closed and task is not None and not task.cancelling():
                    self._be_open()
                raise
            finally:
                if self.is_checking and not self.inventory.is_running and not self.is_closed:
                    self.inventory.begin()

    def _be_open(self) -> None:
        if self.is_closed:
            raise self.member.departure

    async def transfer(
        self,
        relocation: Relocation,
        progress: Callable[[int], None] | None = None,
        *,
        resuming: bool = False,
    ) -> None:
        """Let files get to their new places, within a fence.

        Cancelled, or closed meanwhile, all is taken back.

        Raises as `Relocation.run`, and CancelledError.
        """
        self._be_open()
        run = relocation.run(self.files, progress, resuming=resuming)
        self._transfer = asyncio.get_running_loop().create_task(run)
        try:
            await unbroken(self._transfer, interrupt=True)
        except UnfinishedMoveError as error:
            self.interrupted(error)
            raise
        finally:
            self._transfer = None

    def interrupted(self, error: StorageError) -> None:
        """Nobody knows where files are: nothing may be read or written before a check found out.

        Within a fence.
        """
        self.inventory.checked_pieces = 0
        self.member.stage.fail(error)
        self.member.gather(self.disk.refuse_waiting(error))

    async def intend(self, **changes: object) -> None:
        """Change the record, and return when that is stored. Raises StorageError."""
        self.note(**changes)
        await self.member.remember()

    def note(self, **changes: object) -> None:
        """Change the record."""
        self.disk.record = replace(self.disk.record, **changes)  # type: ignore[arg-type]
        self.member.changed()

    def shut(self) -> None:
        """Begin nothing more; what is under way is taken back, or comes to its end."""
        self.is_closed = True
        if self._transfer is not None:
            interrupt_once(self._transfer)

    async def close(self) -> None:
        """Shut, and return when nothing is under way."""
        self.shut()
        async with self.disk.arranging:
            pass  # Those who waited before are refused in their turn.
