"""Skipped files that are wanted after all: their bytes leave the parts file."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from millstream.interfaces.filesystem import FileSystem, RangeCopy
from millstream.storage.placement import Placement


async def materialise(
    files: FileSystem,
    placement: Placement,
    indexes: Iterable[int],
    has: Callable[[int], bool] | None = None,
) -> None:
    """Make files of what the parts file has of them, in full length, the rest a hole.

    On return they would survive a power cut, and `Placement.take_out_of_parts` may follow. Until
    that is stored, doing it again does no harm. The parts file stays as it is.

    Args:
        files: the file system.
        placement: where the files are; those that are not in the parts file are left alone.
        indexes: numbers of files.
        has: whether a piece is verified; None for all that the parts file has.

    Raises:
        StorageError: a file could not be made or written; all is in the parts file still.
    """
    parts = placement.parts
    copies = []
    for index in indexes:
        path = placement.own_path(index)
        if path is not None and index in placement.in_parts:
            runs = [run for run in parts.runs(index) if has is None or has(run.piece)]
            ranges = tuple([(run.place, run.offset, run.length) for run in runs])
            copies.append(RangeCopy(path, placement.layout.lengths[index], ranges))
    if copies:
        await files.copy_ranges(placement.root, placement.parts_path, copies)


async def retire_parts(files: FileSystem, placement: Placement) -> None:
    """Delete the parts file if no file is in it any more. Raises StorageError."""
    if not placement.in_parts:
        await files.delete_many(placement.root, [placement.parts_path])
