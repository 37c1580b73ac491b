"""An info dictionary of one claimed size, put together from what several peers send (BEP 9)."""

from __future__ import annotations

import hashlib
from collections import deque

from millstream.core.geometry import ConnectionId
from millstream.protocol import ut_metadata

# How many peers are asked for the same piece without waiting, when there is none left that nobody
# was asked for. A piece costs 16 KiB; waiting for the slowest of two peers can cost seconds.
MAX_COPIES = 3

# With so many asked, one more after this time without an answer. Libtorrent asks again after 3 s.
PATIENCE_SECONDS = 1.0


class MetadataAssembly:
    """Which pieces are here, from whom, and who was asked for the others.

    Nothing is held for what was only claimed: memory follows the data that came.

    Args:
        size: of the info dictionary, in bytes, at least 1.

    Attributes:
        piece_count: how many pieces there are.
        senders: for each piece that is here, who sent it.
    """

    __slots__ = ("_asked", "_given_back", "_next", "_pieces", "piece_count", "senders")

    def __init__(self, size: int) -> None:
        self.piece_count = ut_metadata.piece_count(size)
        self.senders: dict[int, ConnectionId] = {}
        self._pieces: dict[int, bytes] = {}
        # For each piece that is not here but asked for: of whom, and when.
        self._asked: dict[int, dict[ConnectionId, float]] = {}
        self._next = 0  # all pieces before were asked for once
        self._given_back: deque[int] = deque()

    @property
    def is_complete(self) -> bool:
        """Whether all pieces are here."""
        return len(self._pieces) == self.piece_count

    @property
    def progress(self) -> float:
        """How much is here, 0 to 1."""
        return len(self._pieces) / self.piece_count

    def __contains__(self, piece: int) -> bool:
        """Whether the piece is here."""
        return piece in self._pieces

    def choose(self, connection: ConnectionId, now: float) -> int | None:
        """What to ask this peer for; None if nothing makes sense now."""
        while self._given_back:
            piece = self._given_back.popleft()
            if self._is_open(piece):
                return piece
        while self._next < self.piece_count:
            piece = self._next
            self._next += 1
            if self._is_open(piece):
                return piece
        return self._choose_copy(connection, now)

    def asked(self, connection: ConnectionId, piece: int, now: float) -> None:
        """The peer was asked for the piece."""
        self._asked.setdefault(piece, {})[connection] = now

    def give_up(self, connection: ConnectionId, piece: int) -> None:
        """The peer will not answer; if nobody else was asked, the piece is first in the line."""
        askings = self._asked.get(piece)
        if askings is None or askings.pop(connection, None) is None:
            return
        if not askings:
            del self._asked[piece]
            self._given_back.append(piece)

    def put(self, connection: ConnectionId, piece: int, data: bytes) -> None:
        """The piece came, the first of its kind; its length has been checked."""
        self._asked.pop(piece, None)
        self._pieces[piece] = data
        self.senders[piece] = connection

    def digest(self) -> bytes:
        """The SHA-1 of the whole."""
        whole = hashlib.sha1()
        for piece in range(self.piece_count):
            whole.update(self._pieces[piece])
        return whole.digest()

    def piece_digests(self) -> list[bytes]:
        """The SHA-1 of each piece, by which culprits are found later."""
        return [hashlib.sha1(self._pieces[piece]).digest() for piece in range(self.piece_count)]

    def join(self) -> bytes:
        """The whole."""
        return b"".join([self._pieces[piece] for piece in range(self.piece_count)])

    def _is_open(self, piece: int) -> bool:
        return piece not in self._pieces and piece not in self._asked

    def _choose_copy(self, connection: ConnectionId, now: float) -> int | None:
        """Of the pieces that others were asked for, the one that fewest were."""
        best: tuple[int, float, int] | None = None
        for piece, askings in self._asked.items():
            if connection in askings:
                continue
            last = max(askings.values())
            if len(askings) >= MAX_COPIES and now - last < PATIENCE_SECONDS:
                continue
            rank = (len(askings), last, piece)
            if best is None or rank < best:
                best = rank
        return None if best is None else best[2]
