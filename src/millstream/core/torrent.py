"""A torrent with pieces: its state, what it has and wants, and the transfer from and to its peers.

Most torrents of a large collection have everything and nobody who asks for it. So all that it takes
to transfer pieces (`core.transfer`) is made when the first peer comes, or with the first piece that
came in part before. `core.torrent_state` says which states follow which.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol

from millstream.core.active_pieces import ActivePieces, BufferPool
from millstream.core.config import TransferConfig
from millstream.core.file_priority import PiecePriorities
from millstream.core.geometry import ConnectionId, Geometry
from millstream.core.need import Need
from millstream.core.partial_piece import PartialPiece
from millstream.core.peer import Peer
from millstream.core.torrent_state import TorrentState, check_transition
from millstream.core.transfer import Transfer, TransferPort

# How often slots, timeouts, interest and starved peers are looked after, seconds.
BEAT = 0.5


class TorrentPort(TransferPort, Protocol):
    """What a torrent asks of its shell. Calls return at once; results come back as method calls."""

    def transfer_made(self, transfer: Transfer) -> None:
        """There is a transfer from now on; nobody takes part in it yet."""

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
        need: what it has and wants. Say which pieces are wanted by `set_priorities`.
        peers: the connected peers by connection.
        touched: the peers from which something came since the last tick.
    """

    __slots__ = (
        *("_config", "_info_hash", "_next_beat", "_pool", "_port", "_rng", "_transfer"),
        *("geometry", "need", "peers", "state", "touched"),
    )

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
        self.need = Need(geometry.piece_count)
        self.state = TorrentState.STOPPED
        self.peers: dict[ConnectionId, Peer] = {}
        self.touched: dict[ConnectionId, Peer] = {}
        self._port = port
        self._pool = pool
        self._config = config
        self._rng = rng
        self._info_hash = info_hash
        # Made when first needed: most torrents of many have no peers.
        self._transfer: Transfer | None = None
        self._next_beat = 0.0

    @property
    def transfer(self) -> Transfer:
        """What it and its peers give each other; the `PeerEvents` of its peers."""
        if self._transfer is None:
            self._transfer = Transfer(
                self.geometry,
                self.need,
                self.peers,
                self.touched,
                self._port,
                self._pool,
                self._config,
                self._rng,
                self._info_hash,
            )
            self._port.transfer_made(self._transfer)
        return self._transfer

    # State.

    @property
    def is_complete(self) -> bool:
        """Whether every wanted piece is verified."""
        return not self.need.missing

    @property
    def is_active(self) -> bool:
        """Whether it may have peers."""
        state = self.state
        return state is TorrentState.SEEDING or state is TorrentState.DOWNLOADING

    def set_state(self, after: TorrentState) -> None:
        """Change state. Raises LocalProtocolError where there is no way."""
        before = self.state
        if before == after:
            return
        check_transition(before, after)
        self.state = after
        if self._transfer is not None and not self.is_active:
            self._transfer.stop(f"torrent is {after.value}")
        self._port.state_changed(before, after)

    def checked(self, have: int, partial: Sequence[PartialPiece] = ()) -> None:
        """The files were checked: `have` is the set of the pieces found good.

        Of those that are missing some may have come in part before.
        """
        self.need.have = have
        if partial:
            self.transfer.download.restore_partial(partial)
        self.go_on()

    def go_on(self) -> None:
        """Download or seed, whichever is due."""
        self.set_state(TorrentState.SEEDING if self.is_complete else TorrentState.DOWNLOADING)

    def set_priorities(self, priorities: PiecePriorities) -> None:
        """Want these pieces, in this order; what is begun and not wanted any more is given up."""
        self.need.prefer(priorities)
        if self._transfer is not None:
            self._transfer.need_changed()
        if self.is_active:
            self.go_on()

    def lose(self, pieces: int) -> int:
        """Files were changed under us: these pieces of ours are no longer what they should be.

        The peers are told, and what is wanted of it is fetched again.

        Returns:
            The set of those that we had.
        """
        lost = pieces & self.need.have
        if lost:
            self.need.have ^= lost
            if self._transfer is not None:
                self._transfer.lose(lost)
            if self.is_active:
                self.go_on()
        return lost

    @property
    def super_seeding(self) -> bool:
        """Whether new peers are shown one piece at a time (BEP 16); see `Transfer`."""
        return self._transfer is not None and self._transfer.super_seeding

    @super_seeding.setter
    def super_seeding(self, wanted: bool) -> None:
        if wanted != self.super_seeding:
            self.transfer.super_seeding = wanted

    # What is under way.

    @property
    def active(self) -> ActivePieces | tuple[()]:
        """The pieces that are begun and not verified; iterating gives those that lack blocks."""
        return () if self._transfer is None else self._transfer.download.active

    @property
    def at_disk_count(self) -> int:
        """How many pieces wait for their verified write."""
        return 0 if self._transfer is None else self._transfer.download.active.at_disk_count

    @property
    def wasted(self) -> int:
        """Bytes that came and were of no use."""
        return 0 if self._transfer is None else self._transfer.download.wasted

    @property
    def is_paused(self) -> bool:
        """Whether the shell does not read from the peers for now: their silence is ours."""
        return self._transfer is not None and self._transfer.download.is_paused

    @is_paused.setter
    def is_paused(self, paused: bool) -> None:
        if self._transfer is not None:
            self._transfer.download.is_paused = paused

    def partial_pieces(self, most_bytes: int) -> list[PartialPiece]:
        """Copy what came of unfinished pieces: at most so many bytes, the most complete first."""
        return [] if self._transfer is None else self._transfer.download.partial_pieces(most_bytes)

    # Peers, and the disk's answers (GATHER).

    def add_peer(self, peer: Peer, *, greeted: bool = False) -> None:
        """A handshake is done; see `Transfer.add_peer`."""
        self.transfer.add_peer(peer, greeted=greeted)

    def remove_peer(self, connection: ConnectionId) -> None:
        """The connection is closed, perhaps of one that never got as far as `add_peer`."""
        peer = self.peers.get(connection)
        if peer is not None:
            self.transfer.remove_peer(peer)

    def piece_written(self, index: int) -> None:
        """A verified write succeeded."""
        self.transfer.piece_written(index)
        if self.state == TorrentState.DOWNLOADING and self.is_complete:
            self.set_state(TorrentState.SEEDING)

    def piece_mismatched(self, index: int) -> None:
        """The data did not match the digest; nothing was written."""
        self.transfer.piece_mismatched(index)

    def piece_unwritten(self, index: int) -> None:
        """The disk failed: the data is lost, the piece is still missing."""
        self.transfer.piece_unwritten(index)

    # The tick's other phases.

    def process(self, now: float) -> bool:
        """PROCESS: what time brings about. Returns whether this was a beat."""
        is_beat = now >= self._next_beat
        if is_beat:
            # A little less than a beat: the shell's beats are not to the microsecond.
            self._next_beat = now + 0.9 * BEAT
        transfer = self._transfer
        if transfer is not None:
            transfer.process(now, is_beat=is_beat)
            if transfer.slots_are_stale and self.is_active:
                transfer.assign_slots(now)
        return is_beat

    def request(self, now: float) -> None:
        """REQUEST: keep the peers' request queues full."""
        if self._transfer is not None and self.state == TorrentState.DOWNLOADING:
            self._transfer.request(now)
        self.touched.clear()

    def output(self) -> None:
        """OUTPUT: whole pieces to the disk, news to the peers, answers to requests."""
        if self._transfer is not None:
            self._transfer.output()
