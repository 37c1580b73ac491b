"""A connection from its first byte to its last: handshake, then a core peer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from millstream.core.geometry import ConnectionId
from millstream.core.peer import Peer
from millstream.errors import RemoteProtocolError
from millstream.interfaces.network import Buffer, Connection
from millstream.protocol.handshake import Handshake, HandshakeDecoder
from millstream.protocol.infohash import InfoHash


class LinkOwner(Protocol):
    """The torrent session that a link belongs to once the torrent is known."""

    def our_handshake(self) -> bytes:
        """What we open with."""

    def greeted(self, link: Link, handshake: Handshake) -> Peer:
        """The handshake is done. Raises RemoteProtocolError if the peer is not wanted."""

    def touched(self, link: Link) -> None:
        """Messages came."""

    def drained(self) -> None:
        """A link that could not send can send again."""

    def lost(self, link: Link, reason: str) -> None:
        """The link is gone."""


class Link:
    """One connection: an `interfaces.network.ConnectionHandler` and a `core.peer.PeerLink`.

    Args:
        identity: the connection's id, never used twice.
        connection: the stream.
        owner: the torrent's session, or None for an incoming connection until its handshake says
            which torrent it is for.
        find_owner: finds the session of an incoming connection; raises RemoteProtocolError.
        closed: called once, when the link is gone.
    """

    def __init__(
        self,
        identity: ConnectionId,
        connection: Connection,
        owner: LinkOwner | None,
        find_owner: Callable[[InfoHash], LinkOwner],
        closed: Callable[[Link], None],
    ) -> None:
        self.id = identity
        self.connection = connection
        self.address = connection.remote
        self.incoming = owner is None
        self.peer: Peer | None = None
        self.is_closed = False
        self.deadline: asyncio.TimerHandle | None = None
        self._owner = owner
        self._find_owner = find_owner
        self._closed = closed
        self._decoder = HandshakeDecoder()
        self._loop = asyncio.get_running_loop()
        self.last_received_at = self.last_sent_at = self._loop.time()
        if owner is not None:
            self.send(owner.our_handshake())

    # core.peer.PeerLink

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the network has not taken yet."""
        return self.connection.unsent_bytes

    def send(self, data: bytes) -> None:
        """Send messages."""
        self.last_sent_at = self._loop.time()
        self.connection.write(data)

    def send_many(self, buffers: Sequence[Buffer], sent: Callable[[], None]) -> None:
        """Send by one vectored write; see `interfaces.network.Connection.write_many`."""
        self.last_sent_at = self._loop.time()
        self.connection.write_many(buffers, sent)

    def close(self, reason: str) -> None:
        """Drop the connection."""
        if self.is_closed:
            return
        self.is_closed = True
        self.connection.close()
        if self._owner is not None:
            self._owner.lost(self, reason)
        self._closed(self)

    # interfaces.network.ConnectionHandler

    def data_received(self, view: memoryview) -> None:
        """Bytes came."""
        if self.is_closed:
            return
        now = self.last_received_at = self._loop.time()
        try:
            if self.peer is None:
                view = view[self._take_handshake(view) :]
            if self.peer is not None and self._owner is not None:
                if view:
                    self.peer.data_received(view, now)
                self._owner.touched(self)
        except RemoteProtocolError as error:
            self.close(str(error))

    def output_drained(self) -> None:
        """The network took all that was unsent."""
        if self._owner is not None:
            self._owner.drained()

    def connection_lost(self, reason: Exception | None) -> None:
        """The stream is gone."""
        self.close(str(reason) if reason else "closed by the peer")

    def _take_handshake(self, view: memoryview) -> int:
        decoder = self._decoder
        taken = decoder.receive(view)
        if decoder.info_hash is not None and self._owner is None:
            owner = self._find_owner(decoder.info_hash)
            self._owner = owner
            self.send(owner.our_handshake())
        if decoder.handshake is not None and self._owner is not None:
            self.peer = self._owner.greeted(self, decoder.handshake)
        return taken
