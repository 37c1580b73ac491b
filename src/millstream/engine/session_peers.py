"""The peers of a torrent with pieces, as its membership hands them over."""

from __future__ import annotations

from millstream.core.geometry import ConnectionId, Geometry
from millstream.core.metadata_peer import MetadataPeer
from millstream.core.peer import Peer
from millstream.core.torrent import TorrentMachine
from millstream.engine.link import Link
from millstream.engine.membership import Membership
from millstream.engine.shared import Shared
from millstream.engine.stage import AnyPeer
from millstream.errors import RemoteProtocolError
from millstream.protocol.extension import ExtensionHandshake
from millstream.protocol.handshake import Handshake, Reserved


class SessionPeers:
    """The part of `engine.stage.Stage` that is about peers: it gives them to the machine.

    Attributes:
        machine: the decisions.
        geometry: lengths.
    """

    __slots__ = ()
    machine: TorrentMachine
    geometry: Geometry
    _membership: Membership
    _shared: Shared

    def make_peer(self, link: Link, handshake: Handshake) -> Peer:
        """The peer behind a link that is admitted."""
        return Peer(
            link.id,
            link.address,
            link,
            self.machine.transfer,
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

    def adopt_peers(self) -> None:
        """Take over the peers that came before the metadata."""
        for link in list(self._membership.links.values()):
            early = link.peer
            if not isinstance(early, MetadataPeer):
                continue
            peer = early.grow(self.machine.transfer, self.geometry, self._shared.config.transfer)
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
        if self.machine.transfer.upload.waiting:
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
