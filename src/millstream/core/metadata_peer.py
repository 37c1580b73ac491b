"""A connected peer while the metadata is not known: what it says is kept until it makes sense.

A magnet's first peers tell what they have before anyone knows how many pieces there are. Nothing of
that is lost: when the metadata has come, a `core.peer.Peer` takes the connection over and hears it
all again, in short.
"""

from __future__ import annotations

from millstream.core.config import TransferConfig
from millstream.core.extension_exchange import ExtensionSide
from millstream.core.geometry import ConnectionId, Geometry
from millstream.core.peer import MAX_UNSENT_BYTES, Peer, PeerEvents, PeerLink
from millstream.errors import RemoteProtocolError
from millstream.protocol import messages
from millstream.protocol.compact import PeerAddress
from millstream.protocol.metainfo import MAX_PIECES
from millstream.protocol.wire import WireDecoder

_MAX_BITFIELD_LENGTH = (MAX_PIECES + 7) // 8

# Allowed-fast pieces that are remembered; BEP 6 suggests sets of 10.
MAX_ALLOWED_FAST = 64

# Pieces that a peer that had all took back (BEP 54). Who loses more in the time that metadata takes
# has no torrent to offer; an own limit.
MAX_LOST = 1024


class MetadataPeer:
    """A connection after its handshake, in a torrent whose metadata is being fetched.

    Implements `protocol.wire.MessageReceiver`.

    Attributes:
        extensions: its side of the extension protocol; None if it does not speak it.
        decoder: the one decoder of the connection, which the later peer goes on with.
    """

    __slots__ = (
        "_allowed_fast",
        "_bits",
        "_has_all",
        "_interested",
        "_lost",
        "_unchoked",
        "address",
        "decoder",
        "extensions",
        "fast",
        "id",
        "incoming",
        "link",
        "now",
        "peer_id",
    )

    def __init__(
        self,
        connection: ConnectionId,
        address: PeerAddress,
        link: PeerLink,
        *,
        peer_id: bytes,
        fast: bool,
        incoming: bool,
        now: float,
    ) -> None:
        self.id = connection
        self.address = address
        self.link = link
        self.peer_id = peer_id
        self.fast = fast
        self.incoming = incoming
        self.now = now
        self.extensions: ExtensionSide | None = None
        self.decoder = WireDecoder(_MAX_BITFIELD_LENGTH)
        self._bits = bytearray()
        self._has_all = False
        self._unchoked = self._interested = False
        self._allowed_fast: list[int] = []
        # Of those that have everything: how many pieces that is cannot be told yet.
        self._lost: dict[int, None] = {}

    def data_received(self, view: memoryview, now: float) -> None:
        """Take bytes that follow the handshake. Raises RemoteProtocolError: drop the peer."""
        if self.link.unsent_bytes > MAX_UNSENT_BYTES:
            raise RemoteProtocolError("flood of requests whose answers it does not read")
        self.now = now
        self.decoder.receive(view, self)

    def grow(self, events: PeerEvents, geometry: Geometry, config: TransferConfig) -> Peer:
        """The peer that takes the connection over; it must still hear `replay`."""
        peer = Peer(
            self.id,
            self.address,
            self.link,
            events,
            geometry,
            config,
            peer_id=self.peer_id,
            fast=self.fast,
            incoming=self.incoming,
            now=self.now,
            decoder=self.decoder,
        )
        peer.extensions = self.extensions
        if self.extensions is not None and self.extensions.handshake is not None:
            peer.extended(self.extensions.handshake)
        return peer

    def replay(self, peer: Peer) -> None:
        """Tell the peer that takes over what was heard so far.

        Raises RemoteProtocolError for what makes no sense with the pieces there are.
        """
        length = (peer.piece_count + 7) // 8
        if len(self._bits) > length:
            raise RemoteProtocolError(f"bitfield of {len(self._bits)} bytes, more than {length}")
        if self._has_all:
            peer.receive_have_all()
            for index in self._lost:
                peer.receive_dont_have(index)
        elif self._bits:
            with memoryview(self._bits.ljust(length, b"\0")) as payload:
                peer.receive_bitfield(payload)
        for index in self._allowed_fast:
            peer.receive_allowed_fast(index)
        if self._unchoked:
            peer.receive_unchoke()
        if self._interested:
            peer.receive_interested()

    # protocol.wire.MessageReceiver

    def receive_choke(self) -> None:
        """Remember it."""
        self._unchoked = False

    def receive_unchoke(self) -> None:
        """Remember it."""
        self._unchoked = True

    def receive_interested(self) -> None:
        """Remember it."""
        self._interested = True

    def receive_not_interested(self) -> None:
        """Remember it."""
        self._interested = False

    def receive_have(self, index: int) -> None:
        """Remember the piece, if there can be so many."""
        if index >= MAX_PIECES:
            raise RemoteProtocolError(f"have of piece {index}")
        missing = (index >> 3) + 1 - len(self._bits)
        if missing > 0:
            self._bits += bytes(missing)
        self._bits[index >> 3] |= 0x80 >> (index & 7)
        self._lost.pop(index, None)

    def receive_bitfield(self, payload: memoryview) -> None:
        """Remember it; its length is judged later."""
        self._bits = bytearray(payload)
        self._has_all = False

    def receive_have_all(self) -> None:
        """Remember it (BEP 6)."""
        self._has_all = True
        self._lost.clear()

    def receive_have_none(self) -> None:
        """It has nothing (BEP 6)."""
        self._bits.clear()
        self._has_all = False

    def receive_request(self, index: int, begin: int, length: int) -> None:
        """We have nothing to give."""
        if self.fast:
            self.link.send(messages.reject(index, begin, length))

    def receive_block(self, index: int, begin: int, block: memoryview) -> None:
        """Nothing was requested yet."""
        raise RemoteProtocolError(f"block at {begin} of piece {index} was not requested")

    def receive_cancel(self, index: int, begin: int, length: int) -> None:
        """Nothing waits to be cancelled."""

    def receive_reject(self, index: int, begin: int, length: int) -> None:
        """Nothing was requested."""

    def receive_suggest_piece(self, index: int) -> None:
        """Advice on what cannot be asked for yet (BEP 6)."""

    def receive_allowed_fast(self, index: int) -> None:
        """Remember it (BEP 6)."""
        if len(self._allowed_fast) < MAX_ALLOWED_FAST:
            self._allowed_fast.append(index)

    def receive_dont_have(self, index: int) -> None:
        """Remember that it lost the piece (BEP 54)."""
        if self._has_all:
            if len(self._lost) >= MAX_LOST:
                raise RemoteProtocolError(f"lost over {MAX_LOST} pieces")
            self._lost[index] = None
        elif index >> 3 < len(self._bits):
            self._bits[index >> 3] &= ~(0x80 >> (index & 7))

    def receive_extended(self, extension: int, payload: memoryview) -> None:
        """The extension protocol is what this peer is here for (BEP 10)."""
        if self.extensions is not None:
            self.extensions.receive(extension, payload, self.now)
