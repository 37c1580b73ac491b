"""One connected peer: what it told us, what we told it, and what each owes the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Protocol

from millstream.core.config import TransferConfig
from millstream.core.geometry import ConnectionId, Geometry
from millstream.core.rates import RateMeter
from millstream.core.request_depth import RequestDepth
from millstream.core.request_timeout import RequestTimeout
from millstream.core.upload_queue import UploadQueue
from millstream.errors import RemoteProtocolError
from millstream.protocol import messages
from millstream.protocol.bitfield import decode_bitfield, every_piece, piece_bit
from millstream.protocol.compact import PeerAddress
from millstream.protocol.extension import ExtensionHandshake
from millstream.protocol.wire import WireDecoder

# Requests that were given up and may still be answered; beyond, the oldest are forgotten and their
# late answers count as unrequested. Twice what anyone answers at a time (libtorrent: 2000).
MAX_RELEASED = 4000

# Bytes that may wait for a peer that goes on asking. Uploads stop at `core.upload.SEND_WATERMARK`
# and one run; what is beyond are refusals, and a peer that does not read them fills our memory.
MAX_UNSENT_BYTES = 4 << 20

# Suggested pieces that are kept, the latest; libtorrent's `max_suggest_pieces` is 16.
MAX_SUGGESTED = 16

# A peer that owes blocks and sent none for so many seconds snubs us (BEP 3, "Choking": a minute).
SNUB_TIME = 60.0


class PeerLink(Protocol):
    """The way out to the peer."""

    @property
    def unsent_bytes(self) -> int:
        """Bytes written and not yet handed to the network."""

    def send(self, data: bytes) -> None:
        """Send messages."""

    def close(self, reason: str) -> None:
        """Drop the connection and say why."""


class PeerExtensions(Protocol):
    """Where the peer's extended messages go."""

    def receive(self, identity: int, payload: memoryview, now: float) -> None:
        """Take an extended message (BEP 10). Raises RemoteProtocolError: drop the peer."""

    def supports(self, name: str) -> bool:
        """Whether the peer takes messages of this extension."""

    def send(self, name: str, *payloads: bytes) -> None:
        """Send messages of an extension, if the peer takes them."""


class PeerEvents(Protocol):
    """What a peer's messages mean for the torrent."""

    def peer_choked(self, peer: Peer) -> None:
        """The peer choked us."""

    def peer_unchoked(self, peer: Peer) -> None:
        """The peer unchoked us."""

    def peer_interest_changed(self, peer: Peer) -> None:
        """`peer_interested` changed."""

    def pieces_changed(self, peer: Peer, before: int) -> None:
        """`pieces` was the set `before`."""

    def block_received(self, peer: Peer, index: int, begin: int, block: memoryview) -> None:
        """A block came; the view is borrowed."""

    def request_rejected(self, peer: Peer, index: int, begin: int, length: int) -> None:
        """The peer will not answer a request of ours."""

    def request_received(self, peer: Peer, index: int, begin: int, length: int) -> None:
        """The peer asks for a block."""

    def request_cancelled(self, peer: Peer, index: int, begin: int, length: int) -> None:
        """The peer withdrew a request."""


