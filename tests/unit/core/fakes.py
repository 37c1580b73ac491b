"""Recording fakes for what the core asks of its surroundings, and small stages to test it on.

Sets of pieces are written as strings, as in libtorrent's picker tests: `"* * "` holds the pieces 0
and 2 of four. Messages are tuples: `("request", 0, 16384, 16384)`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from millstream.core.active_piece import ActivePiece
from millstream.core.config import TransferConfig
from millstream.core.download import Download
from millstream.core.file_priority import PiecePriorities
from millstream.core.geometry import ConnectionId, Geometry
from millstream.core.need import Need
from millstream.core.peer import Peer, PeerEvents
from millstream.core.torrent import TorrentMachine
from millstream.core.torrent_state import TorrentState
from millstream.core.transfer import Transfer
from millstream.core.upload_queue import Run
from millstream.protocol import messages
from millstream.protocol.bitfield import has_piece, piece_bit
from millstream.protocol.compact import PeerAddress
from millstream.protocol.messages import BLOCK_LENGTH
from millstream.protocol.wire import WireDecoder
from millstream.storage.buffers import PieceBufferPool

Message = tuple[object, ...]


def pieces(text: str) -> int:
    """The set that the string draws."""
    return sum(piece_bit(at, len(text)) for at, mark in enumerate(text) if mark != " ")


def drawn(found: int, count: int) -> str:
    """The string that draws the set."""
    return "".join("*" if has_piece(found, piece, count) else " " for piece in range(count))


class RecordingReceiver:
    """A `protocol.wire.MessageReceiver` that keeps every message as a tuple."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def receive_choke(self) -> None:
        self.messages.append(("choke",))

    def receive_unchoke(self) -> None:
        self.messages.append(("unchoke",))

    def receive_interested(self) -> None:
        self.messages.append(("interested",))

    def receive_not_interested(self) -> None:
        self.messages.append(("not_interested",))

    def receive_have(self, index: int) -> None:
        self.messages.append(("have", index))

    def receive_bitfield(self, payload: memoryview) -> None:
        self.messages.append(("bitfield", bytes(payload)))

    def receive_request(self, index: int, begin: int, length: int) -> None:
        self.messages.append(("request", index, begin, length))

    def receive_block(self, index: int, begin: int, block: memoryview) -> None:
        self.messages.append(("piece", index, begin, bytes(block)))

    def receive_cancel(self, index: int, begin: int, length: int) -> None:
        self.messages.append(("cancel", index, begin, length))

    def receive_suggest_piece(self, index: int) -> None:
        self.messages.append(("suggest_piece", index))

    def receive_have_all(self) -> None:
        self.messages.append(("have_all",))

    def receive_have_none(self) -> None:
        self.messages.append(("have_none",))

    def receive_reject(self, index: int, begin: int, length: int) -> None:
        self.messages.append(("reject", index, begin, length))

    def receive_allowed_fast(self, index: int) -> None:
        self.messages.append(("allowed_fast", index))

    def receive_extended(self, extension: int, payload: memoryview) -> None:
        self.messages.append(("extended", extension, bytes(payload)))


def decode(data: bytes) -> list[Message]:
    """The messages in the bytes."""
    receiver = RecordingReceiver()
    WireDecoder(1 << 20).receive(memoryview(data), receiver)
    return receiver.messages


class RecordingLink:
    """A `core.peer.PeerLink` into a list."""

    def __init__(self) -> None:
        self.unsent_bytes = 0
        self.unread = bytearray()
        self.sends = 0
        self.closed: str | None = None

    def send(self, data: bytes) -> None:
        self.unread += data
        self.sends += 1

    def close(self, reason: str) -> None:
        self.closed = reason

    def read(self) -> list[Message]:
        """The messages sent since the last call."""
        data, self.unread = bytes(self.unread), bytearray()
        return decode(data)


