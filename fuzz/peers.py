"""Targets for whole peers: the wire decoder, and what a torrent makes of what peers say.

An input is a script: bytes from the peer, well-formed messages with odd numbers, answers to what we
requested of it, right and wrong, and between them ticks, a disk that does its work or fails, and a
link that is slow. Whatever it says, the peer is dropped by a RemoteProtocolError or goes on, and in
the end nothing of it is left.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any

from millstream.core.active_piece import ActivePiece
from millstream.core.config import TransferConfig
from millstream.core.extension_exchange import ExtensionExchange, ExtensionSide
from millstream.core.geometry import ConnectionId, Geometry
from millstream.core.metadata_fetch import MetadataFetch
from millstream.core.metadata_peer import MAX_ALLOWED_FAST, MetadataPeer
from millstream.core.metadata_serve import MAX_WAITING
from millstream.core.peer import MAX_RELEASED, Peer
from millstream.core.pex import MAX_HEARD
from millstream.core.torrent import TorrentMachine
from millstream.core.torrent_state import TorrentState
from millstream.core.transfer import Transfer
from millstream.core.upload_queue import Run
from millstream.errors import RemoteProtocolError
from millstream.protocol import messages, ut_metadata, ut_pex
from millstream.protocol.bitfield import every_piece, piece_bit
from millstream.protocol.compact import PeerAddress
from millstream.protocol.extension import OUR_IDS, ExtensionHandshake, extended
from millstream.protocol.messages import MessageId
from millstream.protocol.metainfo import Metainfo
from millstream.protocol.ut_metadata import MetadataData, MetadataReject, MetadataRequest
from millstream.protocol.ut_pex import PexFlag, PexMessage, PexPeer
from millstream.protocol.wire import WireDecoder
from millstream.storage.buffers import PieceBufferPool
from millstream.testing.content import single_file_torrent

from .target import Script, Target

PIECE = 32768
CONTENT = random.Random(1).randbytes(7 * PIECE + 20_000)
METAINFO = Metainfo.parse(single_file_torrent("fuzz", CONTENT, PIECE))
GEOMETRY = Geometry(len(CONTENT), PIECE)
COUNT = GEOMETRY.piece_count
# Longer than a piece of metadata, so that several peers send it together.
INFO = METAINFO.info[:-1] + b"7:padding40000:" + bytes(40_000) + b"e"
LARGE = Metainfo.from_info(INFO)
HAVE = sum(piece_bit(piece, COUNT) for piece in (0, 1, 2))
# Of these a few bytes in a script choose one.
NUMBERS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16384, 32768, 16383, 16385, 3616, 1 << 31, 0xFFFFFFFF)
KINDS = (0, 1, 2, 3, 4, 5, 6, 6, 7, 8, 9, 13, 14, 15, 16, 17, 20, 99)
REQUESTING = (MessageId.REQUEST, MessageId.CANCEL, MessageId.REJECT_REQUEST)
ARGUMENTS = {4: 1, 6: 3, 7: 2, 8: 3, 13: 1, 16: 3, 17: 1}
THEIRS = {"ut_metadata": 11, "ut_pex": 12, "lt_donthave": 13, "upload_only": 14}


def _metadata(piece: int, total: int, length: int) -> bytes:
    return ut_metadata.encode(MetadataData(piece, total, bytes(length)))


_SIZED = ExtensionHandshake(messages=THEIRS, metadata_size=len(INFO), port=5, request_queue=3)
_HELLO = _SIZED.encode()
_PEERS = tuple(PexPeer(PeerAddress(f"8.8.{at}.8", 5), PexFlag(at & 31)) for at in range(60))

# What peers say by extensions, more or less rightly.
SAYINGS: tuple[tuple[int, bytes], ...] = (
    (0, _HELLO),
    (0, ExtensionHandshake(messages=THEIRS, upload_only=True).encode()),
    (0, ExtensionHandshake(messages={"ut_pex": 0, "ut_metadata": 0}, metadata_size=7).encode()),
    (0, ExtensionHandshake(messages=THEIRS, metadata_size=len(INFO) + 9, port=9).encode()),
    (1, ut_metadata.encode(MetadataRequest(0))),
    (1, ut_metadata.encode(MetadataRequest(0)) + b"more"),
    (1, ut_metadata.encode(MetadataReject(0))),
    (1, _metadata(0, len(INFO), 16384)),
    (1, _metadata(1, len(INFO), 16384)),
    (1, _metadata(9, len(INFO), 5)),
    (2, ut_pex.encode(PexMessage(_PEERS[:3], ()))),
    (2, ut_pex.encode(PexMessage(_PEERS, ()))),
    (2, ut_pex.encode(PexMessage((), tuple(peer.address for peer in _PEERS)))),
    (3, b"\0\0\0\1"),
    (3, b"\0\0\0\7"),
    (3, b"\0\0\0\x08"),
    (4, b"\1"),
    (4, b"\0"),
)


class Calls:
    """A `MessageReceiver` that keeps every call."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        def note(*args: Any) -> None:
            said = [bytes(arg) if isinstance(arg, memoryview) else arg for arg in args]
            self.calls.append((name, *said))

        return note


