from __future__ import annotations

import pytest
from fakes import make_geometry

from millstream.core.geometry import BLOCK_LENGTH, Geometry, choose_piece_length
from millstream.errors import RemoteProtocolError

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@pytest.mark.parametrize(
    ("total", "piece_length", "lengths"),
    [
        (1, 16384, [1]),
        (16384, 16384, [16384]),
        (16385, 16384, [16384, 1]),
        (100, 30, [30, 30, 30, 10]),
        (90, 30, [30, 30, 30]),
    ],
)
def test_only_the_last_piece_may_be_short(total, piece_length, lengths):
    geometry = Geometry(total, piece_length)
    assert geometry.piece_count == len(lengths)
    assert [geometry.length_of(piece) for piece in range(len(lengths))] == lengths


@pytest.mark.parametrize(
    ("piece_length", "blocks"),
    [
        (1, [1]),
        (BLOCK_LENGTH, [BLOCK_LENGTH]),
        (BLOCK_LENGTH + 1, [BLOCK_LENGTH, 1]),
        (40_000, [BLOCK_LENGTH, BLOCK_LENGTH, 40_000 - 2 * BLOCK_LENGTH]),
    ],
)
def test_only_the_last_block_of_a_piece_may_be_short(piece_length, blocks):
    geometry = Geometry(3 * piece_length, piece_length)
    for piece in range(3):
        assert geometry.block_count(piece) == geometry.blocks_per_piece == len(blocks)
        assert [geometry.block_length(piece, block) for block in range(len(blocks))] == blocks


def test_the_last_piece_may_have_fewer_blocks():
    geometry = make_geometry(2, 4, last_length=BLOCK_LENGTH + 5)
    assert geometry.block_count(0) == 4
    assert geometry.block_count(1) == 2
    assert geometry.block_length(1, 1) == 5


def test_pieces_that_the_torrent_lacks_are_an_offence():
    geometry = make_geometry(4)
    assert geometry.check_piece(3) == 3
    with pytest.raises(RemoteProtocolError, match="piece 4"):
        geometry.check_piece(4)


@pytest.mark.parametrize(
    ("piece", "begin", "length"),
    [(0, 0, 1), (0, 1, BLOCK_LENGTH), (0, 2 * BLOCK_LENGTH - 1, 1), (1, 0, 100), (1, 99, 1)],
)
def test_requests_may_be_for_any_bytes_of_a_piece(piece, begin, length):
    geometry = make_geometry(2, 2, last_length=100)
    assert geometry.check_request(piece, begin, length) == piece


@pytest.mark.parametrize(
    ("piece", "begin", "length"),
    [
        (2, 0, 1),
        (0, 0, 0),
        (0, 0, BLOCK_LENGTH + 1),
        (0, 2 * BLOCK_LENGTH, 1),
        (0, 2 * BLOCK_LENGTH - 1, 2),
        (1, 0, 101),
        (1, 2**32 - 1, 1),
        (0, 0, 2**32 - 1),
    ],
)
def test_requests_beyond_a_piece_or_a_block_are_an_offence(piece, begin, length):
    with pytest.raises(RemoteProtocolError):
        make_geometry(2, 2, last_length=100).check_request(piece, begin, length)


@pytest.mark.parametrize(
    ("total", "piece_length"),
    [
        (0, 16 * KIB),
        (1, 16 * KIB),
        (20 * MIB, 16 * KIB),
        (100 * MIB, 128 * KIB),
        (GIB, MIB),
        (4 * GIB, 4 * MIB),
        (1 << 50, 16 * MIB),
    ],
)
def test_new_torrents_get_a_piece_length_that_suits_them(total, piece_length):
    assert choose_piece_length(total) == piece_length
