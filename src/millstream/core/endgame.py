"""The end of a download: blocks that one peer owes are asked of a second as well (BEP 3).

A peer reaches this point when there is nothing left that it could be asked for alone, or no room to
begin another piece because slow peers hold it all. It then
gets, of the blocks that others owe, those that they would deliver last: an owner answers in the
order of its requests, so the newest request is the one where a second peer can be first. Whoever is
second gets a cancel.
"""

from __future__ import annotations

from collections.abc import Iterable

from millstream.core.active_piece import ActivePiece
from millstream.core.geometry import ConnectionId

# How many blocks a peer is asked for in duplicate at a time, and of how many peers a block is
# asked. Every duplicate may be wasted; BEP 3 asks for care, JSTorrent allows 3.
MAX_DUPLICATES_PER_PEER = 8
MAX_PEERS_PER_BLOCK = 3
# Nobody is second-guessed before this many seconds: on a fast link the block is on its way.
PATIENCE = 0.5


def duplicates(
    pieces: Iterable[ActivePiece], connection: ConnectionId, most: int, now: float
) -> list[tuple[ActivePiece, int]]:
    """Blocks to ask a second peer for.

    Args:
        pieces: the active pieces that the peer has, oldest first.
        connection: the peer that has nothing else to do.
        most: at most so many.
        now: monotonic seconds.

    Returns:
        (piece, block) pairs, the newest request first.
    """
    found: list[tuple[ActivePiece, int]] = []
    for piece in reversed(list(pieces)):
        if piece.only_from is not None:
            continue
        for block in range(piece.block_count - 1, -1, -1):
            if len(found) >= most:
                return found
            if piece.received[block] or not piece.asked[block]:
                continue
            if piece.owner[block] == connection or now - piece.requested_at[block] < PATIENCE:
                continue
            others = piece.also_asked.get(block, ())
            if connection in others or len(others) + 1 >= MAX_PEERS_PER_BLOCK:
                continue
            found.append((piece, block))
    return found
