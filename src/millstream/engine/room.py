"""Room on a disk: whether a download fits before it begins, and when a disk is full."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from millstream.errors import NoSpaceError
from millstream.interfaces.disk import Allocation
from millstream.interfaces.filesystem import FileStat, FileSystem
from millstream.storage.layout import FileLayout
from millstream.storage.roots import StorageRoot

# Times `min_free_space` at which a root has room again: without a gap, one deleted file would let
# all downloads begin, and stop in the next moment.
ROOMY_FACTOR = 2

# Seconds after which a write is tried again that found no room though the figure says that there is
# some: a quota, for one. Libtorrent: `optimistic_disk_retry`, 600.
FULL_RETRY = 600.0


class RoomGauge:
    """What is known of the room in one root.

    Args:
        least: free bytes below which it is full.

    Attributes:
        free: bytes, as of the last look; None before that.
        is_full: whether downloads have to wait.
        needed: free bytes that it takes until it is no longer full; without meaning if it is not.
    """

    __slots__ = ("_least", "_retry_at", "free", "is_full", "needed")

    def __init__(self, least: int) -> None:
        self.free: int | None = None
        self.is_full = False
        self.needed = least
        self._least = least
        self._retry_at: float | None = None

    def measure(self, free: int, now: float) -> bool:
        """Take a figure; whether it made the root full, or no longer so."""
        self.free = free
        if not self.is_full:
            if free >= self._least:
                return False
            self._fill(ROOMY_FACTOR * self._least, None)
            return True
        if self._retry_at is not None:
            # The figure by which a write was refused may have been from before others.
            self.needed = min(self.needed, free + self._more)
        may_retry = self._retry_at is not None and now >= self._retry_at and free >= self._least
        if free < self.needed and not may_retry:
            return False
        self.is_full = False
        return True

    def refuse(self, now: float) -> bool:
        """A write found no room, whatever the figure says; whether that is news."""
        if self.is_full:
            return False
        # What was free did not help; so much more may.
        self._fill((self.free or 0) + self._more, now + FULL_RETRY)
        return True

    @property
    def _more(self) -> int:
        return max(1, ROOMY_FACTOR * self._least)

    def _fill(self, needed: int, retry_at: float | None) -> None:
        self.is_full, self.needed, self._retry_at = True, needed, retry_at


def room_needed(
    layout: FileLayout,
    *,
    have: int,
    wanted: int,
    allocation: Allocation = Allocation.SPARSE,
    files: Iterable[int] = (),
    stats: Sequence[FileStat | None] = (),
) -> int:
    """Bytes that a download still takes of the disk.

    Args:
        layout: where the torrent's bytes lie.
        have: the set (an int) of the pieces that are there.
        wanted: the set of those that are to be.
        allocation: FULL takes the room of whole files at once, and has it in those that are there.
        files: for FULL, the numbers of the files that get room.
        stats: for FULL, how the files are, one for each of the layout.
    """
    if allocation is Allocation.SPARSE:
        return layout.length_of_set(wanted & ~have)
    missing = 0
    for number in files:
        stat = stats[number] if number < len(stats) else None
        if layout.names[number] is not None:
            missing += max(0, layout.lengths[number] - (0 if stat is None else stat.size))
    return missing


async def check_room(files: FileSystem, root: StorageRoot, needed: int, reserve: int = 0) -> None:
    """See that a download fits before it begins.

    Args:
        files: where the root is.
        root: where the download goes.
        needed: bytes that it takes, see `room_needed`.
        reserve: bytes that are to stay free besides (`storage.min_free_space`).

    Raises:
        NoSpaceError: it does not fit.
        StorageError: the room is not known.
    """
    if needed <= 0:
        return
    free = await files.free_space(root.path)
    if free < needed + reserve:
        raise NoSpaceError(root.label, root.path, needed + reserve, free)