def fuzz_wire(data: bytes) -> None:
    """Messages in any split mean the same."""
    script = Script(data)
    stream = data[script.number(4) :]
    outcomes = []
    for parts in ([memoryview(stream)], script.parts(stream)):
        decoder, receiver = WireDecoder(3), Calls()
        failed = False
        try:
            for part in parts:
                decoder.receive(part, receiver)
                assert len(decoder._kept) < (1 << 15) + 4
        except RemoteProtocolError:
            failed = True
        outcomes.append((failed, receiver.calls))
    assert outcomes[0] == outcomes[1]


class Link:
    """A `PeerLink`; it knows what was requested."""

    def __init__(self, closed: Callable[[], None]) -> None:
        self.unsent_bytes = 0
        self.reason: str | None = None
        self.requests: list[tuple[int, int, int]] = []
        self.metadata_requests: list[int] = []
        self._decoder = WireDecoder(1 << 20)
        self._closed = closed

    def send(self, data: bytes) -> None:
        """Note what is requested."""
        receiver = Calls()
        self._decoder.receive(memoryview(data), receiver)
        for name, *args in receiver.calls:
            if name == "receive_request":
                self.requests.append((args[0], args[1], args[2]))
            elif name == "receive_extended" and args[0] == THEIRS["ut_metadata"]:
                message = ut_metadata.parse(args[1])
                if isinstance(message, ut_metadata.MetadataRequest):
                    self.metadata_requests.append(message.piece)

    def close(self, reason: str) -> None:
        """The connection is closed, at once."""
        if self.reason is None:
            self.reason = reason
            self._closed()


