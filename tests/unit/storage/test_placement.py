from __future__ import annotations

import time

import pytest

from millstream.errors import ConfigError
from millstream.interfaces.disk import Extent
from millstream.storage.placement import Placement
from millstream.testing.content import layout_of

PARTS = ".0123.parts"


def place(*files, piece_length=10):
    return Placement(layout_of(*files, piece_length=piece_length), "/root", PARTS)


def test_a_placement_without_anything_special_is_its_layout():
    placement = place(("d/a", 4), (None, 6), ("d/empty", 0), ("d/b", 15))
    layout = placement.layout
    assert placement.root == "/root"
    assert placement.paths is layout.paths
    assert placement.all_paths is layout.paths
    assert placement.piece_extents(1) == layout.piece_extents(1)
    assert placement.extents(3, 12) == layout.extents(3, 12)
    assert [placement.path(index) for index in range(4)] == ["d/a", None, "d/empty", "d/b"]
    assert placement.parts_path == PARTS
    assert (placement.renames, placement.in_parts, placement.suffixed) == ({}, set(), set())
    assert placement.suffix == ""
    assert list(placement.placeless_pieces()) == []


def test_renamed_files_are_where_they_were_renamed_to():
    placement = place(("d/a", 4), ("d/b", 9))
    placement.rename(0, "e/f/A")
    assert placement.paths == ("e/f/A", "d/b")
    assert placement.piece_extents(0) == (Extent("e/f/A", 0, 4), Extent("d/b", 0, 6))
    assert placement.extents(2, 3) == (Extent("e/f/A", 2, 2), Extent("d/b", 0, 1))
    assert placement.renames == {0: "e/f/A"}
    placement.rename(0, "d/a")
    assert placement.renames == {}
    assert placement.paths is placement.layout.paths


def test_padding_stays_padding():
    placement = place(("d/a", 4), (None, 6), ("d/b", 10))
    placement.rename(0, "x")
    assert placement.piece_extents(0) == (Extent("x", 0, 4), Extent(None, 0, 6))
    with pytest.raises(ConfigError, match="no stored file 1"):
        placement.rename(1, "y")
    placement.put_in_parts([1])
    assert placement.in_parts == set()


@pytest.mark.parametrize("index", [-1, 2])
def test_only_files_are_renamed(index):
    with pytest.raises(ConfigError, match=f"no stored file {index}"):
        place(("d/a", 4), ("d/b", 9)).rename(index, "x")


@pytest.mark.parametrize("path", ["d/b", "D/B", "d", "d/b/c", "../x", "/x", "", PARTS])
def test_a_rename_that_cannot_be_changes_nothing(path):
    placement = place(("d/a", 4), ("d/b", 9))
    with pytest.raises(ConfigError, match="rename"):
        placement.rename(0, path)
    assert placement.paths == ("d/a", "d/b")


def test_files_change_names_at_once():
    placement = place(("d/a", 4), ("d/b", 9))
    placement.rename_many({0: "d/b", 1: "d/a"})
    assert placement.paths == ("d/b", "d/a")
    with pytest.raises(ConfigError, match="taken"):
        placement.rename_many({0: "same", 1: "same"})
    assert placement.paths == ("d/b", "d/a")


def test_a_name_may_change_its_case():
    placement = place(("d/a", 4), ("d/b", 9))
    placement.rename(0, "d/A")
    assert placement.paths == ("d/A", "d/b")


def test_bytes_of_a_file_in_parts():
    placement = place(("d/a", 4), ("d/b", 33), ("d/c", 13))
    placement.put_in_parts([1])
    assert placement.in_parts == {1}
    assert placement.path(1) == PARTS
    assert placement.own_path(1) == "d/b"
    assert placement.paths == ("d/a", "d/c")
    assert placement.all_paths == ("d/a", "d/c", PARTS)
    assert placement.piece_extents(0) == (Extent("d/a", 0, 4), Extent(PARTS, 4, 6))
    assert placement.piece_extents(3) == (Extent(PARTS, 10, 7), Extent("d/c", 0, 3))
    assert list(placement.placeless_pieces()) == [range(1, 3)]
    for piece in (1, 2):
        with pytest.raises(IndexError, match="not kept in parts"):
            placement.piece_extents(piece)
    placement.take_out_of_parts([1])
    assert placement.piece_extents(1) == (Extent("d/b", 6, 10),)
    assert placement.all_paths is placement.layout.paths


