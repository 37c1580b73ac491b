"""What a torrent needs of its peers: which pieces, and which of them first.

Every torrent has this, also while it is alone; what is made for its transfer (`core.transfer`) reads
it here and nowhere else, so nothing has to be told twice.
"""

from __future__ import annotations

from millstream.core.file_priority import PiecePriorities
from millstream.protocol.bitfield import every_piece


class Need:
    """What we have of one torrent, and what we want. Sets of pieces are ints, as everywhere.

    Args:
        piece_count: of the torrent.

    Attributes:
        piece_count: of the torrent.
        have: the set of verified pieces.
        wanted: the set of pieces to have in the end.
        classes: disjoint sets of pieces, the one to come first first; the rest comes last.
        sequential: whether pieces are to come in order instead of the rarest first.
        keep_seeds: stay connected to seeds though nothing is wanted of them: to watch a swarm.
    """

    __slots__ = ("classes", "have", "keep_seeds", "piece_count", "sequential", "wanted")

    def __init__(self, piece_count: int) -> None:
        self.piece_count = piece_count
        self.have = 0
        self.wanted = every_piece(piece_count)
        self.classes: tuple[int, ...] = ()
        self.sequential = False
        self.keep_seeds = False

    @property
    def missing(self) -> int:
        """The set of wanted pieces that we lack."""
        return self.wanted & ~self.have

    @property
    def has_everything(self) -> bool:
        """Whether we have every piece, wanted or not."""
        return self.have == every_piece(self.piece_count)

    def prefer(self, priorities: PiecePriorities) -> None:
        """Want these pieces from now on, in this order."""
        self.wanted = priorities.wanted
        # One class decides nothing, so it costs nothing.
        self.classes = priorities.classes if len(priorities.classes) > 1 else ()
