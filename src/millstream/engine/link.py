"""A connection from its first byte to its last: a greeting, then a peer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from millstream.core.geometry import ConnectionId
from millstream.engine.config import EncryptionConfig
from millstream.engine.greeting import Greeting
from millstream.engine.journal import stranger_refused
from millstream.engine.reading import Reading, Throttle
from millstream.errors import RemoteProtocolError
from millstream.interfaces.cipher import Cryptography
from millstream.interfaces.network import Buffer, Connection
from millstream.protocol.handshake import Handshake
from millstream.protocol.infohash import InfoHash
from millstream.protocol.mse_keys import StreamCipher


class ConnectedPeer(Protocol):
    """What a link gives its bytes to after the handshake."""

    def data_received(self, view: memoryview, now: float) -> None:
        """Take bytes, borrowed until return. Raises RemoteProtocolError: drop the peer."""


class LinkOwner(Protocol):
    """The torrent session that a link belongs to once the torrent is known."""

    def our_handshake(self) -> bytes:
        """What we open with."""

    def greeted(self, link: Link, handshake: Handshake) -> ConnectedPeer:
        """The handshake is done. Raises RemoteProtocolError if the peer is not wanted."""

    def touched(self, link: Link) -> None:
        """Messages came."""

    def drained(self) -> None:
        """A link that could not send can send again."""

    def lost(self, link: Link, reason: str) -> None:
        """The link is gone."""


@dataclass(frozen=True, slots=True)
class LinkTerms:
    """What all links of an engine need to open.

    Attributes:
        encryption: the settings.
        cryptography: the platform's.
        find_owner: finds the session of an incoming connection; raises RemoteProtocolError.
        find_obfuscated: gives the infohash whose `protocol.mse_keys.torrent_hash` this is, or None.
    """

    encryption: EncryptionConfig
    cryptography: Cryptography
    find_owner: Callable[[InfoHash], LinkOwner]
    find_obfuscated: Callable[[bytes], InfoHash | None]


class Link:
    """One connection: an `interfaces.network.ConnectionHandler` and a `core.peer.PeerLink`.

    Args:
        identity: the connection's id, never used twice.
        connection: the stream.
        owner: the torrent's session, or None for an incoming connection until its handshake says
            which torrent it is for.
        terms: how connections open.
        closed: called once, when the link is gone.
        encrypt: whether to open by MSE a connection that we made.

    Attributes:
        peer: gets what comes, once the handshake is done.
        peer_id: the peer's; empty before its handshake.
        is_encrypted: whether it was opened by MSE: the peer can do that (BEP 11 passes it on).
        reading: whether it is read, or held for the disk or a rate limit.
        throttle: counts what it receives; None: there is no limit.
    """

    def __init__(
        self,
        identity: ConnectionId,
        connection: Connection,
        owner: LinkOwner | None,
        terms: LinkTerms,
        closed: Callable[[Link], None],
        *,
        encrypt: bool = False,
    ) -> None:
        self.id = identity
        self.connection = connection
        self.address = connection.remote
        self.incoming = owner is None
        self.peer: ConnectedPeer | None = None
        self.peer_id = b""
        self.is_closed = False
        self.is_encrypted = False
        self.reading = Reading(connection)
        self.throttle: Throttle | None = None
        self.deadline: asyncio.TimerHandle | None = None
        self._owner = owner
        self._find_owner = terms.find_owner
        self._closed = closed
        self._sender: StreamCipher | None = None
        self._receiver: StreamCipher | None = None
        self._loop = asyncio.get_running_loop()
        self.last_received_at = self.last_sent_at = self._loop.time()
        self._greeting: Greeting | None = Greeting(
            terms.encryption, terms.cryptography, terms.find_obfuscated, self.send, self._answer
        )
        if owner is not None:
            self._greeting.open(owner.our_handshake(), encrypt=encrypt)

    @property
    def refused_encryption(self) -> bool:
        """Whether it opened by MSE and the other side did not answer in kind, up to now.

        If the link is lost so, a connection without MSE may fare better.
        """
        return self._greeting is not None and self._greeting.refused_encryption

    @property
    def encryption(self) -> str:
        """`rc4`, `plaintext` after an encrypted handshake, or empty for no encryption at all."""
        if not self.is_encrypted:
            return ""
        return "plaintext" if self._receiver is None else "rc4"

    # core.peer.PeerLink

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the network has not taken yet."""
        return self.connection.unsent_bytes

    def send(self, data: bytes) -> None:
        """Send messages."""
        self.last_sent_at = self._loop.time()
        if self._sender is not None:
            data = self._sender.update(data)
        self.connection.write(data)

    def send_many(self, buffers: Sequence[Buffer], sent: Callable[[], None]) -> None:
        """Send by one vectored write; see `interfaces.network.Connection.write_many`."""
        self.last_sent_at = self._loop.time()
        if self._sender is None:
            self.connection.write_many(buffers, sent)
            return
        # The buffers are shared with other links: they are encrypted in a copy.
        joined = bytearray().join(buffers)
        self._sender.update_into(joined, joined)
        self.connection.write_many((joined,))
        sent()

    def close(self, reason: str) -> None:
        """Drop the connection."""
        if self.is_closed:
            return
        self.is_closed = True
        self.connection.close()
        if self._owner is not None:
            self._owner.lost(self, reason)
        else:
            stranger_refused(self.address, reason)
        self._closed(self)

    # interfaces.network.ConnectionHandler

    def data_received(self, view: memoryview) -> None:
        """Bytes came."""
        if self.is_closed:
            return
        now = self.last_received_at = self._loop.time()
        if self.throttle is not None:
            self.throttle.received(self, len(view))
        try:
            if self._greeting is not None:
                view = self._greet(self._greeting, view)
            elif self._receiver is not None:
                self._receiver.update_into(view, view)
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

    def _greet(self, greeting: Greeting, view: memoryview) -> memoryview:
        """Go on with the greeting; returns what is for the peer."""
        rest = greeting.receive(view)
        if greeting.handshake is not None and self._owner is not None:
            self._greeting = None
            self._sender, self._receiver = greeting.sender, greeting.receiver
            self.is_encrypted = greeting.is_encrypted
            self.peer = self._owner.greeted(self, greeting.handshake)
        return rest

    def _answer(self, info_hash: InfoHash) -> bytes:
        """Our handshake, as soon as the other side said for which torrent it came."""
        self._owner = self._find_owner(info_hash)
        return self._owner.our_handshake()
