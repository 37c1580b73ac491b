"""Asking peers for blocks.

What a peer is asked for, in order:

1. blocks that nobody was asked for, of pieces already begun, however much they are wanted: a piece
   is of use to nobody, and holds room, until it is whole;
2. in sequential mode, blocks that a much slower peer sits on (`core.stealing`);
3. new pieces, by the picker, while there is room;
4. if that was nothing, in the endgame or when slower peers hold all the room: what these sit on, or
   what anyone owes (`core.endgame`).

A peer that chokes us is asked for the pieces that it allows nevertheless, by 1 and 3.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from millstream.core.active_piece import ActivePiece
from millstream.core.active_pieces import ActivePieces
from millstream.core.availability import Availability
from millstream.core.config import TransferConfig
from millstream.core.corruption import CorruptionTracker
from millstream.core.endgame import MAX_DUPLICATES_PER_PEER, Endgame
from millstream.core.geometry import ConnectionId, Geometry, PieceIndex
from millstream.core.need import Need
from millstream.core.peer import Peer
from millstream.core.piece_picker import PiecePicker
from millstream.core.request_depth import fair_share
from millstream.core.stealing import EAGER_FACTOR, IDLE_FACTOR, Stealing
from millstream.protocol import messages
from millstream.protocol.bitfield import has_piece, piece_set
from millstream.protocol.messages import BLOCK_LENGTH

# A peer that refused a request, though it does not choke, is asked again after so many seconds: else
# it would be asked for the same block as fast as it refuses, and nobody else would get to be asked.
REJECT_PAUSE = 0.5


class Requester:
    """Keeps the peers' request queues full.

    Attributes:
        starved: peers that could be asked for more if there were room for pieces.
        idle: peers that could be asked for more if they had more that is not asked of others.
    """

    def __init__(
        self,
        geometry: Geometry,
        need: Need,
        peers: Mapping[ConnectionId, Peer],
        active: ActivePieces,
        picker: PiecePicker,
        availability: Availability,
        corruption: CorruptionTracker,
        config: TransferConfig,
    ) -> None:
        self._geometry = geometry
        self._count = geometry.piece_count
        self._need = need
        self._peers = peers
        self._active = active
        self._picker = picker
        self._availability = availability
        self._corruption = corruption
        self._room = config.max_buffered_bytes // BLOCK_LENGTH
        self._share = sys.maxsize
        self._stealing = Stealing()
        self._endgame = Endgame()
        self.starved: dict[ConnectionId, Peer] = {}
        self.idle: dict[ConnectionId, Peer] = {}

    def beat(self, now: float) -> None:
        """Twice a second: see who is slow, and what a fair share is."""
        self._stealing.look(self._active, self._peers, self._count, now)
        self._share = fair_share(
            (
                peer.depth.depth
                for peer in self._peers.values()
                if peer.am_interested and not peer.peer_choking
            ),
            self._room,
        )

    def peer_gone(self, peer: Peer) -> None:
        """The connection is closed."""
        self.starved.pop(peer.id, None)
        self.idle.pop(peer.id, None)

    def feed_starved(self, now: float) -> None:
        """Room became free: who waited longest for it comes first."""
        for peer in list(self.starved.values()):
            if not (self._active.unclaimed or self._active.startable(1)):
                return
            if not peer.snubbed:
                self.request(peer, now)

    def feed_idle(self, now: float) -> None:
        """Blocks became free."""
        for peer in list(self.idle.values()):
            if not (self._active.unclaimed or self._need.missing & ~self._active.taken):
                return
            if not peer.snubbed:
                self.request(peer, now)

    def request(self, peer: Peer, now: float) -> None:
        """Take note of the blocks that came of late, and fill the peer's request queue.

        By at most one packed send.
        """
        if peer.fresh_blocks:
            peer.timeout.blocks_came(now - peer.silent_since)
            peer.depth.blocks_received(peer.fresh_blocks, now)
            peer.silent_since = peer.block_at = now
            peer.fresh_blocks = 0
            peer.snubbed = False
        self.starved.pop(peer.id, None)
        self.idle.pop(peer.id, None)
        if not peer.am_interested or (peer.peer_choking and not peer.allowed_fast):
            return
        depth = peer.depth.depth
        if depth > self._share and self.starved:
            depth = self._share
        room = depth - peer.outstanding
        # A full queue is topped up in batches of a quarter, not block by block.
        if room * 4 < depth or now - peer.rejected_at < REJECT_PAUSE:
            return
        if not peer.outstanding:
            peer.silent_since = now
        offered = peer.pieces & peer.allowed_fast if peer.peer_choking else peer.pieces
        packed: list[bytes] = []
        if offered & self._active.open:
            room -= self._claim_begun(peer, offered, room, now, packed)
        may_help = not (peer.snubbed or peer.peer_choking)
        if room and may_help and self._need.sequential:
            room -= self._steal(peer, room, EAGER_FACTOR, now, packed)
        if room:
            room -= self._begin_pieces(peer, offered, room, now, packed)
        if room and may_help and not packed and not self._active.disk_lags:
            self._help(peer, room, now, packed)
        if packed:
            peer.link.send(b"".join(packed))

    # Each returns how many blocks the peer is asked for, and appends the messages to `packed`.

    def _claim_begun(
        self, peer: Peer, offered: int, room: int, now: float, packed: list[bytes]
    ) -> int:
        left = room
        for piece in list(self._active.unclaimed.values()):
            if not left:
                break
            if has_piece(offered, piece.index, self._count) and not self._is_left_to_another(
                piece, peer
            ):
                left -= self._claim(peer, piece, left, now, packed)
        return room - left

    def _begin_pieces(
        self, peer: Peer, offered: int, room: int, now: float, packed: list[bytes]
    ) -> int:
        left = room
        while left:
            candidates = offered & self._need.missing & ~self._active.taken
            if not candidates:
                self.idle[peer.id] = peer
                break
            startable = self._active.startable(-(-left // self._geometry.blocks_per_piece))
            if not startable:
                self.starved[peer.id] = peer
                break
            if peer.suggested and not self._need.sequential:
                suggested = piece_set(peer.suggested, self._count)
                candidates = self._picker.foremost(candidates) & suggested or candidates
            if peer.run_at is None:
                picked = self._picker.pick(candidates, startable)
            else:
                picked = self._picker.pick_run(candidates, startable, peer.run_at)
                peer.run_at = picked[-1] + 1
            for index in picked:
                piece = self._active.start(PieceIndex(index))
                if self._corruption.is_suspect(index):
                    piece.only_from = peer.id
                left -= self._claim(peer, piece, left, now, packed)
        return room - left

    def _claim(
        self, peer: Peer, piece: ActivePiece, room: int, now: float, packed: list[bytes]
    ) -> int:
        claimed = 0
        for first, count in piece.claim(peer.id, room, now):
            packed.append(messages.requests(piece.index, piece.length, first, count))
            claimed += count
        peer.outstanding += claimed
        self._active.claimed(piece, peer.id)
        return claimed

    def _is_left_to_another(self, piece: ActivePiece, peer: Peer) -> bool:
        """Whether the piece must come from one other peer alone, and that peer can send it."""
        if piece.only_from is None or piece.only_from == peer.id:
            return False
        other = self._peers.get(piece.only_from)
        return other is not None and not other.peer_choking

    def _steal(self, peer: Peer, room: int, factor: float, now: float, packed: list[bytes]) -> int:
        slowest = self._stealing.slowest
        if slowest is None:
            return 0
        rate = peer.downloaded.rate(now) / factor
        if not rate or slowest > rate:
            return 0
        stolen = self._stealing.steal(peer.id, peer.pieces, self._count, rate, room)
        return self._ask_also(peer, stolen, now, packed)

    def _help(self, peer: Peer, room: int, now: float, packed: list[bytes]) -> None:
        """Ask for what others owe, if that is all there is or they hold all the room.

        Not of a peer that merely has nothing else that we lack: what it sends to others meanwhile
        is worth more than a duplicate.
        """
        left = self._need.missing & ~self._active.taken
        is_end = not left & self._availability.available()
        if is_end or not self._active.startable(1):
            self._steal(peer, room, IDLE_FACTOR, now, packed)
            if not packed and (is_end or not peer.outstanding):
                self._duplicate(peer, now, packed)

    def _duplicate(self, peer: Peer, now: float, packed: list[bytes]) -> None:
        most = MAX_DUPLICATES_PER_PEER - peer.outstanding
        if most > 0:
            found = self._endgame.duplicates(
                self._active, peer.id, peer.pieces, self._count, most, now
            )
            self._ask_also(peer, found, now, packed)

    def _ask_also(
        self,
        peer: Peer,
        blocks: Iterable[tuple[ActivePiece, int]],
        now: float,
        packed: list[bytes],
    ) -> int:
        asked = 0
        for piece, block in blocks:
            # What was listed a moment ago may have been given up since.
            if self._active.get(piece.index) is piece:
                self._active.ask_also(piece, block, peer.id, now)
                packed.append(messages.requests(piece.index, piece.length, block, 1))
                asked += 1
        peer.outstanding += asked
        return asked
