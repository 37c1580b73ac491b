"""Asking for blocks and taking them in: the downloading half of a torrent.

A block is claimed in an active piece, asked for, received into the piece's buffer, and when the
piece is whole it goes to the disk as one verified write. What a peer is asked for, in order:

1. blocks that nobody was asked for, of pieces already begun;
2. new pieces, by the picker, while there is room;
3. in the endgame, blocks that another peer owes (`core.endgame`).
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from millstream.core import endgame
from millstream.core.active_piece import ActivePiece
from millstream.core.active_pieces import ActivePieces, BufferPool
from millstream.core.availability import Availability
from millstream.core.config import TransferConfig
from millstream.core.corruption import CorruptionTracker
from millstream.core.geometry import BLOCK_SHIFT, ConnectionId, Geometry, PieceIndex
from millstream.core.peer import Peer
from millstream.core.piece_picker import PiecePicker
from millstream.errors import RemoteProtocolError
from millstream.protocol import messages
from millstream.protocol.bitfield import every_piece, has_piece, piece_bit
from millstream.protocol.compact import PeerAddress
from millstream.protocol.messages import BLOCK_LENGTH

_BLOCK_MASK = BLOCK_LENGTH - 1

# Peers that left and may still be found guilty of a block; the oldest are forgotten.
MAX_DEPARTED = 1024
# A peer that refused a request, though it does not choke, is asked again after so many seconds: else
# it would be asked for the same block as fast as it refuses, and nobody else would get to be asked.
REJECT_PAUSE = 0.5
UNKNOWN_SENDER = PeerAddress("", 0)


class Download:
    """The download of one torrent.

    Attributes:
        have: the set (an int) of verified pieces.
        wanted: the set of pieces to have in the end.
        whole: pieces whose last block came since they were last handed to the disk.
        wasted: bytes that came and were of no use.
        starved: peers that could be asked for more if there were room for pieces.
    """

    def __init__(
        self,
        geometry: Geometry,
        peers: Mapping[ConnectionId, Peer],
        pool: BufferPool,
        config: TransferConfig,
        rng: random.Random,
    ) -> None:
        self._geometry = geometry
        self._peers = peers
        self._config = config
        self.have = 0
        self.wanted = every_piece(geometry.piece_count)
        self.availability = Availability(geometry.piece_count)
        self.picker = PiecePicker(geometry.piece_count, self.availability, rng)
        self.active = ActivePieces(geometry, pool, config.max_unwritten_bytes)
        self.whole: list[ActivePiece] = []
        self.wasted = 0
        self.starved: dict[ConnectionId, Peer] = {}
        self._corruption = CorruptionTracker()
        self._departed: dict[ConnectionId, PeerAddress] = {}

    @property
    def missing(self) -> int:
        """The set of wanted pieces that we lack."""
        return self.wanted & ~self.have

    def is_useful(self, peer: Peer) -> bool:
        """Whether the peer has a piece that we lack."""
        return bool(peer.pieces & self.missing)

    # Asking.

    def request(self, peer: Peer, now: float) -> None:
        """Fill the peer's request queue, by at most one packed send."""
        depth = peer.depth
        if peer.fresh_blocks:
            depth.blocks_received(peer.fresh_blocks, now)
            peer.fresh_blocks = 0
            peer.snubbed = False
        room = depth.depth - peer.outstanding
        # A full queue is topped up in batches of a quarter, not block by block.
        if peer.peer_choking or not peer.am_interested or room * 4 < depth.depth:
            return
        if now - peer.rejected_at < REJECT_PAUSE:
            return
        packed: list[bytes] = []
        for piece in list(self.active.unclaimed.values()):
            if not room:
                break
            if self._is_left_to_another(piece, peer):
                continue
            if has_piece(peer.pieces, piece.index, self._geometry.piece_count):
                room -= self._claim(peer, piece, room, now, packed)
        if room:
            room = self._begin_pieces(peer, room, now, packed)
        if packed:
            peer.link.send(b"".join(packed))
        elif not (peer.snubbed or self.active.disk_lags):
            self._request_duplicates(peer, now)

    def _begin_pieces(self, peer: Peer, room: int, now: float, packed: list[bytes]) -> int:
        """Begin new pieces for the peer; returns the room that is left."""
        candidates = -1
        while room and candidates:
            startable = self.active.startable(-(-room // self._geometry.blocks_per_piece))
            if not startable:
                self.starved[peer.id] = peer
                break
            candidates = peer.pieces & self.missing & ~self.active.taken
            for index in self.picker.pick(candidates, startable):
                piece = self.active.start(PieceIndex(index))
                if self._corruption.is_suspect(index):
                    piece.only_from = peer.id
                room -= self._claim(peer, piece, room, now, packed)
        return room

    def _claim(
        self, peer: Peer, piece: ActivePiece, room: int, now: float, packed: list[bytes]
    ) -> int:
        """Claim up to `room` blocks of the piece for the peer; returns how many."""
        claimed = 0
        for first, count in piece.claim(peer.id, room, now):
            packed.append(messages.requests(piece.index, piece.length, first, count))
            claimed += count
        peer.outstanding += claimed
        self.active.claimed(piece)
        return claimed

    def _is_left_to_another(self, piece: ActivePiece, peer: Peer) -> bool:
        """Whether the piece must come from one other peer alone, and that peer can send it."""
        if piece.only_from is None or piece.only_from == peer.id:
            return False
        other = self._peers.get(piece.only_from)
        return other is not None and not other.peer_choking

    def _request_duplicates(self, peer: Peer, now: float) -> None:
        most = endgame.MAX_DUPLICATES_PER_PEER - peer.outstanding
        if most <= 0:
            return
        count = self._geometry.piece_count
        theirs = (piece for piece in self.active if has_piece(peer.pieces, piece.index, count))
        packed = []
        for piece, block in endgame.duplicates(theirs, peer.id, most, now):
            piece.ask_also(block, peer.id, now)
            packed.append(messages.requests(piece.index, piece.length, block, 1))
        if packed:
            peer.outstanding += len(packed)
            peer.link.send(b"".join(packed))

    # Taking in.

    def receive_block(self, peer: Peer, index: int, begin: int, block: memoryview) -> None:
        """Take a block. Raises RemoteProtocolError if it was not asked for."""
        piece = self.active.get(index)
        number = begin >> BLOCK_SHIFT
        if piece is None or begin & _BLOCK_MASK or number >= piece.block_count:
            self._receive_late(peer, index, begin, block)
            return
        connection = peer.id
        usual = piece.owner[number] == connection and not piece.received[number]
        if not usual and not self._is_welcome(peer, piece, number):
            self._receive_late(peer, index, begin, block)
            return
        length = len(block)
        left = piece.length - begin
        if length != (left if left < BLOCK_LENGTH else BLOCK_LENGTH):  # noqa: FURB136 - faster than min()
            raise RemoteProtocolError(f"block of {length} bytes at {begin} of piece {index}")
        if piece.view is None:
            self.active.give_buffer(piece)
        others = piece.put(connection, number, block)
        peer.outstanding -= 1
        peer.fresh_blocks += 1
        peer.downloaded.total += length
        if others:
            self._cancel(piece, number, others)
        if not piece.missing:
            self.active.to_disk(piece)
            self.whole.append(piece)

    def _is_welcome(self, peer: Peer, piece: ActivePiece, block: int) -> bool:
        """Whether to take a block that is not simply awaited from this peer.

        It is welcome as a duplicate that was asked for, or as the answer to a request that was
        given up; such a request is taken up again.
        """
        if piece.is_awaited_from(peer.id, block):
            return True
        if piece.received[block] or piece.only_from not in {None, peer.id}:
            return False
        if not peer.answers_late(piece.index, block << BLOCK_SHIFT):
            return False
        peer.outstanding += 1
        if piece.asked[block]:
            piece.ask_also(block, peer.id, peer.now)
        else:
            piece.owner[block] = peer.id
            piece.asked[block] = 1
            piece.unrequested -= 1
            self.active.claimed(piece)
        return True

    def _receive_late(self, peer: Peer, index: int, begin: int, block: memoryview) -> None:
        """A block that is no longer needed; an offence only if it was never asked for."""
        if not peer.answers_late(index, begin):
            raise RemoteProtocolError(f"block at {begin} of piece {index} was not requested")
        self.wasted += len(block)

    def _cancel(self, piece: ActivePiece, block: int, others: list[ConnectionId]) -> None:
        begin = block << BLOCK_SHIFT
        length = self._geometry.block_length(piece.index, block)
        for connection in others:
            other = self._peers.get(connection)
            if other is not None:
                other.release(piece.index, begin)
                other.link.send(messages.cancel(piece.index, begin, length))

    def rejected(self, peer: Peer, index: int, begin: int) -> bool:
        """The peer refused a request; whether it is the first one that came with these bytes."""
        piece = self.active.get(index)
        number = begin >> BLOCK_SHIFT
        if (
            piece is not None
            and number < piece.block_count
            and piece.release_block(peer.id, number)
        ):
            peer.outstanding -= 1
            self.active.freed(piece)
            first = peer.rejected_at != peer.now
            peer.rejected_at = peer.now
            return first
        peer.answers_late(index, begin)
        return False

    # Giving up.

    def release(self, peer: Peer, *, asked_before: float | None = None) -> int:
        """Forget what the peer owes; returns how many blocks that were."""
        released = self.active.release(peer.id, asked_before=asked_before)
        for piece, block in released:
            peer.release(piece.index, block << BLOCK_SHIFT)
        return len(released)

    def peer_gone(self, peer: Peer) -> None:
        """The connection is closed: free what it owed and stop counting its pieces."""
        self.active.release(peer.id)
        peer.outstanding = 0
        self.availability.remove(peer.pieces)
        self.starved.pop(peer.id, None)
        if peer.downloaded.total:
            while len(self._departed) >= MAX_DEPARTED:
                del self._departed[next(iter(self._departed))]
            self._departed[peer.id] = peer.address

    def check_timeouts(self, now: float) -> None:
        """Free the requests that were not answered in time, for others to be asked."""
        for peer in self._peers.values():
            if peer.outstanding and self.release(
                peer, asked_before=now - self._config.request_timeout
            ):
                peer.depth.timed_out()
                peer.snubbed = True

    # The disk's answers.

    def piece_written(self, index: int) -> list[PeerAddress]:
        """The piece matched its digest and is on the disk; returns peers proven guilty by it."""
        piece = self.active.at_disk(index)
        guilty = self._corruption.verified(piece)
        self.active.finish(index)
        self.have |= piece_bit(index, self._geometry.piece_count)
        return [address for address in guilty if address != UNKNOWN_SENDER]

    def piece_mismatched(self, index: int) -> list[PeerAddress]:
        """The piece did not match its digest; returns the peers proven guilty."""
        piece = self.active.at_disk(index)
        self.wasted += piece.length
        guilty = self._corruption.failed(piece, [self._sender(owner) for owner in piece.owner])
        self.active.finish(index)
        return [address for address in guilty if address != UNKNOWN_SENDER]

    def _sender(self, connection: ConnectionId) -> PeerAddress:
        peer = self._peers.get(connection)
        return peer.address if peer is not None else self._departed.get(connection, UNKNOWN_SENDER)
