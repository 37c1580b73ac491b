from __future__ import annotations

import pytest
import typer

from millstream.cli.selection import Selection
from millstream.errors import ConfigError
from millstream.protocol.metainfo import FileAttribute, FileEntry, Metainfo
from millstream.protocol.metainfo_building import build

PATHS = ["a.mkv", "extras/b.MKV", "extras/c.txt", "3"]


@pytest.mark.parametrize(
    ("values", "indexes"),
    [
        (["1"], [0]),
        (["2-3"], [1, 2]),
        (["1,3-4"], [0, 2, 3]),
        (["*.mkv"], [0, 1]),
        (["extras/*"], [1, 2]),
        (["C.TXT"], [2]),
        (["3"], [2]),
        (["1", "*.txt"], [0, 2]),
        ([], []),
    ],
)
def test_numbers_and_patterns(values, indexes):
    assert Selection(values).indexes(PATHS) == indexes


@pytest.mark.parametrize("value", ["5", "4-99", "1-999999999", "*.iso", "1,,2"])
def test_what_means_no_file_is_an_error_that_names_it(value):
    with pytest.raises(ConfigError, match="--select"):
        Selection([value]).indexes(PATHS)


@pytest.mark.parametrize("value", ["0", "3-2", "1,0-4", ""])
def test_what_can_mean_no_file_of_any_torrent_is_wrong_usage(value):
    with pytest.raises(typer.BadParameter) as caught:
        Selection([value])
    assert caught.value.param_hint == "'--select'"


def test_numbers_are_those_of_the_files_that_are_stored():
    files = [
        FileEntry(("a.mkv",), 10),
        FileEntry((".pad", "6"), 6, FileAttribute.PAD),
        FileEntry(("extras", "b.mkv"), 16),
    ]
    metainfo = Metainfo.parse(build("album", files, 16, bytes(40), is_multi_file=True))
    selection = Selection(["2"])
    assert selection.chosen_count is None
    assert selection(metainfo) == [2]
    assert (selection.chosen_count, selection.file_count) == (1, 2)
    assert Selection(["extras/*"])(metainfo) == [2]
    with pytest.raises(ConfigError, match="the torrent has 2 files"):
        Selection(["3"])(metainfo)


def test_the_only_file_has_its_name():
    single = build("a.mkv", [FileEntry(("a.mkv",), 10)], 16, bytes(20), is_multi_file=False)
    assert Selection(["a.*"])(Metainfo.parse(single)) == [0]
