"""Our place in one swarm: who is known, who is connected, and what is said before any piece.

A membership lasts as long as its torrent is in the engine. What the torrent is at the moment is its
*stage*: a magnet that fetches its metadata (`engine.magnet`), then a torrent with pieces
(`engine.session`). Connections, known peers, announces and extensions stay through the change.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from millstream.core.geometry import ConnectionId
from millstream.core.metadata_peer import MetadataPeer
from millstream.core.partial_piece import PartialPiece
from millstream.core.peer import Peer
from millstream.core.swarm import PeerSource
from millstream.core.torrent_state import TorrentState
from millstream.engine import events
from millstream.engine.announcing import UNANNOUNCED, Announcing, Unannounced
from millstream.engine.company import Company
from millstream.engine.connector import Connector
from millstream.engine.link import Link
from millstream.engine.liveness import tend_links
from millstream.engine.reading import Hold
from millstream.engine.shared import Shared
from millstream.engine.stage import AnyPeer
from millstream.engine.status import PeerStatus, peer_status
from millstream.errors import (
    EngineClosedError,
    InternalError,
    MillstreamError,
    RemoteProtocolError,
    TorrentRemovedError,
)
from millstream.interfaces.disk import DiskResult
from millstream.protocol import messages
from millstream.protocol.compact import PeerAddress
from millstream.protocol.handshake import Handshake, Reserved
from millstream.protocol.magnet import Magnet
from millstream.protocol.metainfo import Metainfo
from millstream.protocol.peer_id import client_name
from millstream.protocol.ut_pex import PexFlag, PexPeer
from millstream.storage.roots import StorageRoot, StorageRootManager

if TYPE_CHECKING:
    from millstream.core.metadata_fetch import MetadataFetch

# A download with fewer peers, and nobody left to try, asks its trackers before they expect it.
FEW_PEERS = 10
# A torrent without peers, for which the engine had no connection left, looks again after so long.
FULL_LOOK = 300.0


class Membership(Company):
    """One torrent among its peers: owner of its links.

    Implements `engine.link.LinkOwner`, `engine.tick.Ticking`, `engine.extensions.ExtensionUser` and
    `engine.announcing.AnnouncedTorrent`.

    Args:
        source: the torrent, or what is known of it from the start.
        tiers: its trackers (BEP 12).
        root: what its files are or will be under.
        shared: what all torrents share.
        connector: tries due peers, within the limits.
        allow_local: whether its trackers and web seeds may be at addresses that are not global.
        fetch: fetches the metadata; None if it is known.

    Attributes:
        connector: tries due peers, within the limits.
        announcing: tells its trackers, if it has any.
    """

    __slots__ = (
        *("_farewell", "_has_new_peers", "_is_held", "_listen_addresses", "_root", "_source"),
        *("allow_local", "announcing", "connector", "departed_downloaded"),
        "departed_uploaded",
    )

    def __init__(
        self,
        source: Metainfo | Magnet,
        tiers: Sequence[Sequence[str]],
        root: StorageRoot,
        shared: Shared,
        connector: Connector[Membership],
        *,
        allow_local: bool = False,
        fetch: MetadataFetch | None = None,
    ) -> None:
        self._root = shared.roots.assign(source.info_hash, root.token)
        super().__init__(source.info_hash, shared, fetch)
        self._source = source
        self.connector = connector
        self.allow_local = allow_local
        self.announcing: Announcing | Unannounced = (
            Announcing(self, tiers, shared.trackers, allow_local=allow_local)
            if any(tiers)
            else UNANNOUNCED
        )
        self.departed_downloaded = self.departed_uploaded = 0
        self._has_new_peers = self._is_held = False
        self._farewell: asyncio.Task[None] | None = None
        self._listen_addresses: dict[ConnectionId, PeerAddress] = {}

    @property
    def magnet(self) -> Magnet:
        """A link to it."""
        return self._source if isinstance(self._source, Magnet) else Magnet.of(self._source)

    @property
    def roots(self) -> StorageRootManager:
        """Where torrents may be."""
        return self._shared.roots

    @property
    def root(self) -> StorageRoot:
        """What its files are or will be under; once it left the engine, what they were under."""
        self._root = self._shared.roots.root_of(self.info_hash) or self._root
        return self._root

    def keep_pieces(self, pieces: list[PartialPiece]) -> None:
        """What came of unfinished pieces in the last run."""
        self._shared.kept_pieces.keep(self.info_hash, pieces)

    @property
    def kept_pieces(self) -> list[PartialPiece]:
        """What came of unfinished pieces, while it is stopped."""
        return self._shared.kept_pieces.of(self.info_hash)

    @property
    def name(self) -> str:
        """What it is called before its metadata is known."""
        return self._source.name or str(self.info_hash)

    @property
    def departure(self) -> EngineClosedError:
        """What those are told who want something of it while it leaves the engine, or later."""
        if self.is_removed:
            return TorrentRemovedError(f"{self.name!r} left the engine: it was removed")
        return EngineClosedError(f"{self.name!r} left the engine, which was closed")

    @property
    def is_active(self) -> bool:
        """Whether it may have peers."""
        return self.stage.is_active

    @property
    def wants_seeds(self) -> bool:
        """Whether peers that have everything are of any use."""
        return not self.stage.is_complete

    def wake(self) -> None:
        """There is something to do: tick soon."""
        self._shared.tick.wake(self)

    def state_changed(self, before: TorrentState, after: TorrentState) -> None:
        """Tell everyone who waits, and the trackers."""
        if after is TorrentState.SEEDING and self.completed_at is None:
            self.completed_at = self._shared.platform.clock.wall_time()
        self.activity.state_changed(after, asyncio.get_running_loop().time())
        self.queue.changed()
        self.tell(events.StateChanged(before, after))
        if after is TorrentState.SEEDING and before is TorrentState.DOWNLOADING:
            self.stage.when_at_rest(lambda: self.tell(events.TorrentCompleted()))
            # Not for a part of the files: trackers count copies of the whole.
            if not self.stage.bytes_left:
                self.announcing.completed()
        if self.stage.is_active:
            self.announcing.start()
            if self._extensions is not None:
                self._extensions.tell_ours()
        elif after is TorrentState.ERROR or (
            after is TorrentState.QUEUED and self.announcing.is_running
        ):
            self._farewell = asyncio.get_running_loop().create_task(self.announcing.stop())
        self.changed()
        self.wake()

    async def stop(self) -> None:
        """Come to rest, and tell it to the trackers."""
        await asyncio.gather(self.rest(), self.announcing.stop())

    async def rest(self, after: TorrentState = TorrentState.STOPPED) -> None:
        """Connect to nobody, disconnect everybody, finish what is at the disk."""
        self.connector.cancel(self)
        await self.stage.stop(after)

    # engine.queue.QueueMember

    async def wait_turn(self) -> None:
        """Be queued, if it is active, and come to rest; the trackers hear of it meanwhile."""
        await self.rest(TorrentState.QUEUED)

    def payload_rates(self, now: float) -> tuple[float, float]:
        """Bytes a second, down and up."""
        if not self.links and not self.stage.is_tended:
            return 0.0, 0.0
        status = self.stage.status()
        return status.download_rate, status.upload_rate

    def close(self) -> None:
        """The torrent leaves the engine."""
        self.stage.close()
        self.connector.set_limit(self, None)
        self.part()

    def discard(self) -> None:
        """It does not come to be in the engine."""
        self.part()
        self.roots.unassign(self.info_hash)

    # engine.announcing.AnnouncedTorrent

    @property
    def progress_told(self) -> tuple[int, int, int]:
        """Bytes uploaded and downloaded so far, and bytes left."""
        return *self.stage.transferred, self.stage.bytes_left

    def tracker_named(self, peers: Sequence[PeerAddress]) -> None:
        """A tracker named peers."""
        self.add_peers(peers, PeerSource.TRACKER)

    def external_ip_told(self, host: str) -> None:
        """A tracker said what our address is."""
        self.swarm.set_our_address(PeerAddress(host, self._shared.listen_port() or 0))

    # Who is here.

    def peers(self) -> list[PeerStatus]:
        """The connected peers."""
        now = asyncio.get_running_loop().time()
        return [
            peer_status(link.peer, self._told_by(link), link.encryption, now)
            for link in self.links.values()
            if isinstance(link.peer, Peer | MetadataPeer)
        ] + self.stage.web_seed_statuses(now)

    def _told_by(self, link: Link) -> str:
        """Who told of a peer, as people say it."""
        source = self.swarm.source(self._listen_addresses.get(link.id, link.address))
        names = [kind.name.lower() for kind in PeerSource if kind in source and kind.name]
        return names[0] if names else "incoming"

    # Known peers.

    def add_peers(self, addresses: Iterable[PeerAddress], source: PeerSource) -> None:
        """Learn of peers."""
        for address in addresses:
            self._has_new_peers |= self.swarm.add(address, source)
        if self._has_new_peers:
            self.wake()

    def ban(self, address: PeerAddress, reason: str) -> None:
        """Never talk to this peer again, nor let its host come to us from another port."""
        if self.swarm.is_banned(address, incoming=False):
            return  # several of its pieces failed
        links = [link for link in self.links.values() if link.address == address]
        self.swarm.ban(address, incoming=True)
        self.tell(events.PeerBanned(address, reason))
        for link in links:
            if (listens := self._listen_addresses.get(link.id)) is not None:
                self.swarm.ban(listens, incoming=False)
            link.close(reason)

    def woke_up(self) -> None:
        """The machine slept: who is still there, and who else is?"""
        self.announcing.reannounce()
        for link in list(self.links.values()):
            link.send(messages.KEEP_ALIVE)

    def limit_connections(self, most: int | None) -> None:
        """Make no more connections than this; None: as `SwarmConfig` says."""
        self.max_connections = most
        self.connector.set_limit(self, most)

    # Who goes when there are as many as there may be: engine.connector.Seeker

    def make_room(self, newcomer: PeerAddress | None) -> bool:
        """Close the connection of a peer that is worth less than a newcomer, if there is one."""
        return self.admission.make_room(newcomer, self.stage)

    # engine.link.LinkOwner

    def our_handshake(self) -> bytes:
        """What we open with; the reserved bits say what is implemented."""
        reserved = Reserved.FAST | Reserved.EXTENSION
        return Handshake(self.info_hash, self._shared.peer_id, reserved).encode()

    def greeted(self, link: Link, handshake: Handshake) -> AnyPeer:
        """Admit a peer. Raises RemoteProtocolError if it is not wanted."""
        self.admission.check(link, handshake, self.stage)
        if link.incoming and not self.connector.may_join(self, link.address):
            raise RemoteProtocolError("the torrent has too many connections")
        link.peer_id = handshake.peer_id
        peer = self.stage.make_peer(link, handshake)
        self.links[link.id] = link
        self.limits.add(link)
        if not link.incoming:
            self.swarm.connected(link.address, peer.now)
        speaks_extensions = bool(handshake.reserved & Reserved.EXTENSION)
        side = self.extensions.side_of(link) if speaks_extensions else None
        if side is not None:
            peer.extensions = side
        # The pieces come first: BEP 3 and BEP 6 want them before all else.
        self.stage.peer_admitted(peer)
        self.extensions.greet(link, side)
        self.tell(events.PeerConnected(link.address, client_name(handshake.peer_id)))
        return peer

    def peers_told(self, peers: Iterable[PexPeer]) -> None:
        """A peer told of others."""
        for peer in peers:
            self._has_new_peers |= self.swarm.add(
                peer.address,
                PeerSource.PEX,
                is_seed=PexFlag.SEED in peer.flags,
                supports_encryption=PexFlag.ENCRYPTION in peer.flags,
            )

    def peer_listens(self, link: Link, address: PeerAddress) -> None:
        """A peer that came to us can be reached there: it is not to be tried while it is here."""
        if link.id not in self._listen_addresses:
            self._listen_addresses[link.id] = address
            self.swarm.connected(address, link.last_received_at, incoming=True)

    def touched(self, link: Link) -> None:
        """Messages came from a peer."""
        if link.peer is not None and not link.is_closed:
            self.stage.touched(link)
        self.wake()

    def drained(self) -> None:
        """A link can send again."""
        if self._extensions is not None:
            self._extensions.exchange.drained(asyncio.get_running_loop().time())
        self.stage.drained()

    def lost(self, link: Link, reason: str) -> None:
        """A link is gone."""
        peer = link.peer
        now = asyncio.get_running_loop().time()
        useful = is_seed = False
        if self.links.pop(link.id, None) is not None:
            self.limits.remove(link)
            self.extensions.exchange.remove(link.id, now)
            self.stage.peer_gone(link)
            if isinstance(peer, Peer):
                self.departed_downloaded += peer.downloaded.total
                self.departed_uploaded += peer.uploaded.total
                useful = bool(peer.downloaded.total or peer.uploaded.total)
                is_seed = peer.is_seed
                if useful:
                    self.changed()  # or nobody would save the totals: they are, while it has peers
            self.tell(events.PeerDisconnected(link.address, reason))
        else:
            self.journal.peer_refused(link.address, reason)
        listens = self._listen_addresses.pop(link.id, None if link.incoming else link.address)
        if listens is not None:
            if link.refused_encryption:
                self.swarm.plaintext_next(listens)
            self.swarm.lost(listens, now, useful=useful, is_seed=is_seed)
            self._has_new_peers = True
        self.wake()

    # engine.tick.Ticking

    def gather(self, results: list[DiskResult]) -> None:
        """Phase 1: the disk's results."""
        self.stage.gather(results)

    def process(self, now: float) -> None:
        """Phase 2: what time brings about."""
        beat = self.stage.process(now)
        if beat or self._has_new_peers:
            # A magnet has peers while its files are checked, too.
            tend_links(self.links.values(), self._shared.config.network, now)
            if self._extensions is not None:
                self._extensions.exchange.tick(now)
        if (beat or self._has_new_peers) and self.stage.is_active:
            self._has_new_peers = False
            if self._swarm is not None:
                self.admission.turn_over(self.connector, self, self.stage, now)
                self.connector.connect_due(self)
            self._want_peers()

    def _want_peers(self) -> None:
        """Trackers are asked early where peers are few, and for none where there is no room."""
        if self.announcing is UNANNOUNCED:
            return
        is_full = self.connector.limit(self) <= len(self.links)
        self.announcing.note_room(has_room=not is_full)
        is_short = self.wants_seeds and len(self.links) < FEW_PEERS
        has_candidates = self._swarm is not None and self._swarm.has_candidates()
        if is_short and not is_full and not has_candidates:
            self.announcing.seek_peers()

    def request(self, now: float) -> None:
        """Phase 3: top up the request queues."""
        self.stage.request(now)

    def output(self, now: float) -> None:
        """Phase 4: pieces to the disk, news and data to the peers."""
        self.stage.output(now)

    def broke(self, error: Exception) -> None:
        """Something raised what it should not have: stop in the error state, and say so."""
        if not isinstance(error, MillstreamError):
            self.journal.broke(error)
            error = InternalError(f"an error within Millstream: {error!r}")
        self.stage.fail(error)

    def hold(self, now: float) -> None:
        """The disk took all it can: read no more from the peers."""
        self._is_held = True
        for link in self.links.values():
            link.reading.hold(Hold.DISK)

    def resume(self) -> None:
        """The disk can take more again."""
        if not self._is_held:
            return
        self._is_held = False
        now = asyncio.get_running_loop().time()
        for link in self.links.values():
            link.reading.release(Hold.DISK, now)
        self.stage.resume()
        self.wake()

    def rests_until(self, now: float) -> float:
        """When time alone will bring something about: now or before, later, or never (infinity)."""
        if self.links or self.stage.is_tended:
            return now
        if not self.is_active:
            return math.inf
        due = math.inf
        if self._swarm is not None and not self.connector.is_waiting(self):
            due = self._swarm.next_due(seeds=self.wants_seeds)
        # Whether trackers shall name peers is not seen by anything that wakes us.
        return due if self.announcing.wants_peers else min(due, now + FULL_LOOK)
