"""Taking blocks in, and giving them up: the downloading half of a torrent.

A block is claimed in an active piece, asked for (`core.requester`), received into the piece's
buffer, and when the piece is whole it goes to the disk as one verified write.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

from millstream.core.active_piece import ActivePiece
from millstream.core.active_pieces import ActivePieces, BufferPool
from millstream.core.availability import Availability
from millstream.core.config import TransferConfig
from millstream.core.corruption import CorruptionTracker
from millstream.core.geometry import BLOCK_SHIFT, ConnectionId, Geometry, PieceIndex
from millstream.core.need import Need
from millstream.core.partial_piece import PartialPiece, most_complete
from millstream.core.peer import Peer
from millstream.core.piece_picker import PiecePicker
from millstream.core.requester import Requester
from millstream.errors import RemoteProtocolError
from millstream.protocol import messages
from millstream.protocol.bitfield import has_piece, piece_bit
from millstream.protocol.compact import PeerAddress
from millstream.protocol.messages import BLOCK_LENGTH

_BLOCK_MASK = BLOCK_LENGTH - 1

# Peers that left and may still be found guilty of a block; the oldest are forgotten.
MAX_DEPARTED = 1024
# A request that was passed over while others were answered is given up no sooner than this many
# times the time that all the peer's requests should take.
OVERDUE_FACTOR = 2.0
# Of a limited line a peer may be waited for so many times as long as its equal share takes.
SHARE_FACTOR = 4.0
UNKNOWN_SENDER = PeerAddress("", 0)


class Download:
    """The download of one torrent.

    Attributes:
        whole: pieces whose last block came since they were last handed to the disk.
        wasted: bytes that came and were of no use.
        rate_limit: bytes a second that we let come in; None: no limit. Who shares little is slow,
            and no fault of the peer's.
        is_paused: whether the shell does not read from the peers for now: their silence is ours.
    """

    def __init__(
        self,
        geometry: Geometry,
        need: Need,
        peers: Mapping[ConnectionId, Peer],
        pool: BufferPool,
        config: TransferConfig,
        rng: random.Random,
    ) -> None:
        self._geometry = geometry
        self._need = need
        self._peers = peers
        self._config = config
        self.availability = Availability(geometry.piece_count)
        self.picker = PiecePicker(need, self.availability, rng)
        self.active = ActivePieces(geometry, pool, config.max_unwritten_bytes)
        self.whole: list[ActivePiece] = []
        self.wasted = 0
        self.rate_limit: int | None = None
        self.is_paused = False
        self._corruption = CorruptionTracker()
        self._departed: dict[ConnectionId, PeerAddress] = {}
        self.requester = Requester(
            geometry,
            need,
            peers,
            self.active,
            self.picker,
            self.availability,
            self._corruption,
            config,
        )

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
            self.active.ask_also(piece, block, peer.id, peer.now)
        else:
            piece.owner[block] = peer.id
            piece.asked[block] = 1
            piece.unrequested -= 1
            self.active.claimed(piece, peer.id)
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
        """The peer refused a request; whether that frees a block for others."""
        if peer.peer_choking:
            # It does not send what it allowed; else we would ask for that as fast as it refuses.
            peer.allowed_fast &= ~piece_bit(index, self._geometry.piece_count)
        piece = self.active.get(index)
        number = begin >> BLOCK_SHIFT
        if (
            piece is not None
            and number < piece.block_count
            and piece.release_block(peer.id, number)
        ):
            peer.outstanding -= 1
            self.active.freed(piece)
            peer.rejected_at = peer.now
            return True
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
        self.requester.peer_gone(peer)
        if peer.downloaded.total:
            while len(self._departed) >= MAX_DEPARTED:
                del self._departed[next(iter(self._departed))]
            self._departed[peer.id] = peer.address

    def pieces_lost(self, peer: Peer, lost: int) -> None:
        """The peer no longer has these pieces: what it owes of them is asked of others."""
        count = self._geometry.piece_count
        for piece in list(self.active.asked_of(peer.id)):
            if has_piece(lost, piece.index, count):
                for block in piece.release(peer.id):
                    peer.release(piece.index, block << BLOCK_SHIFT)
                self.active.freed(piece)

    def drop_unwanted(self) -> None:
        """Other pieces are wanted: give up what is begun and is none of these.

        Nothing that is not wanted is asked for, or given to the disk, from now on, and the peers are
        told not to send it. What the disk has already it may write.
        """
        count = self._geometry.piece_count
        pieces = self.active.taken & ~self._need.wanted
        if not pieces:
            return
        cancels: dict[ConnectionId, list[bytes]] = {}
        for piece in [p for p in self.active if has_piece(pieces, p.index, count)]:
            for connection in piece.awaited_connections():
                for block in piece.release(connection):
                    begin = block << BLOCK_SHIFT
                    length = self._geometry.block_length(piece.index, block)
                    self._peers[connection].release(piece.index, begin)
                    cancels.setdefault(connection, []).append(
                        messages.cancel(piece.index, begin, length)
                    )
            self.wasted += piece.received_bytes
            self.active.abandon(piece)
        for piece in [p for p in self.whole if has_piece(pieces, p.index, count)]:
            self.whole.remove(piece)
            self.wasted += piece.length
            self.active.finish(piece.index)
        for connection, packed in cancels.items():
            self._peers[connection].link.send(b"".join(packed))

    def check_timeouts(self, now: float) -> bool:
        """Free the requests that were not answered in time; whether there were any."""
        freed = False
        owing = [peer for peer in self._peers.values() if peer.outstanding]
        least = 0.0
        if self.rate_limit is not None:
            least = SHARE_FACTOR * BLOCK_LENGTH * len(owing) / self.rate_limit
        for peer in owing:
            if self.is_paused:
                peer.silent_since = now
                peer.overdue_at = now + self._config.request_timeout
                continue
            # What came in this very tick is not taken note of yet.
            silent_since = peer.now if peer.fresh_blocks else peer.silent_since
            if now - silent_since > max(least, peer.timeout.seconds):
                self.release(peer)
                peer.depth.timed_out()
                peer.timeout.timed_out()
                peer.snubbed = freed = True
            elif now >= peer.overdue_at:
                freed |= self._release_overdue(peer, least, now)
        return freed

    def _release_overdue(self, peer: Peer, least: float, now: float) -> bool:
        """Free the requests that the peer passed over while it answered others."""
        asked = [piece.oldest_request(peer.id) for piece in self.active.asked_of(peer.id)]
        oldest = min((time for time in asked if time is not None), default=now)
        rate = peer.downloaded.rate(now)
        needed = peer.outstanding * BLOCK_LENGTH / rate if rate else 0.0
        patience = max(least, self._config.request_timeout, OVERDUE_FACTOR * needed)
        peer.overdue_at = max(now + 1.0, oldest + patience)
        return bool(now - oldest > patience and self.release(peer, asked_before=now - patience))

    # While the torrent is stopped.

    def partial_pieces(self, most_bytes: int) -> list[PartialPiece]:
        """Copy what came of unfinished pieces: at most so many bytes, the most complete first.

        Suspect pieces are not worth keeping: they are to come from one peer.
        """
        return most_complete(
            (p for p in self.active if not self._corruption.is_suspect(p.index)), most_bytes
        )

    def restore_partial(self, partial: Iterable[PartialPiece]) -> int:
        """Put back what came of pieces before; nobody will be blamed for it.

        What is not missing, makes no sense, or finds no room is dropped. Call it while the torrent
        is stopped, when `have` and `wanted` are known. Returns how many pieces were put back.
        """
        room = self.active.restorable_bytes
        restored = 0
        for kept in partial:
            blocks = kept.blocks(self._geometry)
            if not blocks or not self._may_begin(kept.index):
                continue
            room -= self._geometry.length_of(kept.index)
            if room < 0:
                break
            piece = self.active.start(PieceIndex(kept.index))
            self.active.give_buffer(piece)
            for block, data in blocks:
                piece.restore(block, data)
            restored += 1
        return restored

    def _may_begin(self, index: int) -> bool:
        """Whether the piece is missing, not begun, and may come from anywhere."""
        missing = self._need.missing & ~self.active.taken
        is_suspect = self._corruption.is_suspect(index)
        return has_piece(missing, index, self._geometry.piece_count) and not is_suspect

    # The disk's answers.

    def piece_written(self, index: int) -> list[PeerAddress]:
        """The piece matched its digest and is on the disk; returns peers proven guilty by it."""
        piece = self.active.at_disk(index)
        guilty = self._corruption.verified(piece)
        self.active.finish(index)
        self._need.have |= piece_bit(index, self._geometry.piece_count)
        return [address for address in guilty if address != UNKNOWN_SENDER]

    def piece_mismatched(self, index: int) -> list[PeerAddress]:
        """The piece did not match its digest; returns the peers proven guilty."""
        piece = self.active.at_disk(index)
        self.wasted += piece.length
        guilty = self._corruption.failed(piece, [self._sender(owner) for owner in piece.owner])
        self.active.finish(index)
        return [address for address in guilty if address != UNKNOWN_SENDER]

    def piece_unwritten(self, index: int) -> None:
        """The disk failed, or is full: what came of the piece is lost."""
        self.wasted += self.active.at_disk(index).length
        self.active.finish(index)

    def _sender(self, connection: ConnectionId) -> PeerAddress:
        peer = self._peers.get(connection)
        return peer.address if peer is not None else self._departed.get(connection, UNKNOWN_SENDER)
