"""Where the bytes of a job are: the part that all records of batches have in common.

    u16 path length, path, then
        if the length is not 0: u64 position
        if it is 0: u32 count, then as often: u16 path length, path, u64 position, u32 length

The first is seed 000's, and what nearly all jobs need: one place in one file, as long as the data. The
second is for pieces that span files; in it a path of no bytes is padding (BEP 47), zeros that are
nowhere.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from millstream.errors import MalformedFrameError
from millstream.interfaces.disk import Extent

# Linux's PATH_MAX; a longer path opens nowhere.
MAX_PATH_LENGTH = 4096

# Files are this long at most on every system: an offset is signed there.
MAX_POSITION = (1 << 63) - 1

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_PLACE = struct.Struct("<QI")

# Of all records of a batch: a torrent of so many files has them in as many pieces. Each takes some
# hundred bytes of memory here, and as few as 14 in a message.
MAX_EXTENTS = 1 << 17

# The least that an extent takes: the length of its path, and its place.
MIN_EXTENT_LENGTH = _U16.size + _PLACE.size


def pack_extents(extents: Sequence[Extent]) -> bytes:
    """The place of a job. Raises ValueError for a path that is too long."""
    if len(extents) == 1:
        path, position, _ = extents[0]
        if path:
            return _pack_path(path) + _U64.pack(position)
    packed = [_U16.pack(0), _U32.pack(len(extents))]
    for path, position, length in extents:
        packed += [_pack_path(path or ""), _PLACE.pack(position, length)]
    return b"".join(packed)


def _pack_path(path: str) -> bytes:
    encoded = path.encode()
    if len(encoded) > MAX_PATH_LENGTH:
        raise ValueError(f"a path has {len(encoded)} bytes; {MAX_PATH_LENGTH} is the most")
    return _U16.pack(len(encoded)) + encoded


class PlaceError(Exception):
    """The place of a job makes no sense, though where it ends is known."""


class Place:
    """The place of a job as it came: where it ends is clear before what it means.

    Args:
        batch: holds it.
        at: where in the batch it begins.

    Attributes:
        end: where in the batch it ends.
        count: how many extents it has.

    Raises:
        MalformedFrameError: the batch ends before it does.
        struct.error: the same.
    """

    __slots__ = ("_extents", "_single", "count", "end")

    def __init__(self, batch: memoryview, at: int) -> None:
        (length,) = _U16.unpack_from(batch, at)
        at += 2
        self._single: tuple[memoryview, int] | None = None
        self._extents: list[tuple[memoryview, int, int]] = []
        if length:
            path = _path(batch, at, length)
            (position,) = _U64.unpack_from(batch, at + length)
            self._single = path, position
            self.count = 1
            self.end = at + length + 8
            return
        (count,) = _U32.unpack_from(batch, at)
        at += 4
        if count * MIN_EXTENT_LENGTH > len(batch) - at:
            raise MalformedFrameError(f"{count} extents are announced in {len(batch) - at} bytes")
        if count > MAX_EXTENTS:
            raise MalformedFrameError(f"{count} extents are more than the {MAX_EXTENTS} of a batch")
        self.count = count
        for _ in range(count):
            (length,) = _U16.unpack_from(batch, at)
            path = _path(batch, at + 2, length)
            at += 2 + length
            position, covered = _PLACE.unpack_from(batch, at)
            at += _PLACE.size
            self._extents.append((path, position, covered))
        self.end = at

    def extents(self, total: int) -> tuple[Extent, ...]:
        """What it means, if the job is of `total` bytes; raises PlaceError."""
        if self._single is not None:
            path, position = self._single
            return (_extent(path, position, total),)
        extents = tuple([_extent(*found) for found in self._extents])
        covered = sum(extent.length for extent in extents)
        if covered != total:
            raise PlaceError(f"{covered} bytes of files are to hold {total}")
        return extents


def _path(batch: memoryview, at: int, length: int) -> memoryview:
    if length > len(batch) - at:
        raise MalformedFrameError(f"a path of {length} bytes has {len(batch) - at}")
    return batch[at : at + length]


def _extent(path: memoryview, position: int, length: int) -> Extent:
    if not path:
        return Extent(None, 0, length)
    if len(path) > MAX_PATH_LENGTH:
        raise PlaceError(f"a path has {len(path)} bytes; {MAX_PATH_LENGTH} is the most")
    if position + length > MAX_POSITION:
        raise PlaceError(f"no file has {length} bytes at {position}")
    try:
        return Extent(str(path, "utf-8"), position, length)
    except UnicodeDecodeError as error:
        raise PlaceError(f"a path is no UTF-8: {error}") from None
