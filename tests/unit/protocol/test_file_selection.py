from __future__ import annotations

import pytest

from millstream.errors import MalformedDataError
from millstream.protocol.file_selection import MAX_FILE_INDEX, FileSelection


@pytest.mark.parametrize(
    ("text", "ranges", "canonical"),
    [
        ("0", ((0, 0),), "0"),
        ("0,2,4,6-8", ((0, 0), (2, 2), (4, 4), (6, 8)), "0,2,4,6-8"),
        ("3,1-2,2-5,9", ((1, 5), (9, 9)), "1-5,9"),
        ("1,2,3", ((1, 3),), "1-3"),
        ("007", ((7, 7),), "7"),
        (f"0-{MAX_FILE_INDEX}", ((0, MAX_FILE_INDEX),), f"0-{MAX_FILE_INDEX}"),
    ],
)
def test_parse(text, ranges, canonical):
    selection = FileSelection.parse(text)
    assert selection.ranges == ranges
    assert str(selection) == canonical
    assert FileSelection.read(text) == selection


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("", None),
        (",", None),
        ("1-", None),
        ("-1", None),
        ("5-3", None),
        ("a", None),
        ("1,,2", "1-2"),
        ("1,x,3", "1,3"),
        ("+1,2", "2"),
        ("1_0,2", "2"),
        (" 1,2", "2"),
        ("\N{ARABIC-INDIC DIGIT ONE},2", "2"),
        (f"{MAX_FILE_INDEX + 1},2", "2"),
        ("99999999999,2", "2"),
    ],
)
def test_what_makes_no_sense_is_refused_or_left_out(text, left):
    with pytest.raises(MalformedDataError, match="like 0,2,4-6"):
        FileSelection.parse(text)
    selection = FileSelection.read(text)
    assert (selection and str(selection)) == left


def test_contains():
    selection = FileSelection.parse("1,4-6")
    assert [index for index in range(-1, 9) if index in selection] == [1, 4, 5, 6]


def test_indexes_are_those_that_exist():
    selection = FileSelection.parse(f"1,4-{MAX_FILE_INDEX}")
    assert selection.indexes(7) == [1, 4, 5, 6]
    assert selection.indexes(1) == []


def test_numbers_become_ranges():
    assert FileSelection.of([5, 2, 4, 0, 4]) == FileSelection.parse("0,2,4-5")
    assert FileSelection.of(n for n in (7, -1, 1 << 31)) == FileSelection.parse("7")


def test_no_file_at_all_is_a_selection():
    nothing = FileSelection.of(())
    assert (nothing.indexes(5), str(nothing), 0 in nothing) == ([], "", False)
