"""A torrent at work: the core's machine joined to links, disk and files."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from millstream.core.active_piece import ActivePiece
from millstream.core.geometry import ConnectionId, Geometry
from millstream.core.metadata_peer import MetadataPeer
from millstream.core.peer import Peer
from millstream.core.piece_set import set_of_ranges
from millstream.core.torrent import TorrentMachine
from millstream.core.torrent_state import TorrentState
from millstream.core.upload_queue import Run
from millstream.engine import events
from millstream.engine.checking import Checker
from millstream.engine.link import Link
from millstream.engine.membership import Membership
from millstream.engine.preparation import make_empty_files, make_room
from millstream.engine.resumption import CheckPlan, plan_check
from millstream.engine.shared import Shared
from millstream.engine.stage import AnyPeer
from millstream.engine.status import PeerStatus, TorrentStatus
from millstream.engine.uploads import RunReader
from millstream.engine.web_seeding import WebSeeding
from millstream.errors import ConfigError, MillstreamError, RemoteProtocolError, StorageError
from millstream.interfaces.disk import DiskResult, Hash, Outcome, VerifiedWrite
from millstream.protocol.bitfield import every_piece
from millstream.protocol.compact import PeerAddress
from millstream.protocol.extension import ExtensionHandshake
from millstream.protocol.handshake import Handshake, Reserved
from millstream.protocol.metainfo import Metainfo
from millstream.storage.claims import Claims
from millstream.storage.layout import FileLayout


class TorrentSession:
    """A torrent with pieces: a membership's stage, and the machine's port.

    Attributes:
        machine: the decisions.
        error: why it is in the error state.
        selected: the files that are wanted, by number; None for all.
        claims: what the last run says is there, until the first check has been.
        plan: how the last check used that.
        checks: how often it was found out what is there.
    """

    def __init__(self, metainfo: Metainfo, membership: Membership, shared: Shared) -> None:
        self.metainfo = metainfo
        self.root = membership.root
        self.layout = FileLayout.from_metainfo(metainfo)
        self.geometry = Geometry(metainfo.total_length, metainfo.piece_length)
        self.machine = TorrentMachine(
            self.geometry,
            self,
            shared.pool,
            shared.config.transfer,
            shared.rng,
            metainfo.info_hash,
        )
        self.error: MillstreamError | None = None
        self.checked_pieces = 0
        self.selected: frozenset[int] | None = None
        self.claims: Claims | None = None
        self.plan: CheckPlan | None = None
        self.checks = 0
        self._membership = membership
        self._shared = shared
        self._reader = RunReader(
            metainfo.info_hash,
            self.layout,
            self.root,
            shared.platform.disk,
            shared.cache,
            self.machine.upload,
        )
        self._checker: Checker | None = None
        self._checking: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.web_seeds = WebSeeding(
            metainfo,
            self.layout,
            self.machine,
            membership.limits,
            shared.config.transfer,
            shared.platform.http,
            allow_local=membership.allow_local,
            next_connection=shared.next_connection,
            wake=membership.wake,
        )
        membership.limits.govern(self.machine.download, self.machine.upload)
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
        return self.machine.is_complete and not self.machine.keep_seeds

    @property
    def bytes_left(self) -> int:
        """Bytes of all pieces, wanted or not, that are not verified: what trackers are told."""
        have = self.machine.download.have
        return self.geometry.total_length - self.geometry.length_of_set(have)

    # Starting and stopping.

    def check(self) -> None:
        """Find out in the background which pieces are there, then download or seed."""
        self._shared.cache.forget(self.metainfo.info_hash)
        self.checked_pieces = 0
        self.machine.set_state(TorrentState.CHECKING)
        self._checking = asyncio.get_running_loop().create_task(self._check())

    def assume_complete(self) -> None:
        """Trust that every piece is there (seed mode)."""
        self._set_have(every_piece(self.geometry.piece_count))

    async def stop(self) -> None:
        """Close links, end a check, wait for what is at the disk, and keep no file open."""
        await self._end_check()
        if self.machine.state is not TorrentState.STOPPED:
            self.machine.set_state(TorrentState.STOPPED)
        for link in list(self._membership.links.values()):
            link.close("torrent is stopped")
        self.output(asyncio.get_running_loop().time())
        self._shared.platform.disk.flush()
        while self.machine.download.active.at_disk_count or self._reader.reading:
            self._changed.clear()
            await self._changed.wait()
        await self.web_seeds.finish()
        self._shared.platform.disk.release(self.root, self.layout.paths)

    def close(self) -> None:
        """The torrent leaves the engine: free what it holds."""
        self._shared.cache.forget(self.metainfo.info_hash)
        self._shared.platform.disk.release(self.root, self.layout.paths)
        self._changed.set()

    async def _end_check(self) -> None:
        checking, self._checking = self._checking, None
        if checking is not None and not checking.done():
            checking.cancel()
            await asyncio.gather(checking, return_exceptions=True)

    async def _check(self) -> None:
        def progress(checked: int) -> None:
            self.checked_pieces = checked

        files, disk = self._shared.platform.files, self._shared.platform.disk
        count = self.geometry.piece_count
        plan: CheckPlan | None = None
        try:
            if self.claims is not None:
                plan = await plan_check(self.claims, self.layout, files, self.root, count)
            among = None if plan is None else plan.doubtful
            checker = Checker(self.metainfo, self.layout, self.root, disk, progress, among)
            self._checker = checker
            have = await checker.run(files)
            if plan is not None:
                have |= plan.trusted
            if plan is not None and not plan.unknown_files:
                pass  # every file is there, in its full length
            elif have == every_piece(count):
                await make_empty_files(files, self.root, self.layout)
            else:
                allocation = self._shared.config.disk.allocation
                await make_room(files, self.root, self.layout, allocation, self.selected)
        except StorageError as error:
            self.fail(error)
            return
        finally:
            self._checker = None
            self.checked_pieces = 0  # unless the whole check came to its end
        self._set_have(have, plan)

    def _set_have(self, have: int, plan: CheckPlan | None = None) -> None:
        self.claims, self.plan = None, plan
        self.checks += 1
        self.checked_pieces = self.geometry.piece_count
        self.machine.checked(have)

    def fail(self, error: MillstreamError) -> None:
        """Stop in the error state; verified pieces stay verified."""
        if self.machine.state in {TorrentState.ERROR, TorrentState.STOPPED}:
            return
        self.error = error
        self.machine.set_state(TorrentState.ERROR)
        self._membership.hub.emit(events.TorrentFailed(error))

    async def start(self) -> None:
        """Go on after `stop` or an error; what was verified is not checked again."""
        if self.is_active or self.state is TorrentState.CHECKING:
            return
        # After an error, other jobs that failed may still be on their way from the disk.
        await self.stop()
        if self.checked_pieces < self.geometry.piece_count:
            self.check()
        else:
            self.machine.go_on()

    def select_files(self, indexes: Iterable[int] | None) -> None:
        """Want only these files; None wants all. Raises ConfigError."""
        count = self.geometry.piece_count
        if indexes is None:
            self.selected = None
            wanted = every_piece(count)
        else:
            selected = frozenset(indexes)
            try:
                wanted = set_of_ranges(self.layout.pieces_of(selected), count)
            except IndexError as error:
                raise ConfigError(f"select: {error}") from error
            self.selected = selected
        self.machine.set_wanted(wanted)
        self._membership.changed()
        self._membership.wake()

    def status(self) -> TorrentStatus:
        """A snapshot."""
        machine, membership = self.machine, self._membership
        now = asyncio.get_running_loop().time()
        peers = list(machine.peers.values())
        rate = sum(peer.downloaded.rate(now) for peer in peers)
        wanted = machine.download.wanted
        total = self.geometry.length_of_set(wanted)
        done = self.geometry.length_of_set(machine.download.have & wanted)
        return TorrentStatus(
            state=machine.state,
            progress=done / total if total else 1.0,
            metadata_progress=1.0,
            pieces_have=machine.download.have.bit_count(),
            piece_count=self.geometry.piece_count,
            checked_pieces=self.checked_pieces,
            bytes_done=done,
            total_length=total,
            download_rate=rate,
            upload_rate=sum(peer.uploaded.rate(now) for peer in peers),
            downloaded=membership.departed_downloaded
            + self.web_seeds.departed_downloaded
            + sum(p.downloaded.total for p in peers),
            uploaded=membership.departed_uploaded + sum(p.uploaded.total for p in peers),
            wasted=machine.download.wasted,
            peers=len(peers),
            seeds=sum(peer.is_seed for peer in peers),
            # What is left of a rate that died away promises nothing.
            eta=(total - done) / rate
            if rate >= 1 and machine.state is TorrentState.DOWNLOADING
            else None,
            error=str(self.error) if self.error else None,
        )

    # core.torrent.TorrentPort

    def write_piece(self, piece: ActivePiece) -> None:
        """Submit the verified write of a whole piece."""
        view = piece.view
        if view is None:
            raise AssertionError("a whole piece has a buffer")
        self._shared.platform.disk.submit_write(
            VerifiedWrite(
                self.metainfo.info_hash,
                piece.index,
                self.root,
                view,
                self.metainfo.digest(piece.index),
                self.layout.piece_extents(piece.index),
            )
        )

    def serve(self, peer: Peer, run: Run) -> None:
        """Read a run and send it."""
        self._reader.serve(self._membership.links[peer.id], peer, run)

    def piece_verified(self, index: int) -> None:
        """A piece is on the disk."""
        self._membership.hub.emit(events.PieceVerified(index))
        self._membership.changed()

    def piece_failed(self, index: int) -> None:
        """A piece did not match its digest."""
        self._membership.hub.emit(events.PieceFailed(index))

    def ban(self, address: PeerAddress, reason: str) -> None:
        """Never talk to this peer again, or fetch from this web seed."""
        if not self.web_seeds.ban(address, reason):
            self._membership.ban(address, reason)

    def state_changed(self, before: TorrentState, after: TorrentState) -> None:
        """Take over early peers, and tell everyone who waits."""
        self._changed.set()
        if after is not TorrentState.ERROR:
            self.error = None
        if after is TorrentState.SEEDING and before is TorrentState.DOWNLOADING:
            self._shared.platform.disk.release(self.root, self.layout.paths)
        if self.is_active:
            self._adopt_peers()
        elif after is not TorrentState.CHECKING:
            for link in list(self._membership.links.values()):
                link.close(f"torrent is {after.value}")
        if after is not TorrentState.DOWNLOADING:
            self.web_seeds.close(f"torrent is {after.value}")
        self._membership.state_changed(before, after)

    # engine.membership.Stage

    def make_peer(self, link: Link, handshake: Handshake) -> Peer:
        """The peer behind a link that is admitted."""
        return Peer(
            link.id,
            link.address,
            link,
            self.machine,
            self.geometry,
            self._shared.config.transfer,
            peer_id=handshake.peer_id,
            fast=bool(handshake.reserved & Reserved.FAST),
            incoming=link.incoming,
            now=link.last_received_at,
        )

    def peer_admitted(self, peer: AnyPeer) -> None:
        """Greet the peer with what we have."""
        if isinstance(peer, Peer):
            self.machine.add_peer(peer)

    def _adopt_peers(self) -> None:
        """Take over the peers that came before the metadata."""
        for link in list(self._membership.links.values()):
            early = link.peer
            if not isinstance(early, MetadataPeer):
                continue
            peer = early.grow(self.machine, self.geometry, self._shared.config.transfer)
            link.peer = peer
            self.machine.add_peer(peer, greeted=True)
            try:
                early.replay(peer)
            except RemoteProtocolError as error:
                link.close(str(error))
            else:
                self.machine.touched[peer.id] = peer

    def peer_gone(self, link: Link) -> None:
        """The link is closed."""
        self.machine.remove_peer(link.id)

    def touched(self, link: Link) -> None:
        """Messages came from a peer."""
        if isinstance(link.peer, Peer):
            self.machine.touched[link.id] = link.peer

    def drained(self) -> None:
        """A link can send again."""
        if self.machine.upload.waiting:
            self._membership.wake()

    def extension_handshake_received(
        self, connection: ConnectionId, handshake: ExtensionHandshake
    ) -> None:
        """A peer told how many requests it takes, and whether it wants anything."""
        peer = self.machine.peers.get(connection)
        if peer is not None:
            peer.extended(handshake)

    def upload_only_changed(self, connection: ConnectionId, *, upload_only: bool) -> None:
        """A peer wants nothing any more, or something again (BEP 21)."""
        peer = self.machine.peers.get(connection)
        if peer is not None:
            peer.upload_only = upload_only

    def dont_have_received(self, connection: ConnectionId, index: int) -> None:
        """A peer lost a piece (BEP 54)."""
        peer = self.machine.peers.get(connection)
        if peer is not None:
            peer.receive_dont_have(index)

    @property
    def is_tended(self) -> bool:
        """Whether time alone may bring something about, though it has no peers."""
        return self.web_seeds.is_tended and self.state is TorrentState.DOWNLOADING

    def web_seed_statuses(self, now: float) -> list[PeerStatus]:
        """The web seeds at work, as peers."""
        return self.web_seeds.peer_statuses(now)

    def resume(self) -> None:
        """The disk can take more again."""
        self.machine.download.is_paused = False
        self._membership.journal.released()
        self.web_seeds.release(asyncio.get_running_loop().time())

    def metadata_fetched(self, info: bytes) -> None:
        """It was known already."""

    def gather(self, results: list[DiskResult]) -> None:
        """Phase 1: the disk's results."""
        for result in results:
            job = result.job
            if result.error is not None and not isinstance(job, Hash):
                self.fail(result.error)
            if isinstance(job, VerifiedWrite):
                if result.outcome is Outcome.SUCCESS:
                    self.machine.piece_written(job.piece)
                elif result.outcome is Outcome.HASH_MISMATCH:
                    self.machine.piece_mismatched(job.piece)
                else:
                    self.machine.piece_unwritten(job.piece)
            elif isinstance(job, Hash):
                if self._checker is not None:
                    self._checker.take(result)
            else:
                self._reader.take(job, succeeded=result.outcome is Outcome.SUCCESS)
        self._changed.set()

    def process(self, now: float) -> bool:
        """Phase 2: what time brings about; whether this was a beat."""
        beat = self.machine.process(now)
        if beat and self.state is TorrentState.DOWNLOADING:
            self.web_seeds.tend(now)
        return beat

    def request(self, now: float) -> None:
        """Phase 3: top up the request queues."""
        self.machine.request(now)

    def output(self, now: float) -> None:
        """Phase 4: pieces to the disk, news and data to the peers; back-pressure to the peers."""
        self.machine.output()
        if self._shared.platform.disk.is_full:
            self.machine.download.is_paused = True
            self._membership.journal.held()
            self._membership.hold(now)
            self.web_seeds.hold()