class RecordingExtensions:
    """A `core.peer.PeerExtensions` that understands everything, into a list."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []

    def receive(self, identity: int, payload: memoryview, now: float) -> None:
        raise AssertionError

    def supports(self, name: str) -> bool:
        return True

    def send(self, name: str, *payloads: bytes) -> None:
        self.sent += [(name, payload) for payload in payloads]


class RecordingEvents:
    """A `core.peer.PeerEvents` into a list."""

    def __init__(self) -> None:
        self.calls: list[Message] = []

    def peer_choked(self, peer: Peer) -> None:
        self.calls.append(("choked",))

    def peer_unchoked(self, peer: Peer) -> None:
        self.calls.append(("unchoked",))

    def peer_interest_changed(self, peer: Peer) -> None:
        self.calls.append(("interest", peer.peer_interested))

    def pieces_changed(self, peer: Peer, before: int) -> None:
        self.calls.append(("pieces", before, peer.pieces))

    def block_received(self, peer: Peer, index: int, begin: int, block: memoryview) -> None:
        self.calls.append(("block", index, begin, bytes(block)))

    def request_rejected(self, peer: Peer, index: int, begin: int, length: int) -> None:
        self.calls.append(("rejected", index, begin, length))

    def request_received(self, peer: Peer, index: int, begin: int, length: int) -> None:
        self.calls.append(("request", index, begin, length))

    def request_cancelled(self, peer: Peer, index: int, begin: int, length: int) -> None:
        self.calls.append(("cancelled", index, begin, length))


class RecordingPort:
    """A `core.torrent.TorrentPort` into lists."""

    def __init__(self) -> None:
        self.written: list[ActivePiece] = []
        self.verified: list[int] = []
        self.failed: list[int] = []
        self.banned: list[PeerAddress] = []
        self.states: list[TorrentState] = []
        self.served: list[tuple[Peer, Run]] = []
        self.transfers: list[Transfer] = []

    def transfer_made(self, transfer: Transfer) -> None:
        self.transfers.append(transfer)

    def write_piece(self, piece: ActivePiece) -> None:
        self.written.append(piece)

    def piece_verified(self, index: int) -> None:
        self.verified.append(index)

    def piece_failed(self, index: int) -> None:
        self.failed.append(index)

    def ban(self, address: PeerAddress, reason: str) -> None:
        self.banned.append(address)

    def state_changed(self, before: TorrentState, after: TorrentState) -> None:
        self.states.append(after)

    def serve(self, peer: Peer, run: Run) -> None:
        self.served.append((peer, run))


def make_geometry(count: int = 4, blocks: int = 2, last_length: int | None = None) -> Geometry:
    """`count` pieces of `blocks` whole blocks each, the last one perhaps shorter."""
    length = blocks * BLOCK_LENGTH
    last = length if last_length is None else last_length
    return Geometry((count - 1) * length + last, length)


def block_data(geometry: Geometry, piece: int, block: int, *, corrupt: bool = False) -> bytes:
    """What the block holds: its own name over and over; or something else of the same length."""
    length = geometry.block_length(piece, block)
    name = b"%s%d/%d " % (b"not " if corrupt else b"", piece, block)
    return (name * (length // len(name) + 1))[:length]


def piece_data(geometry: Geometry, piece: int) -> bytes:
    """What the piece holds."""
    blocks = range(geometry.block_count(piece))
    return b"".join(block_data(geometry, piece, block) for block in blocks)


def make_peer(
    number: int,
    geometry: Geometry,
    events: PeerEvents | None = None,
    *,
    fast: bool = True,
    now: float = 0.0,
    config: TransferConfig | None = None,
) -> tuple[Peer, RecordingLink]:
    """Peer number `number`, fresh from its handshake, and the link to it."""
    link = RecordingLink()
    peer = Peer(
        ConnectionId(number),
        PeerAddress("10.0.0.1", number),
        link,
        RecordingEvents() if events is None else events,
        geometry,
        config or TransferConfig(),
        peer_id=b"-XX0000-%012d" % number,
        fast=fast,
        incoming=False,
        now=now,
    )
    return peer, link


class DownloadStage:
    """A `Download` among peers that say nothing by themselves, in virtual time."""

    def __init__(
        self,
        count: int = 4,
        blocks: int = 2,
        *,
        last_length: int | None = None,
        room: int | None = None,
        seed: int = 1,
        config: TransferConfig | None = None,
    ) -> None:
        self.geometry = make_geometry(count, blocks, last_length)
        self.pool = PieceBufferPool(
            (self.geometry.piece_count if room is None else room) * self.geometry.piece_length
        )
        self.config = config or TransferConfig()
        self.peers: dict[ConnectionId, Peer] = {}
        self.links: dict[ConnectionId, RecordingLink] = {}
        self.need = Need(self.geometry.piece_count)
        self.download = Download(
            self.geometry, self.need, self.peers, self.pool, self.config, random.Random(seed)
        )
        self.now = 0.0

    def peer(self, has: str | None = None, *, depth: int = 32) -> Peer:
        """A peer comes: it is interesting and does not choke us."""
        count = self.geometry.piece_count
        number = len(self.links) + 1
        peer, link = make_peer(number, self.geometry, now=self.now, config=self.config)
        peer.pieces = pieces("*" * count if has is None else has)
        peer.am_interested = True
        peer.peer_choking = False
        peer.depth.depth = depth
        self.peers[peer.id] = peer
        self.links[peer.id] = link
        self.download.availability.add(peer.pieces)
        return peer

    def gone(self, peer: Peer) -> None:
        """The peer's connection is closed."""
        del self.peers[peer.id]
        self.download.peer_gone(peer)

    def prefer(self, priorities: PiecePriorities) -> None:
        """Want these pieces, in this order."""
        self.need.prefer(priorities)
        self.download.drop_unwanted()

    def sent(self, peer: Peer) -> list[Message]:
        """What was sent to the peer since the last call."""
        return self.links[peer.id].read()

    def ask(self, peer: Peer) -> list[tuple[int, int]]:
        """Fill the peer's queue; returns the (piece, block) pairs it was asked for."""
        self.download.requester.request(peer, self.now)
        asked = []
        for name, index, begin, length in self.sent(peer):  # type: ignore[misc]
            assert name == "request"
            block, rest = divmod(begin, BLOCK_LENGTH)
            assert rest == 0
            assert length == self.geometry.block_length(index, block)
            asked.append((index, block))
        return asked

    def deliver(
        self, peer: Peer, *blocks: tuple[int, int], corrupt: Sequence[tuple[int, int]] = ()
    ) -> None:
        """The peer sends blocks."""
        for piece, block in blocks:
            data = block_data(self.geometry, piece, block, corrupt=(piece, block) in corrupt)
            self.receive(peer, piece, block * BLOCK_LENGTH, data)

    def receive(self, peer: Peer, piece: int, begin: int, data: bytes) -> None:
        """The peer sends any bytes."""
        self.download.receive_block(peer, piece, begin, memoryview(data))

    def write(self) -> tuple[list[int], list[PeerAddress]]:
        """The disk takes the whole pieces; returns those it verified, and the guilty."""
        verified, guilty = [], []
        for piece in self.download.whole:
            assert piece.view is not None
            if bytes(piece.view) == piece_data(self.geometry, piece.index):
                guilty += self.download.piece_written(piece.index)
                verified.append(int(piece.index))
            else:
                guilty += self.download.piece_mismatched(piece.index)
        self.download.whole.clear()
        return verified, guilty

    def check_invariant(self) -> None:
        """The books of peers, pieces and pool agree."""
        active = self.download.active
        active.check_invariant()
        for peer in self.peers.values():
            owed = sum(
                piece.is_awaited_from(peer.id, block)
                for piece in active
                for block in range(piece.block_count)
            )
            assert peer.outstanding == owed


