"""The end of a download: blocks that one peer owes are asked of a second as well (BEP 3).

A peer reaches this point when there is nothing left that it could be asked for alone, or no room to
begin another piece because slow peers hold it all. It then
gets, of the blocks that others owe, those that they would deliver last: an owner answers in the
order of its requests, so the newest request is the one where a second peer can be first. Whoever is
second gets a cancel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from millstream.core.active_piece import ActivePiece
from millstream.core.geometry import ConnectionId
from millstream.protocol.bitfield import has_piece

# How many blocks a peer is asked for in duplicate at a time, and of how many peers a block is
# asked at first. Every duplicate may be wasted; BEP 3 asks for care, JSTorrent allows 3.
MAX_DUPLICATES_PER_PEER = 8
MAX_PEERS_PER_BLOCK = 3
# Nobody is second-guessed before this many seconds: on a fast link the block is on its way.
PATIENCE = 0.5
# After so many seconds whoever was asked was of no help, however many they are: one more is asked. In
# a swarm of 300 on home lines 35 were waiting for blocks of three peers with long queues, the last
# for 20 s, while a dozen seeds had nothing to do for them.
LONG_WAIT = 2.0
# Hundreds of idle peers share one look at the active pieces, which is made anew after this time.
REFRESH = 0.1


class Endgame:
    """Finds blocks to ask a second peer for."""

    __slots__ = ("_looked_at", "_owed")

    def __init__(self) -> None:
        self._looked_at = -REFRESH
        # Pieces with blocks that may be asked of one more peer, in the order they are given out.
        self._owed: Sequence[tuple[ActivePiece, list[int]]] = ()

    def duplicates(
        self,
        pieces: Iterable[ActivePiece],
        connection: ConnectionId,
        offered: int,
        count: int,
        most: int,
        now: float,
    ) -> list[tuple[ActivePiece, int]]:
        """Blocks to ask a second peer for.

        Args:
            pieces: the active pieces, oldest first.
            connection: the peer that has nothing else to do.
            offered: the set of the pieces that it would send, of `count`.
            count: how many pieces the torrent has.
            most: at most so many.
            now: monotonic seconds.

        Returns:
            (piece, block) pairs, the newest request first.
        """
        if now - self._looked_at >= REFRESH:
            self._looked_at = now
            self._owed = [
                (piece, blocks)
                for piece in reversed(list(pieces))
                if (blocks := list(_owed(piece, now)))
            ]
        found: list[tuple[ActivePiece, int]] = []
        for piece, blocks in self._owed:
            if len(found) == most:
                break
            if not has_piece(offered, piece.index, count):
                continue
            own: list[int] = []
            while blocks and len(found) < most:
                block = blocks.pop()
                if not _may_be_asked(piece, block, now):
                    continue  # for nobody: what is taken off the list is not looked at again
                if connection == piece.owner[block] or connection in piece.also_asked.get(
                    block, ()
                ):
                    own.append(block)
                else:
                    found.append((piece, block))
            blocks.extend(reversed(own))
        return found


def _owed(piece: ActivePiece, now: float) -> Iterator[int]:
    if piece.only_from is not None:
        return
    block = piece.received.find(0)
    while block >= 0:
        if _may_be_asked(piece, block, now):
            yield block
        block = piece.received.find(0, block + 1)


def _may_be_asked(piece: ActivePiece, block: int, now: float) -> bool:
    """Whether one more peer may be asked for the block."""
    if piece.received[block] or not piece.asked[block]:
        return False
    waited = now - piece.requested_at[block]
    if waited < PATIENCE or piece.only_from is not None:
        return False
    return waited >= LONG_WAIT or len(piece.also_asked.get(block, ())) + 1 < MAX_PEERS_PER_BLOCK
