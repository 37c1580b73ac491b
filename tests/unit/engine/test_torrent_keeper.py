import random

import pytest

from millstream.engine.torrent_keeper import _files_of
from millstream.protocol.bitfield import piece_set
from millstream.testing.content import layout_of


@pytest.mark.parametrize("seed", range(30))
def test_the_files_of_pieces_are_those_that_share_a_byte(seed):
    rng = random.Random(seed)
    files, offset = [], 0
    for number in range(rng.randrange(1, 12)):
        length = rng.choice([0, 1, 5, 10, 25, rng.randrange(60)])
        path = None if rng.random() < 0.2 else f"t/{number}"
        files.append((path, length))
        offset += length
    if not offset:
        return
    layout = layout_of(*files)
    count = -(-offset // 10)
    numbers = {path: number for number, (path, _) in enumerate(files)}
    for most in (1, 3, count):
        pieces = rng.sample(range(count), min(most, count))
        expected = {
            numbers[extent.path]
            for piece in pieces
            for extent in layout.piece_extents(piece)
            if extent.path is not None
        }
        assert set(_files_of(piece_set(pieces, count), layout, count)) == expected
