"""The extension protocol of one torrent (BEP 10): metadata and peers, told and heard.

An `ExtensionSide` stands for what one peer understands; the `ExtensionExchange` holds what they have
in common: our own handshake, the metadata being fetched or served (BEP 9), and peer exchange
(BEP 11). It works the same before and after the metadata is known.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from millstream.core.geometry import ConnectionId
from millstream.core.metadata_serve import MetadataServe
from millstream.core.peer import PeerLink
from millstream.core.pex import PexExchange
from millstream.protocol import extension, lt_donthave, ut_metadata, ut_pex
from millstream.protocol.compact import PeerAddress
from millstream.protocol.extension import OUR_IDS, ExtensionHandshake
from millstream.protocol.ut_metadata import MetadataData, MetadataRequest
from millstream.protocol.ut_pex import PexFlag, PexPeer

if TYPE_CHECKING:
    from millstream.core.metadata_fetch import MetadataFetch

HANDSHAKE_ID = 0


class ExtensionPort(Protocol):
    """What the torrent does with what its peers tell by extensions."""

    def extension_handshake_received(
        self, connection: ConnectionId, handshake: ExtensionHandshake
    ) -> None:
        """A peer told what it understands and can take; it may do so again."""

    def peers_found(self, peers: list[PexPeer]) -> None:
        """A peer told of others."""

    def metadata_fetched(self, info: bytes) -> None:
        """The info dictionary is here and matches the infohash."""

    def upload_only_changed(self, connection: ConnectionId, *, upload_only: bool) -> None:
        """A peer wants nothing any more, or something again (BEP 21)."""

    def dont_have_received(self, connection: ConnectionId, index: int) -> None:
        """A peer lost a piece (BEP 54)."""


class ExtensionSide:
    """What one peer understands.

    Attributes:
        connection: whose it is.
        address: where the peer is connected from.
        incoming: whether it came to us.
        link: the way out to it.
        listen_address: where others reach it, if that is known.
        handshake: what it told last; None before.
    """

    __slots__ = (
        "_exchange",
        "_ids",
        "address",
        "connection",
        "encrypted",
        "handshake",
        "incoming",
        "link",
        "listen_address",
    )

    def __init__(
        self,
        connection: ConnectionId,
        address: PeerAddress,
        link: PeerLink,
        exchange: ExtensionExchange,
        *,
        incoming: bool,
        encrypted: bool = False,
    ) -> None:
        self.connection = connection
        self.address = address
        self.incoming = incoming
        self.encrypted = encrypted
        self.link = link
        self.listen_address = None if incoming else address
        self.handshake: ExtensionHandshake | None = None
        self._exchange = exchange
        self._ids: dict[str, int] = {}

    def supports(self, name: str) -> bool:
        """Whether it takes messages of this extension."""
        return bool(self._ids.get(name))

    def send(self, name: str, *payloads: bytes) -> None:
        """Send messages of an extension that it supports; else nothing."""
        identity = self._ids.get(name)
        if identity:
            self.link.send(b"".join(extension.extended(identity, each) for each in payloads))

    def receive(self, identity: int, payload: memoryview, now: float) -> None:
        """Take an extended message. Raises RemoteProtocolError: drop the peer."""
        if not self._exchange.has(self):
            return  # it was dropped for what it said before, by the same bytes
        if identity == HANDSHAKE_ID:
            handshake = ExtensionHandshake.parse(payload)
            # A later handshake adds to the earlier ones (BEP 10).
            self.handshake = handshake.after(self.handshake)
            self._ids = dict(self.handshake.messages)
            port = self.handshake.port
            if self.incoming and port:
                self.listen_address = PeerAddress(self.address.host, port)
            self._exchange.handshake_received(self, self.handshake, now)
        elif identity == OUR_IDS["ut_metadata"]:
            self._exchange.metadata_received(self, payload, now)
        elif identity == OUR_IDS["ut_pex"]:
            self._exchange.pex_received(self, payload, now)
        elif identity == OUR_IDS["upload_only"]:
            upload_only = extension.parse_upload_only(payload)
            self.handshake = replace(
                self.handshake or ExtensionHandshake(), upload_only=upload_only
            )
            self._exchange.port.upload_only_changed(self.connection, upload_only=upload_only)
        elif identity == OUR_IDS["lt_donthave"]:
            index = lt_donthave.parse(payload)
            self._exchange.port.dont_have_received(self.connection, index)
        # Anything else was never offered; there is nothing to be done about it.

    @property
    def pex_flags(self) -> PexFlag:
        """What others are told about it."""
        flags = PexFlag(0)
        if not self.incoming:
            flags |= PexFlag.OUTGOING
        if self.encrypted or (self.handshake is not None and self.handshake.encryption):
            flags |= PexFlag.ENCRYPTION
        if self.handshake is not None and self.handshake.upload_only:
            flags |= PexFlag.SEED
        return flags


class ExtensionExchange:
    """What the peers of one torrent exchange by extensions.

    Args:
        port: who is told.
        fetch: fetches the metadata; None if it is known.
        pex: whether peers are exchanged; not for a private torrent (BEP 27).
    """

    __slots__ = (
        *("_info", "_pex", "_serve", "_sides", "_takes_peers", "_withdrawn", "fetch", "port"),
    )

    def __init__(self, port: ExtensionPort, fetch: MetadataFetch | None, *, pex: bool) -> None:
        self.port = port
        self.fetch = fetch
        self._takes_peers = pex
        self._info: bytes | None = None
        # Made when there is somebody to talk to: most torrents of many have no peers.
        self._pex: PexExchange | None = None
        self._serve: MetadataServe | None = None
        self._sides: dict[ConnectionId, ExtensionSide] = {}
        self._withdrawn = False

    @property
    def pex(self) -> PexExchange | None:
        """Exchanges peers, if that is allowed."""
        if self._pex is None and self._takes_peers:
            self._pex = PexExchange()
        return self._pex

    @property
    def serve(self) -> MetadataServe:
        """Answers requests for the metadata."""
        if self._serve is None:
            self._serve = MetadataServe(self._info)
        return self._serve

    def metadata_known(self, info: bytes, *, private: bool) -> None:
        """Serve the metadata from now on, and never speak of a private torrent's peers."""
        self.fetch = None
        self._info, self._serve = info, None
        if private and self._takes_peers:
            self._pex, self._takes_peers = None, False
            # Who was told that we take peers is told that we do not.
            self._withdrawn = bool(self._sides)

    @property
    def has_peers(self) -> bool:
        """Whether anyone here speaks the extension protocol."""
        return bool(self._sides)

    # Peers.

    def has(self, side: ExtensionSide) -> bool:
        """Whether the peer is connected still."""
        return self._sides.get(side.connection) is side

    def add(self, side: ExtensionSide, ours: ExtensionHandshake) -> None:
        """A peer that speaks the extension protocol came: greet it."""
        self._sides[side.connection] = side
        side.link.send(extension.extended(HANDSHAKE_ID, ours.encode()))

    def connected(self, connection: ConnectionId, address: PeerAddress, flags: PexFlag) -> None:
        """A peer that can be reached at an address is connected: others may hear of it."""
        if self.pex is not None:
            self.pex.connected(connection, address, flags)

    def remove(self, connection: ConnectionId, now: float) -> None:
        """The connection is closed."""
        if self._pex is not None:
            self._pex.remove_peer(connection)
        if self._sides.pop(connection, None) is None:
            return
        if self._serve is not None:
            self._serve.remove_peer(connection)
        if self.fetch is not None:
            self.fetch.remove_peer(connection)
            self._request_metadata(now)

    def tick(self, now: float) -> None:
        """What is due by time: metadata that did not come, and news of peers."""
        self.drained(now)
        if self.fetch is not None:
            self._request_metadata(now)
        if self._pex is not None:
            for connection, message in self._pex.due(now):
                self._sides[connection].send("ut_pex", ut_pex.encode(message))

    def drained(self, now: float) -> None:
        """Links that could not send can send again: answer requests for metadata that wait."""
        if self._serve is None:
            return
        for connection in self._serve.waiting():
            side = self._sides[connection]
            while answer := self._serve.resume(connection, now, side.link.unsent_bytes):
                side.send("ut_metadata", ut_metadata.encode(answer))

    def our_messages(self) -> dict[str, int]:
        """The extensions that we take, with their ids; a private torrent takes no peers."""
        if self._takes_peers:
            return dict(OUR_IDS)
        return {name: identity for name, identity in OUR_IDS.items() if name != "ut_pex"}

    def tell(self, ours: ExtensionHandshake) -> None:
        """Tell everyone by another handshake what has changed with us."""
        if self._withdrawn:
            ours = replace(ours, messages={**ours.messages, "ut_pex": 0})
        message = extension.extended(HANDSHAKE_ID, ours.encode())
        for side in self._sides.values():
            side.link.send(message)

    # What a side heard.

    def handshake_received(
        self, side: ExtensionSide, handshake: ExtensionHandshake, now: float
    ) -> None:
        """A peer's extension handshake."""
        if self.pex is not None:
            if side.supports("ut_pex"):
                self.pex.add_peer(side.connection, now, side.listen_address or side.address)
            if side.listen_address is not None:
                self.pex.connected(side.connection, side.listen_address, side.pex_flags)
        self.port.extension_handshake_received(side.connection, handshake)
        size = handshake.metadata_size
        if self.fetch is not None and size and side.supports("ut_metadata"):
            self.fetch.add_peer(side.connection, size)
            self._drop_culprits()
            self._request_metadata(now)

    def metadata_received(self, side: ExtensionSide, payload: memoryview, now: float) -> None:
        """A peer's ut_metadata message (BEP 9)."""
        message = ut_metadata.parse(payload)
        if isinstance(message, MetadataRequest):
            answer = self.serve.respond(side.connection, message, now, side.link.unsent_bytes)
            if answer is not None:
                side.send("ut_metadata", ut_metadata.encode(answer))
        elif self.fetch is None or message is None:
            return
        elif isinstance(message, MetadataData):
            self.fetch.data_received(side.connection, message, now)
            self._drop_culprits()
            self._request_metadata(now)
        else:
            self.fetch.rejected(side.connection, message.piece, now)
            self._request_metadata(now)

    def pex_received(self, side: ExtensionSide, payload: memoryview, now: float) -> None:
        """A peer's ut_pex message (BEP 11); of a private torrent's peers nothing is believed."""
        if self.pex is None:
            return
        found = self.pex.received(side.connection, ut_pex.parse(payload), now)
        if found:
            self.port.peers_found(found)

    def _request_metadata(self, now: float) -> None:
        fetch = self.fetch
        if fetch is None:
            return
        if fetch.metadata is not None:
            self.fetch = None
            self.port.metadata_fetched(fetch.metadata)
            return
        for connection, piece in fetch.requests(now):
            side = self._sides.get(connection)
            if side is not None:
                side.send("ut_metadata", ut_metadata.encode(MetadataRequest(piece)))

    def _drop_culprits(self) -> None:
        if self.fetch is None:
            return
        for connection, reason in self.fetch.culprits().items():
            side = self._sides.get(connection)
            if side is not None:
                side.link.close(reason)
