"""A torrent among its peers: what messages and disk results mean, and the phases of its tick.

The torrent decides nothing by itself that has a module: `core.download` asks for blocks and takes
them in, `core.upload` answers requests, `core.torrent_state` says which states follow which. Here
they are joined, and what happened to one is told to the other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Protocol

from millstream.core.active_piece import ActivePiece
from millstream.core.active_pieces import BufferPool
from millstream.core.choker import Choker
from millstream.core.config import TransferConfig
from millstream.core.download import Download
from millstream.core.file_priority import PiecePriorities
from millstream.core.geometry import ConnectionId, Geometry
from millstream.core.haves import Haves
from millstream.core.newcomers import Newcomers
from millstream.core.partial_piece import PartialPiece
from millstream.core.peer import Peer
from millstream.core.piece_set import members
from millstream.core.super_seeding import SuperSeeding
from millstream.core.torrent_state import TorrentState, check_transition
from millstream.core.upload import RunServer, Upload
from millstream.errors import RemoteProtocolError
from millstream.protocol import messages
from millstream.protocol.bitfield import encode_bitfield, every_piece, has_piece
from millstream.protocol.compact import PeerAddress

# How often slots, timeouts, interest and starved peers are looked after, seconds.
BEAT = 0.5


class TorrentPort(RunServer, Protocol):
    """What a torrent asks of its shell. Calls return at once; results come back as method calls."""

    def write_piece(self, piece: ActivePiece) -> None:
        """Submit the verified write of a whole piece."""

    def piece_verified(self, index: int) -> None:
        """A piece is on the disk."""

    def piece_failed(self, index: int) -> None:
        """A piece did not match its digest."""

    def ban(self, address: PeerAddress, reason: str) -> None:
        """Never talk to this peer again."""

    def state_changed(self, before: TorrentState, after: TorrentState) -> None:
        """The state changed."""


class TorrentMachine:
    """One torrent's decisions.

    Args:
        geometry: lengths.
        port: the way out.
        pool: room for pieces.
        config: how data is asked for and served.
        rng: decides what chance decides.
        info_hash: decides what newcomers may have while they are choked (BEP 6); None: nothing.

    Attributes:
        peers: the connected peers by connection.
        touched: the peers from which something came since the last tick.
        keep_seeds: stay connected to seeds though nothing is wanted of them: to watch a swarm.
    """

    def __init__(
        self,
        geometry: Geometry,
        port: TorrentPort,
        pool: BufferPool,
        config: TransferConfig,
        rng: random.Random,
        info_hash: bytes | None = None,
    ) -> None:
        self.geometry = geometry
        self._port = port
        self._rng = rng
        self.state = TorrentState.STOPPED
        self.peers: dict[ConnectionId, Peer] = {}
        self.touched: dict[ConnectionId, Peer] = {}
        self.keep_seeds = False
        self.download = Download(geometry, self.peers, pool, config, rng)
        self.upload = Upload(
            self.peers,
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
        self._slots_stale = False
        self._room_freed = self._blocks_freed = False
        self._next_beat = 0.0
        self._now = 0.0

    # State.

    @property
    def is_complete(self) -> bool:
        """Whether every wanted piece is verified."""
        return not self.download.missing

    @property
    def is_active(self) -> bool:
        """Whether it may have peers."""
        return self.state in {TorrentState.DOWNLOADING, TorrentState.SEEDING}

    def set_state(self, after: TorrentState) -> None:
        """Change state. Raises LocalProtocolError where there is no way."""
        before = self.state
        if before == after:
            return
        check_transition(before, after)
        self.state = after
        if not self.is_active:
            for peer in list(self.peers.values()):
                peer.link.close(f"torrent is {after.value}")
            self.download.active.clear()
        self._port.state_changed(before, after)

    def checked(self, have: int, partial: Iterable[PartialPiece] = ()) -> None:
        """The files were checked: `have` is the set of the pieces found good.

        Of those that are missing some may have come in part before.
        """
        self.download.have = have
        self.download.restore_partial(partial)
        self.go_on()

    def go_on(self) -> None:
        """Download or seed, whichever is due."""
        self.set_state(TorrentState.SEEDING if self.is_complete else TorrentState.DOWNLOADING)

    def set_priorities(self, priorities: PiecePriorities) -> None:
        """Want these pieces, in this order; what is begun and not wanted any more is given up."""
        self.download.set_priorities(priorities)
        self._wants_changed()

    def lose(self, pieces: int) -> int:
        """Files were changed under us: these pieces of ours are no longer what they should be.

        The peers are told, what they asked for of it is refused, and what is wanted of it is
        fetched again. Super seeding ends, for we are no seed now.

        Returns:
            The set of those that we had.
        """
        lost = pieces & self.download.have
        if lost:
            self.download.have ^= lost
            self._lost |= lost
            self.super_seeding = False
            self._haves.withdraw(lost, self.geometry.piece_count, list(self.peers.values()))
            self.upload.pieces_lost(lost)
            self._wants_changed()
        return lost

    def _wants_changed(self) -> None:
        """Tell the peers whether we want something of them, ask for it, or cease to."""
        missing = self.download.missing
        for peer in list(self.peers.values()):
            peer.set_interested(bool(peer.pieces & missing))
        self._room_freed = self._blocks_freed = True
        self.touched.update(self.peers)
        if self.is_active:
            self.go_on()

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
                self.geometry.piece_count, self.download.availability, self._rng
            )
        elif not wanted and self._super_seeding is not None:
            self._super_seeding.end(self.download.have)
            self._super_seeding = None

    def _end_super_seeding(self) -> None:
        """There may be a second seed."""
        if self.download.availability.seeds and self._has_everything:
            self.super_seeding = False

    @property
    def _has_everything(self) -> bool:
        return self.download.have == every_piece(self.geometry.piece_count)

    # Peers.

    def add_peer(self, peer: Peer, *, greeted: bool = False) -> None:
        """A handshake is done: greet the peer with what we have.

        A peer that was greeted before the metadata was known hears of single pieces.
        """
        self.peers[peer.id] = peer
        # The new peer's pieces are counted from the empty set on.
        self.download.availability.add(peer.pieces)
        count = self.geometry.piece_count
        have = self.download.have
        self._end_super_seeding()
        if self._super_seeding is not None and self._has_everything:
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

    def remove_peer(self, connection: ConnectionId) -> None:
        """The connection is closed."""
        peer = self.peers.pop(connection, None)
        if peer is not None:
            self.touched.pop(connection, None)
            self.download.peer_gone(peer)
            self.upload.peer_gone(peer)
            if self._super_seeding is not None:
                self._super_seeding.peer_gone(peer)
            self._slots_stale = True
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
        self._slots_stale = True

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
            peer.set_interested(self.download.is_useful(peer))

    def request_rejected(self, peer: Peer, index: int, begin: int, length: int) -> None:
        """Ask somebody else."""
        if self.download.rejected(peer, index, begin):
            self._blocks_freed = True

    def request_received(self, peer: Peer, index: int, begin: int, length: int) -> None:
        """Queue it, if we have the piece."""
        if not has_piece(self.download.have, index, self.geometry.piece_count) or (
            self._super_seeding is not None and self._super_seeding.hides(peer, index)
        ):
            if not peer.fast and not has_piece(self._lost, index, self.geometry.piece_count):
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
        self._ban(guilty, f"sent corrupt data for piece {index}")
        if self.state == TorrentState.DOWNLOADING and self.is_complete:
            self.set_state(TorrentState.SEEDING)

    def piece_mismatched(self, index: int) -> None:
        """The data did not match the digest; nothing was written."""
        guilty = self.download.piece_mismatched(index)
        self._room_freed = self._blocks_freed = True
        self._port.piece_failed(index)
        self._ban(guilty, f"sent corrupt data for piece {index}")

    def piece_unwritten(self, index: int) -> None:
        """The disk failed: the data is lost, the piece is still missing."""
        self.download.active.finish(index)
        self._room_freed = self._blocks_freed = True

    def _ban(self, guilty: list[PeerAddress], reason: str) -> None:
        for address in guilty:
            self._port.ban(address, reason)

    # The tick's other phases.

    def process(self, now: float) -> bool:
        """PROCESS: what time brings about. Returns whether this was a beat."""
        self._now = now
        beat = now >= self._next_beat
        if beat:
            # A little less than a beat: the shell's beats are not to the microsecond.
            self._next_beat = now + 0.9 * BEAT
            self._slots_stale = True
            missing = self.download.missing
            for peer in list(self.peers.values()):
                peer.set_interested(bool(peer.pieces & missing))
                if not missing and not self.keep_seeds and (peer.is_seed or peer.upload_only):
                    peer.link.close("both are seeds")
            if missing:
                self._blocks_freed |= self.download.check_timeouts(now)
                self.download.requester.beat(now)
                self.touched.update(self.peers)
        if self._slots_stale and self.is_active:
            self._slots_stale = False
            self.upload.assign_slots(now, seeding=self.is_complete)
        return beat

    def request(self, now: float) -> None:
        """REQUEST: keep the peers' request queues full."""
        if self.state == TorrentState.DOWNLOADING:
            requester = self.download.requester
            if self._room_freed or self._blocks_freed:
                requester.feed_starved(now)
            if self._blocks_freed:
                requester.feed_idle(now)
            # Whoever let requests time out is asked for what the others leave.
            for peer in sorted(self.touched.values(), key=lambda peer: peer.snubbed):
                self.download.request(peer, now)
        self._room_freed = self._blocks_freed = False
        self.touched.clear()

    def output(self) -> None:
        """OUTPUT: whole pieces to the disk, news to the peers, answers to requests."""
        for piece in self.download.whole:
            self._port.write_piece(piece)
        self.download.whole.clear()
        self._haves.tell(self.peers.values(), self._now)
        if self._super_seeding is not None:
            self._super_seeding.show()
        if self.upload.waiting:
            self.upload.serve(self._now)
