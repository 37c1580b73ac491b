"""Blocks that slow peers sit on, for fast peers that have time (rqbit's work stealing).

A piece of which one slow peer owes the last blocks takes as long as that peer. So once a beat the
blocks that were waited for a while are listed, those of the slowest owners first. A fast peer is
given those whose owner is three times slower when there is nothing else left for it; in sequential
mode, where somebody waits for the next piece, it is given those whose owner is ten times slower
before it begins a new piece. (With rarest first that costs more than it gains: what the slow owner
has sent by then is wasted, and no piece is in a hurry.) The owner stays asked: whoever is first wins, and
the other gets a cancel. Its next block is left to it, for that is on its way already.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from millstream.core.active_piece import ActivePiece
from millstream.core.geometry import ConnectionId
from millstream.core.rates import RateMeter
from millstream.protocol.bitfield import has_piece, piece_set

# How much slower the owner must be (rqbit: 10, later 3).
EAGER_FACTOR = 10.0
IDLE_FACTOR = 3.0
# Nothing is taken from anyone before this many seconds: rates need that long to show.
PATIENCE = 1.0
# Nor the block that the owner sends next.
NEXT_PATIENCE = 5.0


class Owner(Protocol):
    """What is asked of a peer that owes blocks."""

    downloaded: RateMeter
    snubbed: bool


class Held(NamedTuple):
    """A block that is awaited from a peer that sends so many bytes a second."""

    rate: float
    piece: ActivePiece
    block: int
    owner: ConnectionId


class Stealing:
    """The blocks that may be stolen, as of the last look."""

    __slots__ = ("_held", "_pieces")

    def __init__(self) -> None:
        self._held: list[Held] = []
        self._pieces = 0

    def look(
        self,
        pieces: Iterable[ActivePiece],
        peers: Mapping[ConnectionId, Owner],
        count: int,
        now: float,
    ) -> None:
        """List what may be stolen.

        Args:
            pieces: the active pieces, oldest first.
            peers: the connected peers.
            count: how many pieces the torrent has.
            now: monotonic seconds.
        """
        rates: dict[ConnectionId, float] = {}
        nexts: dict[ConnectionId, Held] = {}
        held: list[Held] = []
        indexes: set[int] = set()
        latest = now - PATIENCE
        # Taken off the end: of one owner the oldest piece first, and in it what it will send last.
        for piece in reversed(list(pieces)):
            # What nobody was asked for comes first; a suspect piece comes from one peer alone.
            if piece.unrequested or piece.only_from is not None:
                continue
            block = piece.received.find(0)
            while block >= 0:
                if piece.requested_at[block] <= latest and block not in piece.also_asked:
                    owner = piece.owner[block]
                    rate = rates.get(owner)
                    if rate is None:
                        rate = rates[owner] = _rate(peers.get(owner), now)
                    entry = Held(rate, piece, block, owner)
                    held.append(entry)
                    indexes.add(piece.index)
                    first = nexts.get(owner)
                    if first is None or _is_before(entry, first):
                        nexts[owner] = entry
                block = piece.received.find(0, block + 1)
        on_the_way = {
            (entry.piece.index, entry.block)
            for entry in nexts.values()
            if entry.rate and now - entry.piece.requested_at[entry.block] < NEXT_PATIENCE
        }
        self._held = [entry for entry in held if (entry.piece.index, entry.block) not in on_the_way]
        self._held.sort(key=lambda entry: -entry.rate)
        self._pieces = piece_set(indexes, count)

    @property
    def slowest(self) -> float | None:
        """The rate of the slowest owner; None if there is nothing to be stolen."""
        return self._held[-1].rate if self._held else None

    def steal(
        self, thief: ConnectionId, offered: int, count: int, rate: float, most: int
    ) -> list[tuple[ActivePiece, int]]:
        """Take blocks off the list.

        Args:
            thief: the peer that is to be asked for them.
            offered: the set of the pieces that it would send, of `count`.
            count: how many pieces the torrent has.
            rate: the least that it is faster than their owners, bytes a second.
            most: at most so many blocks.

        Returns:
            (piece, block) pairs that are awaited from one peer, which is slower.
        """
        stolen: list[tuple[ActivePiece, int]] = []
        lacking: list[Held] = []
        held = self._held if offered & self._pieces else []
        while held and len(stolen) < most and held[-1].rate <= rate:
            entry = held.pop()
            _, piece, block, owner = entry
            if not _is_held(piece, block, owner) or owner == thief:
                continue
            if has_piece(offered, piece.index, count):
                stolen.append((piece, block))
            else:
                lacking.append(entry)
        held.extend(reversed(lacking))
        return stolen


def _is_before(entry: Held, other: Held) -> bool:
    """Whether one owner was asked for the first block first; pieces come newest first."""
    asked = entry.piece.requested_at[entry.block]
    asked_other = other.piece.requested_at[other.block]
    return asked < asked_other or (asked == asked_other and entry.piece is not other.piece)


def _rate(owner: Owner | None, now: float) -> float:
    return 0.0 if owner is None or owner.snubbed else owner.downloaded.rate(now)


def _is_held(piece: ActivePiece, block: int, owner: ConnectionId) -> bool:
    """Whether the block is still awaited from its owner alone."""
    return (
        piece.owner[block] == owner
        and not piece.received[block]
        and block not in piece.also_asked
        and piece.only_from is None
    )
