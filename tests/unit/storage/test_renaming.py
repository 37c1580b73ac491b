from __future__ import annotations

import pytest

from millstream.errors import ConfigError
from millstream.storage.placement import Placement
from millstream.storage.renaming import rename_file, rename_folder
from millstream.testing.content import layout_of

PARTS = ".0123.parts"


def place(*paths):
    return Placement(layout_of(*[(path, 5) for path in paths]), "/root", PARTS)


def test_a_file_gets_another_path():
    placement = place("d/a", "d/b")
    assert rename_file(placement, 1, "e/c") == {1: "e/c"}
    assert placement.renames == {}


def test_the_file_of_a_single_file_torrent():
    placement = place("film.mkv")
    assert rename_file(placement, 0, "Films/The film.mkv") == {0: "Films/The film.mkv"}
    with pytest.raises(ConfigError, match=r"no folder 'film\.mkv'"):
        rename_folder(placement, "film.mkv", "x")


@pytest.mark.parametrize(("index", "path"), [(0, "d/b"), (0, "../a"), (0, "d/b/c"), (2, "x")])
def test_a_file_that_cannot_get_it(index, path):
    with pytest.raises(ConfigError, match="rename"):
        rename_file(place("d/a", "d/b"), index, path)


def test_a_folder_gets_another_path():
    placement = place("d/a", "d/s/b", "d/s/t/c", "d/sub")
    assert rename_folder(placement, "d/s", "d/x/y") == {1: "d/x/y/b", 2: "d/x/y/t/c"}


def test_the_top_folder():
    placement = place("d/a", "d/s/b")
    assert rename_folder(placement, "d", "Some series/Season 1") == {
        0: "Some series/Season 1/a",
        1: "Some series/Season 1/s/b",
    }


def test_a_folder_within_itself():
    assert rename_folder(place("d/a", "d/s/b"), "d", "d/d") == {0: "d/d/a", 1: "d/d/s/b"}


def test_folders_are_known_by_their_present_names():
    placement = place("d/a", "d/s/b")
    placement.rename_many(rename_folder(placement, "d", "e"))
    assert rename_folder(placement, "e/s", "e/t") == {1: "e/t/b"}
    with pytest.raises(ConfigError, match="no folder 'd/s'"):
        rename_folder(placement, "d/s", "e/t")


def test_folders_may_be_joined():
    placement = place("d/s/a", "d/t/b")
    assert rename_folder(placement, "d/s", "d/t") == {0: "d/t/a"}


@pytest.mark.parametrize("path", ["", "../x", "/x", "d/t", "d//s", PARTS])
def test_a_folder_that_cannot_get_it(path):
    placement = place("d/s/a", "d/t/a", "d/t/b")
    with pytest.raises(ConfigError, match="rename"):
        rename_folder(placement, "d/s", path)


def test_a_folder_cannot_take_the_name_of_a_file():
    with pytest.raises(ConfigError, match="is a file, and a directory"):
        rename_folder(place("d/s/a", "d/b"), "d/s", "d/b")