class World:
    """A torrent with some pieces, an honest peer, and one that says what the script says.

    Implements `core.torrent.TorrentPort` and `core.extension_exchange.ExtensionPort`.
    """

    def __init__(self, script: Script, *, magnet: bool) -> None:
        self.script = script
        self.now = 0.0
        self.written: list[ActivePiece] = []
        self.fetched: bytes | None = None
        self.found: list[PexPeer] = []
        self.config = TransferConfig()
        self.fast = script.number(4) > 0
        self.pool = PieceBufferPool(1 << 20)
        metainfo = LARGE if magnet else METAINFO
        fetch = MetadataFetch(metainfo.info_hash, random.Random(1)) if magnet else None
        self.exchange = ExtensionExchange(self, fetch, pex=True)
        self.machine = TorrentMachine(
            GEOMETRY, self, self.pool, self.config, random.Random(1), bytes(metainfo.info_hash)
        )
        self.peers: dict[ConnectionId, Peer | MetadataPeer] = {}
        if not magnet:
            self.exchange.metadata_known(metainfo.info, private=False)
            self.begin()
        self.honest = self.add(1)
        self.says(self.honest, messages.HAVE_ALL + self.hello(magnet) + messages.UNCHOKE)
        self.fuzzed = self.add(2)

    def hello(self, magnet: bool) -> bytes:
        """What the honest peer says first."""
        size = len(INFO) if magnet else None
        return extended(0, ExtensionHandshake(messages=THEIRS, metadata_size=size).encode())

    def begin(self) -> None:
        """The metadata is known: find some pieces, take the early peers over."""
        self.machine.set_state(TorrentState.CHECKING)
        self.machine.checked(HAVE)
        for early in list(self.peers.values()):
            if isinstance(early, MetadataPeer):
                peer = early.grow(self.machine.transfer, GEOMETRY, self.config)
                self.peers[peer.id] = peer
                self.machine.add_peer(peer, greeted=True)
                try:
                    early.replay(peer)
                except RemoteProtocolError as error:
                    self.link(peer.id).close(str(error))

    def add(self, number: int) -> ConnectionId:
        """A peer comes; it speaks the extension protocol."""
        identity = ConnectionId(number)
        link = Link(lambda: self.gone(identity))
        address = PeerAddress(f"198.51.100.{number}", 6881)
        peer: Peer | MetadataPeer
        if self.machine.state is TorrentState.DOWNLOADING:
            peer = Peer(
                identity,
                address,
                link,
                self.machine.transfer,
                GEOMETRY,
                self.config,
                peer_id=bytes(20),
                fast=self.fast or number == 1,
                incoming=False,
                now=self.now,
            )
            self.machine.add_peer(peer)
        else:
            peer = MetadataPeer(
                identity,
                address,
                link,
                peer_id=bytes(20),
                fast=self.fast or number == 1,
                incoming=False,
                now=self.now,
            )
        self.peers[identity] = peer
        side = ExtensionSide(identity, address, link, self.exchange, incoming=number > 1)
        peer.extensions = side
        self.exchange.add(side, ExtensionHandshake(messages=self.exchange.our_messages()))
        return identity

    def gone(self, identity: ConnectionId) -> None:
        """A link is closed."""
        if self.peers.pop(identity, None) is not None:
            self.exchange.remove(identity, self.now)
            self.machine.remove_peer(identity)

    def link(self, identity: ConnectionId) -> Link:
        """A peer's way out."""
        link = self.peers[identity].link
        assert isinstance(link, Link)
        return link

    def says(self, identity: ConnectionId, data: bytes) -> None:
        """Bytes come from a peer, in parts; as in `engine.link`, an error drops it."""
        for part in self.script.parts(data):
            peer = self.peers.get(identity)
            if peer is None:
                return
            link = self.link(identity)
            try:
                peer.data_received(part, self.now)
            except RemoteProtocolError as error:
                assert str(error)
                link.close(str(error))
                return
            if isinstance(peer, Peer) and peer.id in self.machine.peers:
                self.machine.touched[peer.id] = peer

    def run(self) -> None:
        """Act the script out. What the peer says in a row comes at once."""
        sayings: tuple[Callable[[], bytes], ...] = (
            *(self._raw, self._message, self._message, self._extension, self._extension),
            *(self._answer, self._answer, self._answer_metadata),
        )
        events = (self._tick, self._tick, self._disk, self._slow, self._honest)
        breath = b""
        while self.script and self.fuzzed in self.peers:
            number = self.script.number(len(sayings) + len(events))
            if number < len(sayings):
                breath += sayings[number]()
                continue
            self.says(self.fuzzed, breath)
            breath = b""
            if self.fuzzed not in self.peers:
                break
            events[number - len(sayings)]()
            self.check()
        self.says(self.fuzzed, breath)
        self.check()
        self._tick()
        for identity in list(self.peers):
            self.link(identity).close("the end")
        self._tick()
        self.check()
        assert not any(
            self.machine.transfer.download.availability.of(piece) for piece in range(COUNT)
        )
        assert not self.exchange.has_peers

    # What the peer says.

    def _raw(self) -> bytes:
        return self.script.chunk()

    def _message(self) -> bytes:
        kind = KINDS[self.script.number(len(KINDS))]
        if kind == MessageId.BITFIELD:
            return messages.bitfield(self.script.take(1))
        count = ARGUMENTS.get(kind, 0)
        if not self.script.number(32):
            count = self.script.number(4)
        numbers = [NUMBERS[self.script.number(len(NUMBERS))] for _ in range(count)]
        if kind in REQUESTING and self.script.number(8):  # one that makes sense
            index, half = self.script.number(COUNT), self.script.number(2)
            last = index == COUNT - 1 and half
            numbers = [index, 16384 * half, 3616 if last else 16384]
        body = bytes([kind]) + struct.pack(f">{len(numbers)}I", *numbers)
        return struct.pack(">I", len(body)) + body

    def _extension(self) -> bytes:
        number = self.script.number(len(SAYINGS) + 1)
        if number == len(SAYINGS):
            return extended(self.script.number(6), self.script.chunk())
        identity, payload = SAYINGS[number]
        return extended(identity, payload) * (1 + self.script.number(3))

    def _answer(self) -> bytes:
        requests = self.link(self.fuzzed).requests
        if not requests:
            return b""
        index, begin, length = requests.pop(int(self.script.number() / 256 * len(requests)))
        at = index * PIECE + begin
        block = bytearray(CONTENT[at : at + length])
        if not self.script.number(4):
            block[0] ^= 0xFF
        return messages.piece_header(index, begin, length) + bytes(block)

    def _answer_metadata(self) -> bytes:
        requests = self.link(self.fuzzed).metadata_requests
        if not requests:
            return b""
        piece = requests.pop()
        data = INFO[piece * 16384 : (piece + 1) * 16384]
        if data and not self.script.number(4):
            data = bytes([data[0] ^ 1]) + data[1:]
        payload = ut_metadata.encode(MetadataData(piece, len(INFO), data))
        return extended(OUR_IDS["ut_metadata"], payload)

    # What happens meanwhile.

    def _tick(self) -> None:
        self.now += (0.0, 0.1, 0.6, 3.0, 61.0)[self.script.number(5)]
        self.exchange.tick(self.now)
        if self.fetched is not None:
            self.fetched = None
            self.exchange.metadata_known(INFO, private=bool(self.script.number(2)))
            self.begin()
        self.machine.process(self.now)
        self.machine.request(self.now)
        self.machine.output()

    def _disk(self) -> None:
        for piece in self.written:
            view = piece.view
            assert view is not None
            if not self.script.number(6):
                self.machine.piece_unwritten(piece.index)
            elif bytes(view) == CONTENT[piece.index * PIECE : (piece.index + 1) * PIECE]:
                self.machine.piece_written(piece.index)
            else:
                self.machine.piece_mismatched(piece.index)
        self.written.clear()

    def _slow(self) -> None:
        self.link(self.fuzzed).unsent_bytes = (0, 0, 200_000, 3_000_000)[self.script.number(4)]
        self.exchange.drained(self.now)

    def _honest(self) -> None:
        """The honest peer answers some of what it was asked."""
        for _ in range(1 + self.script.number(3)):
            if self.honest not in self.peers:
                return
            link = self.link(self.honest)
            if link.requests:
                index, begin, length = link.requests.pop(0)
                at = index * PIECE + begin
                header = messages.piece_header(index, begin, length)
                self.says(self.honest, header + CONTENT[at : at + length])
            if link.metadata_requests:
                piece = link.metadata_requests.pop(0)
                data = INFO[piece * 16384 : (piece + 1) * 16384]
                payload = ut_metadata.encode(MetadataData(piece, len(INFO), data))
                self.says(self.honest, extended(OUR_IDS["ut_metadata"], payload))

    # What holds at any time.

    def check(self) -> None:
        """Books agree, and what peers can make us hold is bounded."""
        self.machine.transfer.download.active.check_invariant()
        assert self.machine.peers.keys() <= self.peers.keys()
        for peer in self.peers.values():
            if isinstance(peer, Peer):
                assert peer.uploads.requests <= self.config.max_peer_requests
                assert len(peer.released) <= MAX_RELEASED
                assert 0 <= peer.pieces <= every_piece(COUNT)
                assert peer.outstanding >= 0
            else:
                assert len(peer._allowed_fast) <= MAX_ALLOWED_FAST
        clients = self.exchange.serve._clients
        assert clients.keys() <= self.peers.keys()
        assert all(len(client.waiting) <= MAX_WAITING for client in clients.values())
        if self.exchange.pex is not None:
            partners = self.exchange.pex._partners
            assert partners.keys() <= self.peers.keys()
            assert all(len(partner.heard) <= MAX_HEARD for partner in partners.values())

    # core.torrent.TorrentPort

    def transfer_made(self, transfer: Transfer) -> None:
        """Nothing limits it."""

    def write_piece(self, piece: ActivePiece) -> None:
        """Keep it for `_disk`."""
        self.written.append(piece)

    def piece_verified(self, index: int) -> None:
        """Fine."""

    def piece_failed(self, index: int) -> None:
        """It is fetched again."""

    def ban(self, address: PeerAddress, reason: str) -> None:
        """The honest peer is never blamed."""
        assert address != PeerAddress("198.51.100.1", 6881), reason
        if self.fuzzed in self.peers:
            self.link(self.fuzzed).close(reason)

    def state_changed(self, before: TorrentState, after: TorrentState) -> None:
        """Fine."""

    def serve(self, peer: Peer, run: Run) -> None:
        """It is read and sent at once."""
        self.machine.transfer.upload.served(peer, run)

    # core.extension_exchange.ExtensionPort

    def extension_handshake_received(
        self, connection: ConnectionId, handshake: ExtensionHandshake
    ) -> None:
        """As `engine.membership` does."""
        if handshake.port:
            address = PeerAddress("198.51.100.9", handshake.port)
            self.exchange.connected(connection, address, PexFlag(0))
        if (peer := self.machine.peers.get(connection)) is not None:
            peer.extended(handshake)

    def peers_found(self, peers: list[PexPeer]) -> None:
        """Fine."""
        self.found = peers

    def metadata_fetched(self, info: bytes) -> None:
        """Go on in the next tick."""
        assert info == INFO
        self.fetched = info

    def upload_only_changed(self, connection: ConnectionId, *, upload_only: bool) -> None:
        """As `engine.session` does."""
        if (peer := self.machine.peers.get(connection)) is not None:
            peer.upload_only = upload_only

    def dont_have_received(self, connection: ConnectionId, index: int) -> None:
        """As `engine.session` and `engine.magnet` do."""
        peer = self.peers.get(connection)
        if peer is not None:
            peer.receive_dont_have(index)


