"""Super seeding (BEP 16): the only seed gives each piece away once.

It pretends to have nothing and shows each peer a single piece that hardly anybody has. The next one
is shown when somebody else has the piece, for then the peer passed it on. So the pieces that the
seed's line can carry are all different, and who shares gets more. It is for the only seed: as soon
as there is a second one, everything is shown to everyone.
"""

from __future__ import annotations

import random

from millstream.core.availability import Availability
from millstream.core.geometry import ConnectionId
from millstream.core.peer import Peer
from millstream.core.piece_set import members, random_members
from millstream.protocol import messages
from millstream.protocol.bitfield import every_piece, has_piece, piece_bit, piece_set


class SuperSeeding:
    """What is shown to whom.

    Args:
        piece_count: of the torrent.
        availability: how many peers have each piece.
        rng: chooses among pieces that are equally rare.
    """

    __slots__ = ("_availability", "_count", "_current", "_due", "_out", "_peers", "_rng", "_shown")

    def __init__(self, piece_count: int, availability: Availability, rng: random.Random) -> None:
        self._count = piece_count
        self._availability = availability
        self._rng = rng
        self._peers: dict[ConnectionId, Peer] = {}
        # All that a peer was shown, and the piece of these that it has not passed on.
        self._shown: dict[ConnectionId, int] = {}
        self._current: dict[ConnectionId, int] = {}
        self._out = 0  # the set of the latter
        self._due: dict[ConnectionId, None] = {}

    def greet(self, peer: Peer, *, greeted: bool = False) -> None:
        """A peer came: we have nothing. It is shown its first piece in the next tick."""
        if peer.fast and not greeted:
            peer.link.send(messages.HAVE_NONE)
        self._peers[peer.id] = peer
        self._shown[peer.id] = 0
        self._due[peer.id] = None

    def peer_gone(self, peer: Peer) -> None:
        """What it was shown may be shown to others again."""
        if self._peers.pop(peer.id, None) is not None:
            del self._shown[peer.id]
            self._passed_on(peer.id)
            self._due.pop(peer.id, None)

    def hides(self, peer: Peer, index: int) -> bool:
        """Whether the peer must not know that we have the piece."""
        shown = self._shown.get(peer.id)
        return shown is not None and not has_piece(shown, index, self._count)

    def pieces_changed(self, peer: Peer, gained: int) -> None:
        """A peer said that it has these pieces, too; they are counted already."""
        if not gained & self._out:
            return
        for connection, piece in list(self._current.items()):
            if not has_piece(gained, piece, self._count):
                continue
            # Whoever has it besides the peer that it was shown to had it from that peer, or from
            # another to which it was: passed on either way.
            owners = self._availability.of(piece)
            itself = has_piece(self._peers[connection].pieces, piece, self._count)
            had_it_before = connection == peer.id and gained.bit_count() > 1
            if owners > itself or had_it_before or len(self._peers) == 1:
                self._passed_on(connection)
                self._due[connection] = None

    def show(self) -> None:
        """Show the next piece to those that are due for one. Called once a tick."""
        while self._due:
            connection = next(iter(self._due))
            del self._due[connection]
            peer = self._peers[connection]
            piece = self._choose(peer)
            if piece is not None:
                bit = piece_bit(piece, self._count)
                self._current[connection] = piece
                self._shown[connection] |= bit
                self._out |= bit
                peer.link.send(messages.have(piece))

    def end(self, have: int) -> None:
        """Show everyone all that we have, a set of pieces."""
        for connection, peer in self._peers.items():
            # BEP 6 has "have all" only right after the handshake.
            hidden = have & ~(self._shown[connection] | peer.pieces)
            if hidden:
                peer.link.send(messages.haves(members(hidden, self._count)))
        for book in (self._peers, self._shown, self._current, self._due):
            book.clear()
        self._out = 0

    def _passed_on(self, connection: ConnectionId) -> None:
        self._current.pop(connection, None)
        self._out = piece_set(self._current.values(), self._count)

    def _choose(self, peer: Peer) -> int | None:
        """A piece that the peer lacks, as rare as can be, and shown to nobody else if there is one."""
        lacking = every_piece(self._count) & ~(peer.pieces | self._shown[peer.id])
        candidates = self._availability.rarest(lacking & ~self._out or lacking)
        return next(iter(random_members(candidates, self._count, 1, self._rng)), None)
