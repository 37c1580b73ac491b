from __future__ import annotations

import pytest
from fakes import block_data, make_geometry

from millstream.core.active_piece import ActivePiece
from millstream.core.geometry import ConnectionId, Geometry, PieceIndex
from millstream.core.partial_piece import PartialPiece, most_complete
from millstream.protocol.messages import BLOCK_LENGTH

ALICE = ConnectionId(1)
GEOMETRY = make_geometry(3, 4, last_length=2 * BLOCK_LENGTH + 5)


def make_piece(index: int, *blocks: int, geometry: Geometry = GEOMETRY) -> ActivePiece:
    """A piece of which these blocks came, and all others are awaited."""
    piece = ActivePiece(PieceIndex(index), geometry.length_of(index))
    piece.claim(ALICE, 99, 0.0)
    if blocks:
        piece.view = memoryview(bytearray(piece.length))
    for block in blocks:
        piece.put(ALICE, block, memoryview(block_data(geometry, index, block)))
    return piece


def data_of(index: int, *blocks: int) -> bytes:
    return b"".join(block_data(GEOMETRY, index, block) for block in blocks)


def test_what_came_is_copied():
    piece = make_piece(1, 3, 0)
    kept = PartialPiece.of(piece)
    assert kept == PartialPiece(1, b"\x90", data_of(1, 0, 3))
    piece.put(ALICE, 1, memoryview(bytes(BLOCK_LENGTH)))
    assert kept.data == data_of(1, 0, 3)


def test_the_blocks_come_back_as_they_were():
    kept = PartialPiece(1, b"\x90", data_of(1, 0, 3))
    assert [(block, bytes(data)) for block, data in kept.blocks(GEOMETRY)] == [
        (0, data_of(1, 0)),
        (3, data_of(1, 3)),
    ]


def test_the_last_block_of_the_torrent_is_short():
    kept = PartialPiece.of(make_piece(2, 1, 2))
    assert kept == PartialPiece(2, b"\x60", data_of(2, 1, 2))
    assert [(block, bytes(data)) for block, data in kept.blocks(GEOMETRY)] == [
        (1, data_of(2, 1)),
        (2, data_of(2, 2)),
    ]


@pytest.mark.parametrize(
    "lie",
    [
        PartialPiece(-1, b"\x80", data_of(0, 0)),
        PartialPiece(3, b"\x80", data_of(0, 0)),
        PartialPiece(0, b"", data_of(0, 0)),
        PartialPiece(0, b"", b""),
        PartialPiece(0, b"\x80\0", data_of(0, 0)),
        PartialPiece(0, b"\x88", data_of(0, 0)),
        PartialPiece(0, b"\0", b""),
        PartialPiece(0, b"\x80", data_of(0, 0)[1:]),
        PartialPiece(0, b"\x80", data_of(0, 0, 1)),
        PartialPiece(2, b"\x20", data_of(0, 0)),
        PartialPiece(0, b"\xf0", data_of(0, 0, 1, 2, 3)),
    ],
    ids=str,
)
def test_what_can_be_no_unfinished_piece_has_no_blocks(lie):
    assert lie.blocks(GEOMETRY) == []


def test_the_most_complete_pieces_are_kept_and_no_more_than_so_many_bytes():
    pieces = [make_piece(0, 2), make_piece(1), make_piece(1, 0, 1, 2), make_piece(2, 1, 2)]
    kept = most_complete(pieces, 6 * BLOCK_LENGTH)
    assert [(piece.index, len(piece.data)) for piece in kept] == [
        (1, 3 * BLOCK_LENGTH),
        (2, BLOCK_LENGTH + 5),
        (0, BLOCK_LENGTH),
    ]
    assert most_complete(pieces, 4 * BLOCK_LENGTH + 5) == kept[:2]
    assert most_complete(pieces, 4 * BLOCK_LENGTH + 4) == kept[:1]
    assert most_complete(pieces, 0) == []