def fuzz_peer(data: bytes) -> None:
    """A peer of a torrent that downloads."""
    World(Script(data), magnet=False).run()


def fuzz_metadata_peer(data: bytes) -> None:
    """A peer of a magnet, whose metadata may come meanwhile."""
    World(Script(data), magnet=True).run()


# Numbers below 8 are sayings, see `World.run`; the first byte says whether it speaks Fast.
_SCRIPTS = [
    # It has all, unchokes, serves for some time, and asks.
    bytes(
        [1, 1, 9, 9, 1, 1, 9, 8, 2] + [5, 0, 9] * 4 + [8, 2, 10, 1] * 2 + [1, 6, 9, 1, 0, 0, 1, 8]
    ),
    # It says what it supports, and answers requests for metadata.
    bytes([1, 3, 0, 0, 8, 2] + [7, 1, 8, 1] * 5 + [12, 2] * 3),
    bytes([0, 3, 1, 0, 3, 4, 2, 3, 6, 0, 8, 3, 11, 2, 3, 3, 0, 8, 4]),
]
_STREAM = (
    messages.HAVE_ALL
    + messages.bitfield(b"\xff")
    + messages.requests(1, PIECE, 0, 2)
    + messages.piece_header(0, 0, 9)
    + b"123456789"
    + messages.KEEP_ALIVE
    + extended(0, _HELLO)
    + messages.cancel(1, 2, 3)
    + messages.haves([1, 2])
)

TARGETS = [
    Target("wire", "messages in any split", fuzz_wire, [_STREAM, _STREAM[9:]]),
    Target("peer", "a peer of a torrent, told what it likes", fuzz_peer, _SCRIPTS),
    Target("metadata_peer", "a peer of a magnet, likewise", fuzz_metadata_peer, _SCRIPTS),
]
