"""Making room on the disk before a download begins."""

from __future__ import annotations

from collections.abc import Callable

from millstream.interfaces.disk import Allocation
from millstream.interfaces.filesystem import FileSystem
from millstream.storage.placement import Placement


async def make_room(
    files: FileSystem,
    placement: Placement,
    allocation: Allocation,
    wants: Callable[[int], bool],
) -> None:
    """Create the files that are missing, in full length, and lengthen those that are too short.

    Only those that it `wants`, by number: of the others, only the bytes of pieces that they share
    with these come, into the parts file.

    Files longer than the torrent says are left as they are: they may be somebody's. Raises
    StorageError.
    """
    root = placement.root
    for number, length in enumerate(placement.layout.lengths):
        path = placement.path(number)
        if path is None or not wants(number):
            continue
        found = await files.stat(root, path)
        if found is None or found.size < length:
            await files.allocate(root, path, length, allocation)


async def make_empty_files(files: FileSystem, placement: Placement) -> None:
    """Create the empty files that are missing, which no piece would. Raises StorageError."""
    root = placement.root
    for number, length in enumerate(placement.layout.lengths):
        path = placement.path(number)
        if path is None or length:
            continue
        if await files.stat(root, path) is None:
            await files.allocate(root, path, 0, Allocation.SPARSE)
