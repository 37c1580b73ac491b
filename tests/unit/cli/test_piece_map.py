from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.cli.piece_map import ASCII_BLOCKS, BLOCKS, cell_character, piece_cells

STATES = {".": 0, "a": 1, "h": 2}


def states(picture: str) -> bytes:
    return bytes(STATES[char] for char in picture)


def piece_line(states: bytes, width: int, *, ascii_only: bool = False) -> str:
    cells = piece_cells(states, width)
    return "".join(cell_character(cell.filled, ascii_only=ascii_only) for cell in cells)


@pytest.mark.parametrize(
    ("picture", "width", "line"),
    [
        ("....", 4, "    "),
        ("hhhh", 4, "████"),
        ("h.h.", 4, "█ █ "),
        ("hh..", 2, "█ "),
        ("h.h.", 2, "▌▌"),
        ("hhh.", 1, "▊"),
        ("h.", 4, "██  "),  # fewer pieces than cells: each is several cells wide
        ("h..", 2, "▋ "),  # pieces and cells do not meet: a cell and a half each
        (".h.", 2, "▍▍"),
        ("", 4, ""),
        ("hh", 0, ""),
    ],
)
def test_line(picture, width, line):
    assert piece_line(states(picture), width) == line


def test_a_single_piece_of_many_can_be_seen_and_a_single_gap_too():
    assert piece_line(states("h" + "." * 999), 10)[0] == "▏"
    assert piece_line(states("." + "h" * 999), 10)[0] == "▉"


def test_active_pieces_mark_their_cells():
    assert [cell.active for cell in piece_cells(states("..a..."), 3)] == [False, True, False]
    assert [cell.active for cell in piece_cells(states("a"), 3)] == [True, True, True]


def test_ascii():
    assert piece_line(states("hhhhh.....h....."), 4, ascii_only=True) == "#:: "
    assert len(ASCII_BLOCKS) == len(BLOCKS)


@given(st.binary(max_size=200).map(lambda data: bytes(b % 3 for b in data)), st.integers(1, 120))
def test_cells_hold_neither_more_nor_less_than_the_pieces(data, width):
    cells = piece_cells(data, width)
    assert len(cells) == (width if data else 0)
    assert all(0 <= cell.filled <= 1 for cell in cells)
    if data:
        assert sum(cell.filled for cell in cells) * len(data) / width == pytest.approx(
            data.count(2)
        )


@given(st.floats(0, 1))
def test_only_nothing_is_blank_and_only_everything_is_full(filled):
    character = cell_character(filled)
    assert (character == " ") == (filled == 0)
    assert (character == "█") == (filled == 1)
