"""Making room on the disk before a download begins."""

from __future__ import annotations

from collections.abc import Container

from millstream.interfaces.disk import Allocation
from millstream.interfaces.filesystem import FileSystem
from millstream.storage.layout import FileLayout


async def make_room(
    files: FileSystem,
    root: str,
    layout: FileLayout,
    allocation: Allocation,
    selected: Container[int] | None = None,
) -> None:
    """Create the files that are missing, in full length, and lengthen those that are too short.

    Only the `selected` files, by number, if that is given: a file that is not comes into being only
    when a piece that it shares with a selected one is written.

    Files longer than the torrent says are left as they are: they may be somebody's. Raises
    StorageError.
    """
    for number, file in enumerate(layout.files):
        if file.path is None or (selected is not None and number not in selected):
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
