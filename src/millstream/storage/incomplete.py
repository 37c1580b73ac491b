"""Which files have the suffix of incomplete ones, by what there is."""

from __future__ import annotations

from millstream.interfaces.filesystem import FileSystem
from millstream.storage.placement import Placement


async def settle(files: FileSystem, placement: Placement) -> frozenset[int]:
    """Take the suffix in the placement from files that lost it on the disk, and only there.

    That is so after a crash between a rename and the word about it; and where data lay before the
    torrent was added. A file that exists under both names keeps the suffix: the other one is
    somebody's.

    Returns:
        The numbers of these files. Raises StorageError.
    """
    lost = await without_suffix_already(files, placement)
    placement.drop_suffix(lost)
    return lost


async def without_suffix_already(files: FileSystem, placement: Placement) -> frozenset[int]:
    """The files that should have the suffix and exist without it only. Raises StorageError."""
    suffixed = sorted(placement.suffixed - placement.in_parts)
    if not suffixed:
        return frozenset()
    own = [placement.own_path(index) or "" for index in suffixed]
    names = [placement.name(index) or "" for index in suffixed]
    with_suffix = await files.stat_many(placement.root, own)
    without = await files.stat_many(placement.root, names)
    return frozenset(
        index
        for index, long, short in zip(suffixed, with_suffix, without, strict=True)
        if long is None and short is not None and not short.is_directory
    )
