"""A torrent at work: the core's machine joined to links, disk and files."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from millstream.core.active_piece import ActivePiece
from millstream.core.peer import Peer
from millstream.core.torrent import TorrentMachine
from millstream.core.torrent_state import TorrentState
from millstream.core.transfer import Transfer
from millstream.core.upload_queue import Run
from millstream.engine import events
from millstream.engine.inventory import RECENT, Inventory
from millstream.engine.membership import Membership
from millstream.engine.no_web_seeds import NO_WEB_SEEDS, NoWebSeeds
from millstream.engine.session_files import SessionFiles
from millstream.engine.session_peers import SessionPeers
from millstream.engine.session_results import SessionResults
from millstream.engine.session_status import session_status
from millstream.engine.shared import Shared
from millstream.engine.status import PeerStatus, TorrentStatus
from millstream.engine.torrent_disk import TorrentDisk
from millstream.engine.uploads import RunReader
from millstream.errors import (
    MillstreamError,
    RootUnavailableError,
    StorageError,
)
from millstream.protocol.bitfield import every_piece
from millstream.protocol.compact import PeerAddress
from millstream.protocol.metainfo import Metainfo
from millstream.storage.layout import FileLayout
from millstream.storage.placement import Placement

if TYPE_CHECKING:
    from millstream.engine.rearranging import Rearranging
    from millstream.engine.web_seeding import WebSeeding


class TorrentSession(SessionFiles, SessionPeers, SessionResults):
    """A torrent with pieces: a membership's stage, and the machine's port.

    Attributes:
        machine: the decisions.
        error: why it is in the error state.
        disk: the way to its files.
        inventory: what of them is there.
        web_seeds: those it fetches from.
    """

    __slots__ = (
        *("_changed", "_membership", "_reader", "_shared", "disk"),
        *("error", "geometry", "inventory", "layout", "machine", "metainfo", "web_seeds"),
    )

    def __init__(self, metainfo: Metainfo, membership: Membership, shared: Shared) -> None:
        self.metainfo = metainfo
        self.layout = self.geometry = FileLayout.from_metainfo(metainfo)
        platform = shared.platform
        placement = Placement(self.layout, membership.root.path, f".{metainfo.info_hash}.parts")
        self.disk = TorrentDisk(metainfo.info_hash, placement, platform.disk)
        self.inventory = Inventory(
            metainfo,
            self.disk,
            platform.files,
            shared.config,
            self,
        )
        self.machine = TorrentMachine(
            self.geometry,
            self,
            shared.pool,
            shared.config.transfer,
            shared.rng,
            metainfo.info_hash,
        )
        self.error: MillstreamError | None = None
        self._membership = membership
        self._shared = shared
        # Made when first needed: most torrents serve nobody, and are never rearranged.
        self._reader: RunReader | None = None
        self._rearranging: Rearranging | None = None
        self.is_leaving = False
        # Made when somebody waits: with its queue it has a kilobyte.
        self._changed: asyncio.Event | None = None
        self.web_seeds: WebSeeding | NoWebSeeds = NO_WEB_SEEDS
        if metainfo.web_seeds:
            # Here: few torrents have any.
            from millstream.engine.web_seeding import WebSeeding  # noqa: PLC0415

            self.web_seeds = WebSeeding(
                metainfo,
                self.layout,
                self.machine,
                membership.limits,
                shared.config.transfer,
                platform.http,
                allow_local=membership.allow_local,
                next_connection=shared.next_connection,
                wake=membership.wake,
                journal=membership.journal,
            )
        membership.metadata_known(metainfo.info, private=metainfo.private)

    @property
    def state(self) -> TorrentState:
        """What it is doing."""
        return self.machine.state

    @property
    def is_active(self) -> bool:
        """Whether it may have peers."""
        return self.machine.is_active

    @property
    def is_complete(self) -> bool:
        """Whether it wants nothing of anyone, not even to be connected."""
        return self.machine.is_complete and not self.machine.need.keep_seeds

    @property
    def is_finished(self) -> bool:
        """Whether every wanted piece is verified, as far as is known."""
        return self.machine.is_complete

    @property
    def is_disk_full(self) -> bool:
        """Whether the disk took all it can: nothing is read from peers until it is done with some."""
        return self._shared.platform.disk.is_full

    @property
    def bytes_left(self) -> int:
        """Bytes of all pieces, wanted or not, that are not verified: what trackers are told."""
        have = self.machine.need.have
        return self.geometry.total_length - self.geometry.length_of_set(have)

    # Starting and stopping.

    def check(self) -> None:
        """Find out in the background which pieces are there, then download or seed."""
        if self.is_leaving:
            return
        self._shared.cache.forget(self.metainfo.info_hash)
        self.machine.set_state(TorrentState.CHECKING)
        self.inventory.begin()

    async def assume_complete(self) -> None:
        """Trust that every piece is there (seed mode), if the disk is."""
        try:
            await self.see_root(RECENT)
        except StorageError as error:
            self._refuse(error)
        else:
            self.inventory.assume(every_piece(self.geometry.piece_count))

    def found(self, have: int) -> None:
        """The files were checked, and these pieces are there."""
        if self._membership.is_stopped_by_user:
            # Somebody wanted to know, and no more.
            self.machine.need.have = have
            self.machine.set_state(TorrentState.STOPPED)
            self.disk.release()
        elif self._membership.has_turn:
            self.machine.checked(have, self._shared.kept_pieces.take(self.metainfo.info_hash))
        else:
            self.machine.need.have = have
            self.machine.set_state(TorrentState.QUEUED)
        if self._rearranging is not None or self.disk.placement.suffixed:
            self.rearranging.checked()

    async def stop(self, after: TorrentState = TorrentState.STOPPED) -> None:
        """Close links, end a check, wait for what is at the disk, and keep no file open.

        Afterwards it is stopped; or queued, if it is active now.
        """
        await self.inventory.end()
        if after is TorrentState.STOPPED or self.is_active:
            self._keep_partial_pieces()
            self.machine.set_state(after)
        for link in list(self._membership.links.values()):
            link.close(f"torrent is {self.state.value}")
        self.output(asyncio.get_running_loop().time())
        self.disk.flush()
        # A move may take hours: what waits for its end is done then.
        while self._is_busy and self.moving is None:
            changed = self._changed = self._changed or asyncio.Event()
            changed.clear()
            await changed.wait()
        await self.web_seeds.finish()
        self.disk.release()

    @property
    def _is_busy(self) -> bool:
        """Whether something is at the disk, or waits to be."""
        at_disk = self.machine.at_disk_count
        reading = self._reader is not None and self._reader.reading
        return bool(at_disk or reading or self.disk.in_flight)

    def close(self) -> None:
        """The torrent leaves the engine: free what it holds."""
        self._shared.cache.forget(self.metainfo.info_hash)
        self.disk.release()
        self._tell_change()

    def _tell_change(self) -> None:
        if self._changed is not None:
            self._changed.set()

    def fail(self, error: MillstreamError) -> None:
        """Stop in the error state; verified pieces stay verified."""
        is_cause = isinstance(error, RootUnavailableError) and isinstance(self.error, StorageError)
        if self.machine.state is TorrentState.ERROR:
            # Where a disk goes, jobs fail before it is seen why.
            if is_cause and not isinstance(self.error, RootUnavailableError):
                self._refuse(error)
        elif self.machine.state is not TorrentState.STOPPED:
            self._refuse(error)

    def _refuse(self, error: MillstreamError) -> None:
        self.inventory.abandon()
        if isinstance(error, RootUnavailableError):
            self.inventory.disk_went(self._membership.claims())
        self.error = error
        self._keep_partial_pieces()
        self.machine.set_state(TorrentState.ERROR)
        self._membership.tell(events.TorrentFailed(error))

    def _keep_partial_pieces(self) -> None:
        if self.is_active:
            kept = self._shared.kept_pieces
            kept.keep(self.metainfo.info_hash, self.machine.partial_pieces(kept.room))

    async def start(self) -> None:
        """Go on after `stop` or an error; what was verified is not checked again."""
        if self._starts_no_more():
            return
        # After an error, other jobs that failed may still be on their way from the disk.
        waits = self.state is TorrentState.QUEUED
        await self.stop(TorrentState.QUEUED if waits else TorrentState.STOPPED)
        if self._starts_no_more():
            return  # somebody else was faster
        if waits and self.state is not TorrentState.QUEUED:
            return  # it was stopped meanwhile
        obstacle = self._shared.disk_watch.obstacle(self.metainfo.info_hash)
        if obstacle is not None:
            self._refuse(obstacle)
        elif self.inventory.is_taken:
            self.found(self.machine.need.have)
        else:
            self.check()

    def _starts_no_more(self) -> bool:
        """Whether it runs already, or never will again."""
        return self.is_leaving or self.is_active or self.state is TorrentState.CHECKING

    @property
    def transferred(self) -> tuple[int, int]:
        """Payload bytes uploaded and downloaded since it was added."""
        membership = self._membership
        uploaded, downloaded = membership.departed_uploaded, membership.departed_downloaded
        for peer in self.machine.peers.values():
            uploaded += peer.uploaded.total
            downloaded += peer.downloaded.total
        return uploaded, downloaded + self.web_seeds.departed_downloaded

    def status(self) -> TorrentStatus:
        """A snapshot."""
        return session_status(self, self._membership, asyncio.get_running_loop().time())

    # core.torrent.TorrentPort

    def transfer_made(self, transfer: Transfer) -> None:
        """It has peers from now on: the rate limits hold for what they bring and take."""
        self._membership.transfer_made(transfer)

    def write_piece(self, piece: ActivePiece) -> None:
        """Submit the verified write of a whole piece."""
        view = piece.view
        if view is None:
            raise AssertionError("a whole piece has a buffer")
        self.disk.write(piece.index, view, self.metainfo.digest(piece.index))

    def serve(self, peer: Peer, run: Run) -> None:
        """Read a run and send it."""
        reader = self._reader
        if reader is None:
            reader = self._reader = RunReader(
                self.metainfo.info_hash, self.disk, self._shared.cache, self.machine.transfer.upload
            )
        reader.serve(self._membership.links[peer.id], peer, run)

    def piece_verified(self, index: int) -> None:
        """A piece is on the disk."""
        if self.disk.placement.suffixed:
            self.rearranging.piece_verified(index)
        self._membership.tell(events.PieceVerified(index))
        self._membership.changed()

    def piece_failed(self, index: int) -> None:
        """A piece did not match its digest."""
        self._membership.tell(events.PieceFailed(index))

    def ban(self, address: PeerAddress, reason: str) -> None:
        """Never talk to this peer again, or fetch from this web seed."""
        if not self.web_seeds.ban(address, reason):
            self._membership.ban(address, reason)

    def state_changed(self, before: TorrentState, after: TorrentState) -> None:
        """Take over early peers, and tell everyone who waits."""
        self._tell_change()
        if after is not TorrentState.ERROR:
            self.error = None
        if after is TorrentState.SEEDING and before is TorrentState.DOWNLOADING:
            self.disk.release()
        if self.is_active:
            self.adopt_peers()
        elif after is not TorrentState.CHECKING:
            for link in list(self._membership.links.values()):
                link.close(f"torrent is {after.value}")
        if before is TorrentState.DOWNLOADING:
            self.web_seeds.close(f"torrent is {after.value}")
        self._membership.state_changed(before, after)

    # engine.membership.Stage

    @property
    def is_tended(self) -> bool:
        """Whether time alone may bring something about, though it has no peers."""
        return self.web_seeds.is_tended and self.state is TorrentState.DOWNLOADING

    def web_seed_statuses(self, now: float) -> list[PeerStatus]:
        """The web seeds at work, as peers."""
        return self.web_seeds.peer_statuses(now)

    def resume(self) -> None:
        """The disk can take more again."""
        self.machine.is_paused = False
        self._membership.journal.released()
        self.web_seeds.release(asyncio.get_running_loop().time())

    def metadata_fetched(self, info: bytes) -> None:
        """It was known already."""

    def process(self, now: float) -> bool:
        """Phase 2: what time brings about; whether this was a beat."""
        beat = self.machine.process(now)
        if beat and self.state is TorrentState.DOWNLOADING:
            self.web_seeds.tend(now)
        return beat

    def request(self, now: float) -> None:
        """Phase 3: top up the request queues."""
        # What comes while the files are moved waits in memory that all torrents share.
        if self._rearranging is None or self._rearranging.moving is None:
            self.machine.request(now)

    def output(self, now: float) -> None:
        """Phase 4: pieces to the disk, news and data to the peers; back-pressure to the peers."""
        self.machine.output()
        if self.is_disk_full:
            self.machine.is_paused = True
            self._membership.journal.held()
            self._membership.hold(now)
            self.web_seeds.hold()
