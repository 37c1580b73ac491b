from __future__ import annotations

import pytest
from fakes import drawn, pieces

from millstream.core.file_priority import FilePriority, PiecePriorities
from millstream.protocol.bitfield import every_piece

SKIP, LOW, NORMAL, HIGH = FilePriority


def draw(
    count: int, *files: tuple[range, FilePriority], first_last: bool = False
) -> tuple[str, list[str]]:
    found = PiecePriorities.of_files(files, count, first_last=first_last)
    return drawn(found.wanted, count), [drawn(each, count) for each in found.classes]


def test_the_numbers_are_libtorrent_s():
    assert [int(priority) for priority in FilePriority] == [0, 1, 4, 7]


def test_files_that_are_wanted_alike_are_one_class():
    alike = (range(2), LOW), (range(2, 3), LOW), (range(4, 6), LOW)
    assert draw(6, *alike) == ("*** **", ["*** **"])
    assert draw(4, (range(4), NORMAL)) == ("****", ["****"])


def test_the_best_class_comes_first():
    assert draw(8, (range(3), LOW), (range(3, 5), HIGH), (range(5, 8), NORMAL)) == (
        "********",
        ["   **   ", "     ***", "***     "],
    )


def test_a_shared_piece_is_wanted_as_much_as_the_most_wanted_of_its_files():
    files = (range(3), SKIP), (range(2, 5), LOW), (range(4, 5), HIGH), (range(4, 7), NORMAL)
    assert draw(7, *files) == ("  *****", ["    *  ", "     **", "  **   "])


def test_a_class_of_which_nothing_is_left_is_none():
    assert draw(3, (range(3), HIGH), (range(1, 2), LOW)) == ("***", ["***"])
    assert draw(3, (range(3), HIGH), (range(0), LOW)) == ("***", ["***"])


@pytest.mark.parametrize("files", [[], [(range(2), SKIP)], [(range(1, 1), HIGH)]])
@pytest.mark.parametrize("first_last", [False, True])
def test_nothing_may_be_wanted(files, first_last):
    assert PiecePriorities.of_files(files, 2, first_last=first_last) == PiecePriorities(0, ())


def test_the_ends_of_every_wanted_file_come_first():
    files = (range(4), LOW), (range(3, 4), HIGH), (range(4, 8), SKIP), (range(8, 11), NORMAL)
    assert draw(12, *files, first_last=True) == (
        "****    *** ",
        ["*  *    * * ", "         *  ", " **         "],
    )


def test_files_of_which_the_ends_are_all_stay_one_class():
    assert draw(3, (range(1), LOW), (range(1, 3), LOW), first_last=True) == ("***", ["***"])


def test_everything():
    assert PiecePriorities.everything(5) == PiecePriorities(every_piece(5), (every_piece(5),))
    assert PiecePriorities.everything(0) == PiecePriorities(0, ())


def test_the_classes_part_what_is_wanted():
    files = [(range(at, at + 7), list(FilePriority)[at % 4]) for at in range(0, 93, 5)]
    found = PiecePriorities.of_files(files, 100, first_last=True)
    assert len(found.classes) == 4
    assert sum(found.classes) == found.wanted
    assert found.wanted == pieces(drawn(found.wanted, 100))
    assert sum(each.bit_count() for each in found.classes) == found.wanted.bit_count()
