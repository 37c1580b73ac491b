"""Making room on the disk before a download begins."""

from __future__ import annotations

from millstream.interfaces.disk import Allocation
from millstream.interfaces.filesystem import FileSystem
from millstream.storage.layout import FileLayout


async def make_room(
    files: FileSystem, root: str, layout: FileLayout, allocation: Allocation
) -> None:
    """Create the files that are missing, in full length, and lengthen those that are too short.

    Files longer than the torrent says are left as they are: they may be somebody's. Raises
    StorageError.
    """
    for file in layout.files:
        if file.path is None:
            continue
        found = await files.stat(root, file.path)
        if found is None or found.size < file.length:
            await files.allocate(root, file.path, file.length, allocation)


async def make_empty_files(files: FileSystem, root: str, layout: FileLayout) -> None:
    """Create the empty files that are missing, which no piece would. Raises StorageError."""
    for file in layout.files:
        if file.path is None or file.length:
            continue
        if await files.stat(root, file.path) is None:
            await files.allocate(root, file.path, 0, Allocation.SPARSE)
