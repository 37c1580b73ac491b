"""What one torrent and its peers tell each other by extensions (BEP 10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from millstream.core.extension_exchange import ExtensionExchange, ExtensionSide
from millstream.core.geometry import ConnectionId
from millstream.core.host_kind import HostKind, host_kind
from millstream.engine.config import Encryption
from millstream.engine.journal import Journal
from millstream.engine.link import Link
from millstream.engine.shared import Shared
from millstream.engine.stage import Stage
from millstream.protocol.compact import PeerAddress
from millstream.protocol.extension import ExtensionHandshake
from millstream.protocol.ut_pex import PexFlag, PexPeer

if TYPE_CHECKING:
    from millstream.core.metadata_fetch import MetadataFetch


class ExtensionUser(Protocol):
    """The torrent that is told: `engine.membership`."""

    stage: Stage
    journal: Journal

    @property
    def links(self) -> Mapping[ConnectionId, Link]:
        """Its connections."""

    def peer_listens(self, link: Link, address: PeerAddress) -> None:
        """A peer that came to us said where it can be reached."""

    def peers_told(self, peers: Iterable[PexPeer]) -> None:
        """A peer told of others."""

    def wake(self) -> None:
        """There is something to do."""


class Extensions:
    """Says our part, and hands on what the peers say.

    Implements `core.extension_exchange.ExtensionPort`.

    Args:
        user: the torrent.
        shared: what all torrents share.
        fetch: fetches the metadata; None if it is known.

    Attributes:
        exchange: what is under way with each peer.
    """

    __slots__ = ("_metadata_size", "_shared", "_user", "exchange")

    def __init__(self, user: ExtensionUser, shared: Shared, fetch: MetadataFetch | None) -> None:
        self._user = user
        self._shared = shared
        self._metadata_size: int | None = None
        self.exchange = ExtensionExchange(self, fetch, pex=shared.config.swarm.pex)

    def metadata_known(self, info: bytes, *, private: bool) -> None:
        """Serve the metadata from now on."""
        self._metadata_size = len(info)
        self.exchange.metadata_known(info, private=private)
        # Those that lack the metadata may ask us from now on.
        self.tell_ours()

    def side_of(self, link: Link) -> ExtensionSide:
        """What a new peer that understands extensions says goes here."""
        return ExtensionSide(
            link.id,
            link.address,
            link,
            self.exchange,
            incoming=link.incoming,
            encrypted=link.is_encrypted,
        )

    def greet(self, link: Link, side: ExtensionSide | None) -> None:
        """Say what we understand to a new peer; one without extensions is only told of to others."""
        if side is not None:
            self.exchange.add(side, self._ours(link.address.host))
        elif not link.incoming:
            self.exchange.connected(link.id, link.address, PexFlag.OUTGOING)

    def tell_ours(self) -> None:
        """Tell everyone anew: that we want nothing any more, for one (BEP 21)."""
        if self.exchange.has_peers:
            self.exchange.tell(self._ours(None))

    def _ours(self, their_host: str | None) -> ExtensionHandshake:
        config = self._shared.config
        return ExtensionHandshake(
            messages=self.exchange.our_messages(),
            client=self._shared.client,
            request_queue=config.transfer.max_peer_requests,
            port=self._shared.listen_port(),
            your_ip=their_host if host_kind(their_host or "") > HostKind.NAME else None,
            metadata_size=self._metadata_size,
            upload_only=self._user.stage.is_complete,
            encryption=config.encryption.policy is not Encryption.DISABLE,
        )

    # core.extension_exchange.ExtensionPort

    def extension_handshake_received(
        self, connection: ConnectionId, handshake: ExtensionHandshake
    ) -> None:
        """A peer told what it understands and can take, and perhaps where it listens."""
        link = self._user.links.get(connection)
        if link is None:
            return
        if link.incoming and handshake.port:
            self._user.peer_listens(link, PeerAddress(link.address.host, handshake.port))
        self._user.stage.extension_handshake_received(connection, handshake)

    def peers_found(self, peers: list[PexPeer]) -> None:
        """A peer told of others."""
        self._user.peers_told(peers)

    def metadata_fetched(self, info: bytes) -> None:
        """The metadata is here; the stage goes on from it in its next tick."""
        self._user.journal.metadata_found(len(info))
        self._user.stage.metadata_fetched(info)
        self._user.wake()

    def upload_only_changed(self, connection: ConnectionId, *, upload_only: bool) -> None:
        """A peer wants nothing any more, or something again (BEP 21)."""
        self._user.stage.upload_only_changed(connection, upload_only=upload_only)

    def dont_have_received(self, connection: ConnectionId, index: int) -> None:
        """A peer lost a piece (BEP 54)."""
        self._user.stage.dont_have_received(connection, index)
