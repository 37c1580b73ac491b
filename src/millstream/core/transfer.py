"""A torrent among its peers: what messages and disk results mean, and the phases of its tick.

It decides nothing by itself that has a module: `core.download` takes blocks in, `core.requester`
asks for them, `core.upload` answers requests. Here they are joined, and what happened to one is told
to the others.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from operator import attrgetter
from typing import Protocol

from millstream.core.active_piece import ActivePiece
from millstream.core.active_pieces import BufferPool
from millstream.core.choker import Choker
from millstream.core.config import TransferConfig
from millstream.core.download import Download
from millstream.core.geometry import ConnectionId, Geometry
from millstream.core.haves import Haves
from millstream.core.need import Need
from millstream.core.newcomers import Newcomers
from millstream.core.peer import Peer
from millstream.core.piece_set import members
from millstream.core.super_seeding import SuperSeeding
from millstream.core.upload import RunServer, Upload
from millstream.errors import RemoteProtocolError
from millstream.protocol import messages
from millstream.protocol.bitfield import encode_bitfield, every_piece, has_piece
from millstream.protocol.compact import PeerAddress

_is_snubbed = attrgetter("snubbed")


class TransferPort(RunServer, Protocol):
    """What a transfer asks of its shell. Calls return at once; results come back as method calls."""

    def write_piece(self, piece: ActivePiece) -> None:
        """Submit the verified write of a whole piece."""

    def piece_verified(self, index: int) -> None:
        """A piece is on the disk."""

    def piece_failed(self, index: int) -> None:
        """A piece did not match its digest."""

    def ban(self, address: PeerAddress, reason: str) -> None:
        """Never talk to this peer again."""


class Transfer:
    """What one torrent and its peers give each other.

    Args:
        geometry: lengths.
        need: what is to be had, and what there is to give.
        peers: the connected peers by connection; added to and removed from here alone.
        touched: the peers from which something came since the last tick.
        port: the way out.
        pool: room for pieces.
        config: how data is asked for and served.
        rng: decides what chance decides.
        info_hash: decides what newcomers may have while they are choked (BEP 6); None: nothing.

    Attributes:
        download: the taking half.
        upload: the giving half.
        slots_are_stale: whether something changed that decides who is choked.
    """

    __slots__ = (
        *("_blocks_freed", "_geometry", "_haves", "_lost", "_need", "_now", "_peers", "_port"),
        *("_rng", "_room_freed", "_super_seeding", "_touched"),
        *("block_received", "download", "slots_are_stale", "upload"),
    )

    def __init__(
        self,
        geometry: Geometry,
        need: Need,
        peers: dict[ConnectionId, Peer],
        touched: dict[ConnectionId, Peer],
        port: TransferPort,
        pool: BufferPool,
        config: TransferConfig,
        rng: random.Random,
        info_hash: bytes | None = None,
    ) -> None:
        self._geometry = geometry
        self._need = need
        self._peers = peers
        self._touched = touched
        self._port = port
        self._rng = rng
        self.download = Download(geometry, need, peers, pool, config, rng)
        self.upload = Upload(
            peers,
            port,
            config,
            Choker(config.upload_slots, geometry.piece_length, rng),
            # Who serves nobody makes no exception for newcomers.
            Newcomers(geometry, info_hash, config.allowed_fast_set * (config.upload_slots != 0)),
        )
        self.block_received: Callable[[Peer, int, int, memoryview], None] = (
            self.download.receive_block
        )
        self._haves = Haves()
        # Pieces that peers may take us to have, though they are gone.
        self._lost = 0
        self._super_seeding: SuperSeeding | None = None
        self.slots_are_stale = False
        self._room_freed = self._blocks_freed = False
        self._now = 0.0

    def stop(self, reason: str) -> None:
        """Drop the peers, and all that is not at the disk."""
        for peer in list(self._peers.values()):
            peer.link.close(reason)
        self.download.active.clear()

    # What is needed.

    def need_changed(self) -> None:
        """Other pieces are wanted: give up those that are not, and ask for those that are."""
        self.download.drop_unwanted()
        self._tell_need()

    def lose(self, lost: int) -> None:
        """We no longer have these pieces: tell the peers, and refuse what they asked for of it.

        Super seeding ends, for we are no seed now.
        """
        self._lost |= lost
        self.super_seeding = False
        self._haves.withdraw(lost, self._geometry.piece_count, list(self._peers.values()))
        self.upload.pieces_lost(lost)
        self._tell_need()

    def _tell_need(self) -> None:
        """Tell the peers whether we want something of them, ask for it, or cease to."""
        missing = self._need.missing
        for peer in list(self._peers.values()):
            peer.set_interested(bool(peer.pieces & missing))
        self._room_freed = self._blocks_freed = True
        self._touched.update(self._peers)

    @property
    def super_seeding(self) -> bool:
        """Whether new peers are shown one piece at a time (BEP 16).

        It has an effect while we have every piece and no peer has, and ends with the second seed.
        Peers that are here when it is set know what we have already.
        """
        return self._super_seeding is not None

    @super_seeding.setter
    def super_seeding(self, wanted: bool) -> None:
        if wanted and self._super_seeding is None:
            self._super_seeding = SuperSeeding(
                self._geometry.piece_count, self.download.availability, self._rng
            )
        elif not wanted and self._super_seeding is not None:
            self._super_seeding.end(self._need.have)
            self._super_seeding = None

    def _end_super_seeding(self) -> None:
        """There may be a second seed."""
        if self.download.availability.seeds and self._need.has_everything:
            self.super_seeding = False

    # Peers.

    def add_peer(self, peer: Peer, *, greeted: bool = False) -> None:
        """A handshake is done: greet the peer with what we have.

        A peer that was greeted before the metadata was known hears of single pieces.
        """
        self._peers[peer.id] = peer
        # The new peer's pieces are counted from the empty set on.
        self.download.availability.add(peer.pieces)
        count = self._geometry.piece_count
        have = self._need.have
        self._end_super_seeding()
        if self._super_seeding is not None and self._need.has_everything:
            self._super_seeding.greet(peer, greeted=greeted)
        elif greeted:
            if have:
                peer.link.send(messages.haves(members(have, count)))
        elif peer.fast and have == every_piece(count):
            peer.link.send(messages.HAVE_ALL)
        elif peer.fast and not have:
            peer.link.send(messages.HAVE_NONE)
        elif have:
            peer.link.send(messages.bitfield(encode_bitfield(have, count)))
        else:
            # Without the Fast extension nothing says "nothing" (BEP 3). Some hold the connection open
            # but unused until they know that no bitfield comes: rtorrent did so for 100 seconds.
            peer.link.send(messages.KEEP_ALIVE)

    def remove_peer(self, peer: Peer) -> None:
        """The connection is closed."""
        del self._peers[peer.id]
        self._touched.pop(peer.id, None)
        self.download.peer_gone(peer)
        self.upload.peer_gone(peer)
        if self._super_seeding is not None:
            self._super_seeding.peer_gone(peer)
        self.slots_are_stale = True
        # What it owed is free for the others.
        self._blocks_freed = True

    # The PeerEvents of core.peer; `block_received` is set in the constructor.

    def peer_choked(self, peer: Peer) -> None:
        """Without the Fast extension a choke drops all requests; with it each is rejected."""
        if not peer.fast:
            self.download.release(peer)
            self._blocks_freed = True

    def peer_unchoked(self, peer: Peer) -> None:
        """The peer is touched already; the tick's REQUEST phase does the rest."""

    def peer_interest_changed(self, peer: Peer) -> None:
        """Slots are assigned anew in this tick."""
        self.upload.interest_changed(peer)
        self.slots_are_stale = True

    def pieces_changed(self, peer: Peer, before: int) -> None:
        """Count the news, and say whether we want something of it."""
        self.download.availability.change(before, peer.pieces)
        if peer.outstanding and before & ~peer.pieces:
            self.download.pieces_lost(peer, before & ~peer.pieces)
            self._blocks_freed = True
        if self._super_seeding is not None:
            self._super_seeding.pieces_changed(peer, peer.pieces & ~before)
            self._end_super_seeding()
        if not peer.am_interested:
            peer.set_interested(bool(peer.pieces & self._need.missing))

    def request_rejected(self, peer: Peer, index: int, begin: int, length: int) -> None:
        """Ask somebody else."""
        if self.download.rejected(peer, index, begin):
            self._blocks_freed = True

    def request_received(self, peer: Peer, index: int, begin: int, length: int) -> None:
        """Queue it, if we have the piece."""
        if not has_piece(self._need.have, index, self._geometry.piece_count) or (
            self._super_seeding is not None and self._super_seeding.hides(peer, index)
        ):
            if not peer.fast and not has_piece(self._lost, index, self._geometry.piece_count):
                raise RemoteProtocolError(f"request for piece {index}, which we do not have")
            peer.refuse(index, begin, length)
            return
        self.upload.request_received(peer, index, begin, length)

    def request_cancelled(self, peer: Peer, index: int, begin: int, length: int) -> None:
        """Drop it."""
        self.upload.request_cancelled(peer, index, begin, length)

    # The disk's answers (GATHER).

    def piece_written(self, index: int) -> None:
        """A verified write succeeded."""
        guilty = self.download.piece_written(index)
        self._room_freed = True
        self._haves.add(index)
        self._port.piece_verified(index)
        self._ban(guilty, index)

    def piece_mismatched(self, index: int) -> None:
        """The data did not match the digest; nothing was written."""
        guilty = self.download.piece_mismatched(index)
        self._room_freed = self._blocks_freed = True
        self._port.piece_failed(index)
        self._ban(guilty, index)

    def piece_unwritten(self, index: int) -> None:
        """The disk failed: the data is lost, the piece is still missing."""
        self.download.piece_unwritten(index)
        self._room_freed = self._blocks_freed = True

    def _ban(self, guilty: list[PeerAddress], index: int) -> None:
        for address in guilty:
            self._port.ban(address, f"sent corrupt data for piece {index}")

    # The tick's other phases.

    def process(self, now: float, *, is_beat: bool) -> None:
        """PROCESS: what time brings about."""
        self._now = now
        if not is_beat:
            return
        self.slots_are_stale = True
        need = self._need
        missing = need.missing
        for peer in list(self._peers.values()):
            peer.set_interested(bool(peer.pieces & missing))
            if not missing and not need.keep_seeds and (peer.is_seed or peer.upload_only):
                peer.link.close("both are seeds")
        if missing:
            self._blocks_freed |= self.download.check_timeouts(now)
            self.download.requester.beat(now)
            self._touched.update(self._peers)

    def assign_slots(self, now: float) -> None:
        """PROCESS, too, of a torrent that may have peers: choke and unchoke."""
        self.slots_are_stale = False
        self.upload.assign_slots(now, seeding=not self._need.missing)

    def request(self, now: float) -> None:
        """REQUEST: keep the peers' request queues full."""
        requester = self.download.requester
        if self._room_freed or self._blocks_freed:
            requester.feed_starved(now)
        if self._blocks_freed:
            requester.feed_idle(now)
        # Whoever let requests time out is asked for what the others leave.
        for peer in sorted(self._touched.values(), key=_is_snubbed):
            requester.request(peer, now)
        self._room_freed = self._blocks_freed = False

    def output(self) -> None:
        """OUTPUT: whole pieces to the disk, news to the peers, answers to requests."""
        whole = self.download.whole
        if whole:
            for piece in whole:
                self._port.write_piece(piece)
            whole.clear()
        self._haves.tell(self._peers.values(), self._now)
        if self._super_seeding is not None:
            self._super_seeding.show()
        if self.upload.waiting:
            self.upload.serve(self._now)
