from __future__ import annotations

import struct

import pytest

from millstream.errors import MalformedFrameError
from millstream.interfaces.disk import Extent
from millstream.io_wire.extents import MAX_EXTENTS, MAX_PATH_LENGTH, Place, PlaceError, pack_extents


def read(data, total, at=0):
    place = Place(memoryview(data), at)
    return place.extents(total), place.end


def test_one_file_is_as_in_seed_000():
    packed = pack_extents([Extent("a/b", 0x0102, 5)])
    assert packed == b"\3\0a/b\2\1\0\0\0\0\0\0"
    assert read(b"x" + packed + b"y", 5, 1) == ((Extent("a/b", 0x0102, 5),), len(packed) + 1)


def test_several_files_and_padding():
    extents = (Extent("a", 9, 2), Extent(None, 0, 3), Extent("c", 0, 4))
    packed = pack_extents(extents)
    assert packed == (
        b"\0\0\3\0\0\0" + b"\1\0a\x09\0\0\0\0\0\0\0\2\0\0\0"
        b"\0\0\0\0\0\0\0\0\0\0\3\0\0\0" + b"\1\0c\0\0\0\0\0\0\0\0\4\0\0\0"
    )
    assert read(packed, 9) == (extents, len(packed))


def test_padding_alone():
    packed = pack_extents([Extent(None, 0, 3)])
    assert read(packed, 3)[0] == (Extent(None, 0, 3),)


@pytest.mark.parametrize("length", range(13))
def test_a_place_that_is_not_all_there(length):
    with pytest.raises((MalformedFrameError, struct.error)):
        Place(memoryview(pack_extents([Extent("a/b", 1, 2)])[:length]), 0)


def test_a_count_that_lies_costs_nothing():
    with pytest.raises(MalformedFrameError, match="4294967295 extents are announced in 14 bytes"):
        Place(memoryview(b"\0\0\xff\xff\xff\xff" + bytes(14)), 0)


def test_too_many_extents():
    count = MAX_EXTENTS + 1
    packed = b"\0\0" + struct.pack("<I", count) + bytes(14) * count
    with pytest.raises(MalformedFrameError, match="more than"):
        Place(memoryview(packed), 0)


@pytest.mark.parametrize(
    ("packed", "total", "why"),
    [
        (b"\2\0\xff\xff" + bytes(8), 1, "UTF-8"),
        (b"\1\0a" + b"\xff" * 8, 1, "no file has"),
        (pack_extents([Extent("a", 0, 1), Extent("b", 0, 1)]), 3, "2 bytes of files"),
        (b"\0\0\0\0\0\0", 1, "0 bytes of files"),
        (struct.pack("<H", MAX_PATH_LENGTH + 1) + b"x" * (MAX_PATH_LENGTH + 9), 1, "4097 bytes"),
    ],
)
def test_a_place_that_makes_no_sense_has_its_end_all_the_same(packed, total, why):
    place = Place(memoryview(packed), 0)
    assert place.end == len(packed)
    with pytest.raises(PlaceError, match=why):
        place.extents(total)


def test_a_path_that_is_too_long_is_not_packed():
    with pytest.raises(ValueError, match="4097"):
        pack_extents([Extent("x" * 4097, 0, 1)])
