"""A torrent at work: the core's machine joined to links, disk and files."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from millstream.core.active_piece import ActivePiece
from millstream.core.geometry import ConnectionId, Geometry
from millstream.core.peer import Peer
from millstream.core.swarm import Swarm
from millstream.core.torrent import TorrentMachine
from millstream.core.torrent_state import TorrentState
from millstream.core.upload_queue import Run
from millstream.engine import events
from millstream.engine.checking import Checker
from millstream.engine.config import EngineConfig
from millstream.engine.link import Link
from millstream.engine.preparation import make_empty_files, make_room
from millstream.engine.tick import Tick
from millstream.engine.uploads import RunReader
from millstream.errors import MillstreamError, RemoteProtocolError, StorageError
from millstream.interfaces.disk import DiskQueue, DiskResult, Hash, Outcome, VerifiedWrite
from millstream.interfaces.filesystem import FileSystem
from millstream.protocol import messages
from millstream.protocol.bitfield import every_piece
from millstream.protocol.compact import PeerAddress
from millstream.protocol.handshake import Handshake, Reserved
from millstream.protocol.metainfo import Metainfo
from millstream.protocol.peer_id import client_name
from millstream.storage.buffers import PieceBufferPool
from millstream.storage.layout import FileLayout
from millstream.storage.read_cache import ReadCache


@dataclass(frozen=True, slots=True)
class Shared:
    """What all torrents of an engine share."""

    config: EngineConfig
    disk: DiskQueue
    files: FileSystem
    pool: PieceBufferPool
    cache: ReadCache
    tick: Tick
    rng: random.Random
    peer_id: bytes


class TorrentSession:
    """One torrent: implements the machine's port, the links' owner and the tick's torrent.

    Attributes:
        machine: the decisions.
        swarm: the peers it knows of.
        links: the connections that belong to it, by id.
        hub: where its events go.
        error: why it is in the error state.
    """

    def __init__(
        self,
        metainfo: Metainfo,
        root: str,
        shared: Shared,
        connect: Callable[[TorrentSession], None],
    ) -> None:
        self.metainfo = metainfo
        self.root = root
        self.layout = FileLayout.from_metainfo(metainfo)
        self.geometry = Geometry(metainfo.total_length, metainfo.piece_length)
        self.machine = TorrentMachine(
            self.geometry, self, shared.pool, shared.config.transfer, shared.rng
        )
        self.swarm = Swarm()
        self.links: dict[ConnectionId, Link] = {}
        self.hub = events.EventHub()
        self.error: MillstreamError | None = None
        self.checked_pieces = 0
        self.bytes_done = 0
        self.departed_downloaded = self.departed_uploaded = 0
        self._shared = shared
        self._connect = connect
        self._reader = RunReader(
            metainfo.info_hash, self.layout, root, shared.disk, shared.cache, self.machine.upload
        )
        self._checker: Checker | None = None
        self._checking: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._has_new_peers = False

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
        for link in list(self.links.values()):
            link.close("torrent is stopped")
        self.output(0.0)
        self._shared.disk.flush()
        while self.machine.download.active.at_disk_count or self._reader.reading:
            self._changed.clear()
            await self._changed.wait()
        self._shared.disk.release(self.root, self.layout.paths)

    def close(self) -> None:
        """The torrent leaves the engine: free what it holds."""
        self._shared.cache.forget(self.metainfo.info_hash)
        self._shared.disk.release(self.root, self.layout.paths)
        self.hub.end()
        self._changed.set()

    async def _end_check(self) -> None:
        checking, self._checking = self._checking, None
        if checking is not None and not checking.done():
            checking.cancel()
            await asyncio.gather(checking, return_exceptions=True)

    async def _check(self) -> None:
        def progress(checked: int) -> None:
            self.checked_pieces = checked

        files = self._shared.files
        checker = Checker(self.metainfo, self.layout, self.root, self._shared.disk, progress)
        self._checker = checker
        try:
            have = await checker.run(files)
            if have == every_piece(self.geometry.piece_count):
                await make_empty_files(files, self.root, self.layout)
            else:
                await make_room(files, self.root, self.layout, self._shared.config.disk.allocation)
        except StorageError as error:
            self.fail(error)
            return
        finally:
            self._checker = None
            self.checked_pieces = 0  # unless the whole check came to its end
        self._set_have(have)

    def _set_have(self, have: int) -> None:
        count = self.geometry.piece_count
        self.checked_pieces = count
        self.bytes_done = have.bit_count() * self.geometry.piece_length
        if have & 1:  # the last piece, which may be short
            self.bytes_done -= self.geometry.piece_length - self.geometry.length_of(count - 1)
        self.machine.checked(have)

    def fail(self, error: MillstreamError) -> None:
        """Stop in the error state; verified pieces stay verified."""
        if self.machine.state in {TorrentState.ERROR, TorrentState.STOPPED}:
            return
        self.error = error
        self.machine.set_state(TorrentState.ERROR)
        self.hub.emit(events.TorrentFailed(error))

    # core.torrent.TorrentPort

    def write_piece(self, piece: ActivePiece) -> None:
        """Submit the verified write of a whole piece."""
        view = piece.view
        if view is None:
            raise AssertionError("a whole piece has a buffer")
        self._shared.disk.submit_write(
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
        self._reader.serve(self.links[peer.id], peer, run)

    def piece_verified(self, index: int) -> None:
        """A piece is on the disk."""
        self.bytes_done += self.geometry.length_of(index)
        self.hub.emit(events.PieceVerified(index))

    def piece_failed(self, index: int) -> None:
        """A piece did not match its digest."""
        self.hub.emit(events.PieceFailed(index))

    def ban(self, address: PeerAddress, reason: str) -> None:
        """Never talk to this peer again, nor let its host come to us from another port."""
        if self.swarm.is_banned(address, incoming=False):
            return  # several of its pieces failed
        links = [link for link in self.links.values() if link.address == address]
        self.swarm.ban(address, incoming=True)
        self.hub.emit(events.PeerBanned(address, reason))
        for link in links:
            link.close(reason)

    def state_changed(self, before: TorrentState, after: TorrentState) -> None:
        """Tell everyone who waits."""
        self._changed.set()
        if after is not TorrentState.ERROR:
            self.error = None
        self.hub.emit(events.StateChanged(before, after))
        if after is TorrentState.SEEDING and before is TorrentState.DOWNLOADING:
            self._shared.disk.release(self.root, self.layout.paths)
            self.hub.emit(events.TorrentCompleted())
        self._shared.tick.wake(self)

    # engine.link.LinkOwner

    def our_handshake(self) -> bytes:
        """What we open with; the reserved bits say what is implemented."""
        ours = Handshake(self.metainfo.info_hash, self._shared.peer_id, Reserved.FAST)
        return ours.encode()

    def greeted(self, link: Link, handshake: Handshake) -> Peer:
        """Admit a peer. Raises RemoteProtocolError if it is not wanted."""
        if handshake.info_hash != self.metainfo.info_hash:
            raise RemoteProtocolError("handshake for another torrent")
        if self.swarm.is_banned(link.address, incoming=link.incoming):
            raise RemoteProtocolError("peer is banned")
        if handshake.peer_id == self._shared.peer_id:
            self.swarm.ban(link.address, incoming=False)
            raise RemoteProtocolError("connected to ourselves")
        if not self.machine.is_active:
            raise RemoteProtocolError(f"torrent is {self.machine.state.value}")
        self._refuse_twin(link, handshake.peer_id)
        peer = Peer(
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
        self.links[link.id] = link
        self.machine.add_peer(peer)
        self.hub.emit(events.PeerConnected(link.address, client_name(handshake.peer_id)))
        return peer

    def _refuse_twin(self, link: Link, peer_id: bytes) -> None:
        """Keep one connection to each peer."""
        # If both sides connected at once, both must close the same one, or none is left: the side
        # with the greater id is the one that may connect, as in libtorrent.
        twins = [peer for peer in self.machine.peers.values() if peer.peer_id == peer_id]
        for twin in twins:
            same_way = twin.incoming == link.incoming or twin.address.host != link.address.host
            if same_way or link.incoming != (peer_id > self._shared.peer_id):
                raise RemoteProtocolError("connected to this peer already")
            twin.link.close("connected to this peer twice")

    def touched(self, link: Link) -> None:
        """Messages came from a peer."""
        if link.peer is not None and not link.is_closed:
            self.machine.touched[link.id] = link.peer
        self._shared.tick.wake(self)

    def drained(self) -> None:
        """A link can send again."""
        if self.machine.upload.waiting:
            self._shared.tick.wake(self)

    def lost(self, link: Link, reason: str) -> None:
        """A link is gone."""
        peer = link.peer
        if self.links.pop(link.id, None) is not None and peer is not None:
            self.machine.remove_peer(link.id)
            self.departed_downloaded += peer.downloaded.total
            self.departed_uploaded += peer.uploaded.total
            self.hub.emit(events.PeerDisconnected(link.address, reason))
        if not link.incoming:
            useful = peer is not None and bool(peer.downloaded.total or peer.uploaded.total)
            now = asyncio.get_running_loop().time()
            is_seed = peer is not None and peer.is_seed
            self.swarm.lost(link.address, now, useful=useful, is_seed=is_seed)
        self._shared.tick.wake(self)

    # engine.tick.Ticking

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

    def process(self, now: float) -> None:
        """Phase 2: what time brings about."""
        beat = self.machine.process(now)
        if (beat or self._has_new_peers) and self.machine.is_active:
            self._has_new_peers = False
            self._tend_links(now)
            self._connect(self)

    def request(self, now: float) -> None:
        """Phase 3: top up the request queues."""
        self.machine.request(now)

    def output(self, now: float) -> None:
        """Phase 4: pieces to the disk, news and data to the peers; back-pressure to the peers."""
        self.machine.output()
        if self._shared.disk.is_full:
            for link in self.links.values():
                link.connection.pause_reading()

    def resume(self) -> None:
        """The disk can take more again."""
        for link in self.links.values():
            link.connection.resume_reading()
        self._shared.tick.wake(self)

    def _tend_links(self, now: float) -> None:
        """Keep quiet connections alive, and drop those that died."""
        network = self._shared.config.network
        for link in list(self.links.values()):
            if now - link.last_received_at > network.peer_timeout:
                link.close(f"silent for {network.peer_timeout:g} seconds")
            elif now - link.last_sent_at > network.keep_alive_interval:
                link.send(messages.KEEP_ALIVE)

    # For the public face.

    def add_peers(self, addresses: Iterable[PeerAddress]) -> None:
        """Learn of peers."""
        for address in addresses:
            self._has_new_peers |= self.swarm.add(address)
        self._shared.tick.wake(self)
