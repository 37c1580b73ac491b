"""Whether a directory is the storage root that it should be.

A disk that is unmounted leaves an empty directory behind. Whoever took that for the root would find
all files gone, and fetch everything again onto another disk. So a root has an identity
(`FileSystem.identify`), and where another directory is at its place, its torrents' files decide:
is one of them there, it is the root after all, and has only got another number.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from itertools import islice

from millstream.interfaces.filesystem import FileSystem

# Files of a root by which it is recognised: on a disk that is there, the first one is.
MAX_FILES_LOOKED_FOR = 50


class RootState(enum.Enum):
    """Whether a root can be used."""

    PRESENT = "present"
    """Also one that nobody has seen yet and in which no file is expected, though it has no
    directory: the first file makes it."""
    ABSENT = "absent"
    """There is no such directory, or it does not answer."""
    CHANGED = "changed"
    """Another directory is there, without the files that should be in it."""


def judge(
    identity: str | None, remembered: str | None, has_files: bool | None, *, seen: bool
) -> RootState:
    """Say what has become of a root.

    Args:
        identity: of the directory that is at its place; None if there is none.
        remembered: that it had.
        has_files: whether one of its torrents' files is there; None if none need be.
        seen: whether it had the remembered identity in this run. Numbers of devices change from
            boot to boot, and seldom between.
    """
    if identity is None:
        is_new = remembered is None and has_files is None
        return RootState.PRESENT if is_new else RootState.ABSENT
    if identity == remembered:
        return RootState.PRESENT
    was_another = seen and remembered is not None
    is_unproven = has_files is False or (was_another and has_files is None)
    return RootState.CHANGED if is_unproven else RootState.PRESENT


async def look_for_files(files: FileSystem, root: str, paths: Iterable[str]) -> bool | None:
    """Whether one of the first MAX_FILES_LOOKED_FOR files exists; None if there is no path.

    Raises StorageError.
    """
    some = list(islice(paths, MAX_FILES_LOOKED_FOR))
    if not some:
        return None
    return any(stat is not None for stat in await files.stat_many(root, some))
