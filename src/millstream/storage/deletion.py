"""A torrent's data deleted: its own files, and nothing else."""

from __future__ import annotations

from collections.abc import Container

from millstream.interfaces.filesystem import FileSystem
from millstream.storage.incomplete import without_suffix_already
from millstream.storage.placement import Placement
from millstream.storage.relocation import deepest_first


async def delete_data(
    files: FileSystem,
    placement: Placement,
    owned: Container[int] | None = None,
    keep: Container[str] = (),
) -> None:
    """Delete the files of a torrent, its parts file, and those of its directories that are empty.

    Whatever else is in these directories stays, and so do they. Of a symbolic link in the place of
    a file only the link goes.

    Args:
        files: the file system.
        placement: where the files are.
        owned: numbers of the files that are the torrent's; None for all.
        keep: paths below the root that another torrent uses.

    Raises:
        StorageError: something could not be deleted; all the rest is.
    """
    named = await without_suffix_already(files, placement)
    paths = [placement.parts_path]
    for index, path in placement.own_paths():
        if owned is None or index in owned:
            name = placement.name(index) if index in named else path
            if name is not None and name not in keep:
                paths.append(name)
    try:
        await files.delete_many(placement.root, paths)
    finally:
        await files.remove_empty_directories(placement.root, deepest_first(paths))
