"""Partial pieces: what is kept comes back as it was, and no lie about them raises anything."""

from __future__ import annotations

from fakes import DownloadStage, block_data, make_geometry
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.core.active_piece import ActivePiece
from millstream.core.geometry import ConnectionId, PieceIndex
from millstream.core.partial_piece import PartialPiece
from millstream.protocol.bitfield import decode_bitfield, piece_set
from millstream.protocol.messages import BLOCK_LENGTH

repeatable = settings(derandomize=True, deadline=None)
BLOCKS = 11
GEOMETRY = make_geometry(2, BLOCKS, 9 * BLOCK_LENGTH + 77)


@repeatable
@given(index=st.integers(0, 1), data=st.data())
def test_there_and_back(index: int, data: st.DataObject) -> None:
    count = GEOMETRY.block_count(index)
    came = data.draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=count - 1))
    piece = ActivePiece(PieceIndex(index), GEOMETRY.length_of(index))
    piece.claim(ConnectionId(1), count, 0.0)
    piece.view = memoryview(bytearray(piece.length))
    for block in came:
        piece.put(ConnectionId(1), block, memoryview(block_data(GEOMETRY, index, block)))
    kept = PartialPiece.of(piece)
    assert decode_bitfield(kept.received, count) == piece_set(came, count)
    assert len(kept.data) == piece.received_bytes
    assert [(block, bytes(found)) for block, found in kept.blocks(GEOMETRY)] == [
        (block, block_data(GEOMETRY, index, block)) for block in sorted(came)
    ]


LIES = st.builds(
    PartialPiece,
    st.integers(-2, 3),
    st.binary(max_size=3)
    | st.integers(0, (1 << 11) - 1).map(lambda n: (n << 5).to_bytes(2, "big")),
    st.integers(0, 12).map(lambda blocks: bytes(blocks * BLOCK_LENGTH))
    | st.integers(0, 9).map(lambda blocks: bytes(blocks * BLOCK_LENGTH + 77))
    | st.binary(max_size=9),
)


@repeatable
@given(lies=st.lists(LIES, max_size=4))
def test_no_lie_raises_anything_or_keeps_the_torrent_from_its_end(lies: list[PartialPiece]) -> None:
    stage = DownloadStage(2, BLOCKS, last_length=9 * BLOCK_LENGTH + 77, room=4)
    stage.download.restore_partial(lies)
    stage.check_invariant()
    assert all(piece.received_bytes > 0 and piece.missing for piece in stage.download.active)
    restored = stage.download.active.taken
    # What was put back is all zeros: it fails, nobody is blamed, and it comes from one peer.
    for expected in (0b11 & ~restored, 0b11):
        peer = stage.peer(depth=99)
        stage.deliver(peer, *stage.ask(peer))
        _, guilty = stage.write()
        assert guilty == []
        assert stage.need.have == expected
    assert stage.pool.reserved_bytes == 0