class TorrentStage:
    """A `TorrentMachine` among peers that say what they are told to say, in virtual time."""

    def __init__(
        self,
        count: int = 4,
        blocks: int = 2,
        *,
        last_length: int | None = None,
        have: str | None = None,
        room: int = 1 << 24,
        seed: int = 1,
        config: TransferConfig | None = None,
    ) -> None:
        self.geometry = make_geometry(count, blocks, last_length)
        self.pool = PieceBufferPool(room)
        self.port = RecordingPort()
        self.config = config or TransferConfig()
        self.rng = random.Random(seed)
        self.machine = TorrentMachine(self.geometry, self.port, self.pool, self.config, self.rng)
        self.links: dict[ConnectionId, RecordingLink] = {}
        self.now = 0.0
        if have is not None:
            self.machine.set_state(TorrentState.CHECKING)
            self.machine.checked(pieces(have))

    def peer(self, *said: bytes, fast: bool = True) -> Peer:
        """A peer comes, and says this."""
        number = len(self.links) + 1
        peer, link = make_peer(
            number,
            self.geometry,
            self.machine.transfer,
            fast=fast,
            now=self.now,
            config=self.config,
        )
        self.links[peer.id] = link
        self.machine.add_peer(peer)
        self.says(peer, *said)
        return peer

    def says(self, peer: Peer, *said: bytes) -> None:
        """Messages come from the peer."""
        for message in said:
            peer.data_received(memoryview(message), self.now)
        self.machine.touched[peer.id] = peer

    def sent(self, peer: Peer) -> list[Message]:
        """What was sent to the peer since the last call."""
        return self.links[peer.id].read()

    def answer(self, peer: Peer, *, corrupt: bool = False) -> int:
        """The peer answers every request that was sent to it; returns how many."""
        requests = [message for message in self.sent(peer) if message[0] == "request"]
        for _, index, begin, _ in requests:  # type: ignore[misc]
            block = begin // BLOCK_LENGTH
            data = block_data(self.geometry, index, block, corrupt=corrupt)
            self.says(peer, messages.piece_header(index, begin, len(data)) + data)
        return len(requests)

    def tick(self, seconds: float = 0.0) -> None:
        """Time passes, and a tick runs."""
        self.now += seconds
        self.machine.process(self.now)
        self.machine.request(self.now)
        self.machine.output()

    def disk_verifies(self) -> list[int]:
        """The disk writes what it was given; returns which pieces."""
        indexes = [int(piece.index) for piece in self.port.written]
        self.port.written.clear()
        for index in indexes:
            self.machine.piece_written(index)
        return indexes
