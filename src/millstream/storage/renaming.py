"""What a user's rename means for the files of a torrent."""

from __future__ import annotations

from millstream.errors import ConfigError
from millstream.storage.chosen_names import check_path
from millstream.storage.placement import Placement


def rename_file(placement: Placement, index: int, path: str) -> dict[int, str]:
    """The new paths if a file gets another one.

    Args:
        placement: where the torrent's files are; not changed.
        index: the file's number.
        path: its new path below the root, directories included, without any suffix.

    Raises:
        ConfigError: there is no such file, or it cannot have this path.
    """
    placement.check_renames({index: path})
    return {index: path}


def rename_folder(placement: Placement, folder: str, path: str) -> dict[int, str]:
    """The new paths if a directory gets another one.

    Args:
        placement: where the torrent's files are; not changed.
        folder: the directory's path below the root; the torrent's top folder is one, too.
        path: its new path below the root.

    Raises:
        ConfigError: the torrent has no such directory, or it cannot have this path.
    """
    check_path(path)
    prefix = folder + "/"
    paths: dict[int, str] = {}
    for index in range(len(placement.layout.names)):
        name = placement.name(index)
        if name is not None and name.startswith(prefix):
            paths[index] = f"{path}/{name[len(prefix) :]}"
    if not paths:
        raise ConfigError(f"rename: the torrent has no folder {folder!r}")
    placement.check_renames(paths)
    return paths