class Peer:
    """A connection after its handshake.

    Attributes:
        pieces: the set (an int) of the pieces it has.
        outstanding: blocks requested of it and awaited.
        released: requests of ours that we gave up on and that it may still answer, and how often:
            who is asked again after a timeout owes two answers.
        snubbed: whether its requests timed out and no block came since.
        block_at: when its latest block was seen, or since when it may send us some.
        silent_since: the same, but for as long as it owes blocks.
        overdue_at: when to look again for requests that it passed over.
        rejected_at: when it last refused a request of ours.
        allowed_fast: the set of the pieces that it would send while it chokes us (BEP 6).
        suggested: the pieces that it advises (BEP 6), the latest last.
        offered_fast: the pieces that it may have while we choke it, and how many blocks it got.
        fast: whether both sides speak the Fast extension (BEP 6).
        extensions: its side of the extension protocol; None if it does not speak it.
        upload_only: whether it said that it wants nothing (BEP 21).
        run_at: the piece that follows the latest that was asked of a web seed, which is asked for
            pieces that follow each other; None: the order does not matter to the peer.
        connected_at: when its handshake was done, monotonic seconds.
        now: when its latest bytes came, monotonic seconds; the time of what they cause.
    """

    __slots__ = (
        "_decoder",
        "_events",
        "_geometry",
        "address",
        "allowed_fast",
        "am_choking",
        "am_interested",
        "block_at",
        "choke_changed_at",
        "connected_at",
        "depth",
        "downloaded",
        "extensions",
        "fast",
        "fresh_blocks",
        "id",
        "incoming",
        "link",
        "now",
        "offered_fast",
        "outstanding",
        "overdue_at",
        "peer_choking",
        "peer_id",
        "peer_interested",
        "pieces",
        "receive_block",
        "rejected_at",
        "released",
        "run_at",
        "serving",
        "silent_since",
        "snubbed",
        "suggested",
        "timeout",
        "upload_only",
        "uploaded",
        "uploads",
    )

    def __init__(
        self,
        connection: ConnectionId,
        address: PeerAddress,
        link: PeerLink,
        events: PeerEvents,
        geometry: Geometry,
        config: TransferConfig,
        *,
        peer_id: bytes,
        fast: bool,
        incoming: bool,
        now: float,
        decoder: WireDecoder | None = None,
    ) -> None:
        self.id = connection
        self.address = address
        self.link = link
        self.peer_id = peer_id
        self.fast = fast
        self.incoming = incoming
        self._events = events
        # The one message that comes by the ten thousand a second goes straight to its end.
        self.receive_block: Callable[[int, int, memoryview], None] = partial(
            events.block_received, self
        )
        self._geometry = geometry
        # A connection that is older than the metadata has its decoder already.
        self._decoder = decoder or WireDecoder((geometry.piece_count + 7) // 8)
        self.extensions: PeerExtensions | None = None
        self.upload_only = False
        self.am_choking = self.peer_choking = True
        self.am_interested = self.peer_interested = False
        self.pieces = 0
        self.outstanding = 0
        self.snubbed = False
        self.rejected_at = -math.inf
        self.allowed_fast = 0
        self.suggested: dict[int, None] = {}
        self.run_at: int | None = None
        self.offered_fast: dict[int, int] = {}
        self.released: dict[tuple[int, int], int] = {}
        self.depth = RequestDepth(config, now)
        self.timeout = RequestTimeout(config.request_timeout)
        self.block_at = self.silent_since = self.overdue_at = now
        self.downloaded = RateMeter(now)
        self.uploaded = RateMeter(now)
        self.uploads = UploadQueue()
        self.serving = 0
        self.fresh_blocks = 0
        self.now = self.choke_changed_at = self.connected_at = now

    def data_received(self, view: memoryview, now: float) -> None:
        """Take bytes that follow the handshake. Raises RemoteProtocolError: drop the peer."""
        if self.link.unsent_bytes > MAX_UNSENT_BYTES:
            raise RemoteProtocolError("flood of requests whose answers it does not read")
        self.now = now
        self._decoder.receive(view, self)

    def extended(self, handshake: ExtensionHandshake) -> None:
        """It told by the extension protocol how many requests it keeps, and if it wants nothing."""
        if handshake.request_queue is not None:
            self.depth.limit(handshake.request_queue)
        self.upload_only = handshake.upload_only

    @property
    def piece_count(self) -> int:
        """How many pieces the torrent has."""
        return self._geometry.piece_count

    @property
    def is_seed(self) -> bool:
        """Whether it has every piece."""
        return self.pieces == every_piece(self._geometry.piece_count)

    def is_snubbing(self, now: float) -> bool:
        """Whether it owes us blocks and sent none for a minute."""
        if self.peer_choking or not self.am_interested:
            return False
        return now - self.block_at > SNUB_TIME and (self.outstanding > 0 or self.snubbed)

    # What we tell it.

    def set_interested(self, interested: bool) -> None:
        """Say whether it has pieces that we want, if that is news."""
        if interested != self.am_interested:
            self.am_interested = interested
            self.block_at = self.now
            self.link.send(messages.INTERESTED if interested else messages.NOT_INTERESTED)

    def set_choking(self, choking: bool, now: float) -> None:
        """Choke or unchoke it, if that is news.

        A choke refuses all that it had asked for but the pieces that it may have nevertheless
        (BEP 6: the choke first, then the refusals).
        """
        if choking == self.am_choking:
            return
        self.am_choking = choking
        self.choke_changed_at = now
        self.link.send(messages.CHOKE if choking else messages.UNCHOKE)
        if choking:
            for run in self.uploads.clear():
                for begin, length in run.blocks():
                    if run.index in self.offered_fast:
                        self.uploads.add(run.index, begin, length)
                    else:
                        self.refuse(run.index, begin, length)

    def refuse(self, index: int, begin: int, length: int) -> None:
        """Refuse a request; without the Fast extension the only way is silence."""
        if self.fast:
            self.link.send(messages.reject(index, begin, length))

    def release(self, index: int, begin: int) -> None:
        """A request of ours is given up; its answer may still come."""
        self.outstanding -= 1
        times = self.released.pop((index, begin), 0) + 1
        if len(self.released) >= MAX_RELEASED:
            del self.released[next(iter(self.released))]
        self.released[index, begin] = times

    def answers_late(self, index: int, begin: int) -> bool:
        """Take an answer to a request that was given up; False if there is none to be answered."""
        times = self.released.get((index, begin), 0)
        if times > 1:
            self.released[index, begin] = times - 1
        elif times:
            del self.released[index, begin]
        return times > 0

    # What it tells us: the MessageReceiver of protocol.wire.

    def receive_choke(self) -> None:
        """Requests will not be answered now."""
        if not self.peer_choking:
            self.peer_choking = True
            self._events.peer_choked(self)

    def receive_unchoke(self) -> None:
        """Requests will be answered."""
        if self.peer_choking:
            self.peer_choking = False
            self.block_at = self.now
            self._events.peer_unchoked(self)

    def receive_interested(self) -> None:
        """It wants something of ours."""
        if not self.peer_interested:
            self.peer_interested = True
            self._events.peer_interest_changed(self)

    def receive_not_interested(self) -> None:
        """It wants nothing of ours."""
        if self.peer_interested:
            self.peer_interested = False
            self._events.peer_interest_changed(self)

    def receive_have(self, index: int) -> None:
        """It got a piece."""
        piece = self._geometry.check_piece(index)
        self._now_has(self.pieces | piece_bit(piece, self._geometry.piece_count))

    def receive_bitfield(self, payload: memoryview) -> None:
        """All that it has."""
        self._now_has(decode_bitfield(payload, self._geometry.piece_count))

    def receive_have_all(self) -> None:
        """It has everything (BEP 6)."""
        self._needs_fast("have all")
        self._now_has(every_piece(self._geometry.piece_count))

    def receive_have_none(self) -> None:
        """It has nothing (BEP 6)."""
        self._needs_fast("have none")
        self._now_has(0)

    def receive_request(self, index: int, begin: int, length: int) -> None:
        """It asks for a block."""
        self._geometry.check_request(index, begin, length)
        self._events.request_received(self, index, begin, length)

    def receive_cancel(self, index: int, begin: int, length: int) -> None:
        """It withdraws a request."""
        self._events.request_cancelled(self, index, begin, length)

    def receive_reject(self, index: int, begin: int, length: int) -> None:
        """It refuses a request of ours (BEP 6)."""
        self._needs_fast("reject")
        self._geometry.check_request(index, begin, length)
        self._events.request_rejected(self, index, begin, length)

    def receive_suggest_piece(self, index: int) -> None:
        """It advises a piece (BEP 6)."""
        self._needs_fast("suggest")
        self._geometry.check_piece(index)
        self.suggested.pop(index, None)
        if len(self.suggested) >= MAX_SUGGESTED:
            del self.suggested[next(iter(self.suggested))]
        self.suggested[index] = None

    def receive_allowed_fast(self, index: int) -> None:
        """It would serve a piece while choking (BEP 6), whether it has it or not."""
        self._needs_fast("allowed fast")
        self._geometry.check_piece(index)
        self.allowed_fast |= piece_bit(index, self._geometry.piece_count)

    def receive_dont_have(self, index: int) -> None:
        """It lost a piece (BEP 54). Raises RemoteProtocolError if the torrent has no such."""
        piece = self._geometry.check_piece(index)
        self._now_has(self.pieces & ~piece_bit(piece, self._geometry.piece_count))

    def receive_extended(self, extension: int, payload: memoryview) -> None:
        """A message of the extension protocol (BEP 10); without that it means nothing."""
        if self.extensions is not None:
            self.extensions.receive(extension, payload, self.now)

    def _now_has(self, pieces: int) -> None:
        before = self.pieces
        if pieces != before:
            self.pieces = pieces
            self._events.pieces_changed(self, before)

    def _needs_fast(self, name: str) -> None:
        if not self.fast:
            raise RemoteProtocolError(f"{name} message without the Fast extension")
