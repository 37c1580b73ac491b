from __future__ import annotations

import pytest

from millstream.storage.parts import PartsLayout, PartsRun
from millstream.testing.content import layout_of


def test_a_long_file_has_places_for_its_two_outer_pieces():
    parts = PartsLayout(layout_of(("d/a", 4), ("d/b", 33), ("d/c", 13)))
    # b has 6 bytes of piece 0, pieces 1 and 2, and 7 bytes of piece 3.
    assert parts.runs(1) == [PartsRun(0, 0, 4, 6), PartsRun(3, 26, 10, 7)]
    assert parts.place(1, 0, 6) == 4
    assert parts.place(1, 2, 3) == 6
    assert parts.place(1, 26, 7) == 10
    assert parts.place(1, 32, 1) == 16


def test_bytes_of_inner_pieces_have_no_place():
    parts = PartsLayout(layout_of(("d/a", 4), ("d/b", 33), ("d/c", 13)))
    for offset, length in ((6, 1), (5, 2), (25, 2), (10, 5), (0, 33)):
        with pytest.raises(IndexError, match="not kept in parts"):
            parts.place(1, offset, length)


def test_a_file_without_inner_pieces_has_one_place():
    parts = PartsLayout(layout_of(("d/a", 4), ("d/b", 3), ("d/c", 13)))
    assert parts.runs(0) == [PartsRun(0, 0, 0, 4)]
    assert parts.runs(1) == [PartsRun(0, 0, 4, 3)]
    assert parts.runs(2) == [PartsRun(0, 0, 7, 3), PartsRun(1, 3, 10, 10)]
    assert parts.place(2, 0, 13) == 7
    assert parts.length == 20


def test_what_begins_or_ends_with_a_piece():
    parts = PartsLayout(layout_of(("d/a", 40), ("d/b", 10), ("d/c", 5)))
    assert parts.runs(0) == [PartsRun(0, 0, 0, 10), PartsRun(3, 30, 10, 10)]
    assert parts.runs(1) == [PartsRun(4, 0, 20, 10)]
    assert parts.runs(2) == [PartsRun(5, 0, 30, 5)]


def test_what_is_not_stored_takes_no_place():
    parts = PartsLayout(layout_of(("d/a", 4), (None, 6), ("d/empty", 0), ("d/b", 5)))
    assert parts.runs(1) == parts.runs(2) == []
    assert parts.place(3, 0, 5) == 4
    assert parts.length == 9
    for index in (1, 2):
        with pytest.raises(IndexError, match="not within"):
            parts.place(index, 0, 1)


@pytest.mark.parametrize(("offset", "length"), [(-1, 2), (0, 0), (3, 2), (4, 1), (0, 5)])
def test_only_bytes_of_the_file_have_a_place(offset, length):
    parts = PartsLayout(layout_of(("d/a", 4), ("d/b", 3)))
    with pytest.raises(IndexError, match="not within file 0"):
        parts.place(0, offset, length)