def test_empty_files_are_never_in_parts():
    placement = place(("d/a", 4), ("d/empty", 0))
    placement.put_in_parts([0, 1])
    assert placement.in_parts == {0}
    placement.take_out_of_parts([0, 1])
    assert placement.in_parts == set()


@pytest.mark.parametrize("special", [False, True])
def test_what_is_not_within_the_torrent(special):
    placement = place(("d/a", 4), ("d/b", 9))
    if special:
        placement.rename(0, "x")
    for piece in (-1, 2):
        with pytest.raises(IndexError, match=f"no piece {piece}"):
            placement.piece_extents(piece)
    for offset, length in ((-1, 1), (0, 14), (13, 1), (3, -1)):
        with pytest.raises(IndexError, match="not within 13"):
            placement.extents(offset, length)
    assert placement.extents(13, 0) == ()


def test_the_suffix_of_incomplete_files():
    placement = place(("d/a", 4), ("d/b", 9), (None, 3))
    placement.rename(1, "d/B")
    placement.add_suffix([0, 1, 2], ".part")
    assert placement.suffixed == {0, 1}
    assert placement.suffix == ".part"
    assert placement.paths == ("d/a.part", "d/B.part")
    assert placement.name(1) == "d/B"
    assert placement.piece_extents(0) == (Extent("d/a.part", 0, 4), Extent("d/B.part", 0, 6))
    placement.drop_suffix([0, 0, 7])
    assert placement.paths == ("d/a", "d/B.part")
    placement.add_suffix([0], ".part")
    assert placement.suffixed == {0, 1}
    placement.drop_suffix([0, 1])
    assert placement.suffix == ""
    placement.drop_suffix([0])
    placement.add_suffix([0], ".!other")
    assert placement.paths == ("d/a.!other", "d/B")


@pytest.mark.parametrize("taken", ["d/a.part", "D/A.PART", "d/A.part/x"])
def test_a_name_that_another_file_has_is_not_made_by_a_suffix(taken):
    placement = place(("d/a", 4), (taken, 9), ("d/c", 1))
    placement.add_suffix([0, 1, 2], ".part")
    assert placement.paths == ("d/a", f"{taken}.part", "d/c.part")


def test_a_suffix_that_makes_a_name_too_long_is_left_out():
    placement = place(("d/" + "a" * 250, 4), ("d/" + "a" * 251, 9))
    placement.add_suffix([0, 1], ".part")
    assert placement.suffixed == {0}


def test_a_rename_must_fit_with_suffixes():
    placement = place(("d/a", 4), ("d/b", 9), ("d/c", 1))
    placement.add_suffix([0, 1], ".part")
    with pytest.raises(ConfigError, match=r"taken by 'd/a\.part'"):
        placement.rename(2, "d/a.part")
    with pytest.raises(ConfigError, match="over 255 bytes"):
        placement.rename(0, "d/" + "a" * 251)
    placement.rename(0, "d/x")
    assert placement.path(0) == "d/x.part"
    placement.rename(2, "d/a.part")
    assert placement.paths == ("d/x.part", "d/b.part", "d/a.part")


def test_what_is_no_suffix():
    placement = place(("d/a", 4))
    with pytest.raises(ConfigError, match="incomplete suffix"):
        placement.add_suffix([0], "./part")
    assert placement.paths == ("d/a",)


def test_there_is_one_suffix_at_a_time():
    placement = place(("d/a", 4), ("d/b", 9))
    placement.add_suffix([0], ".part")
    with pytest.raises(ConfigError, match=r"files have '\.part' now"):
        placement.add_suffix([1], ".other")


@pytest.mark.slow
def test_a_hundred_thousand_files():
    count = 100_000
    placement = place(*[(f"dir/{n % 1000}/{n}", 20) for n in range(count)], piece_length=64)
    began = time.process_time()
    placement.add_suffix(range(count), ".part")
    placement.rename_many({n: f"other/{n}" for n in range(count)})
    placement.put_in_parts(range(0, count, 2))
    for n in range(1, count, 2):
        placement.drop_suffix([n])
    for piece in range(1000):
        placement.piece_extents(piece * 31)
    assert len(placement.paths) == count // 2
    assert time.process_time() - began < 20, "something is done once for each pair of files"
