"""A peer of a simulated swarm that is no engine: it says what a test has it say, when it likes."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from itertools import count
from typing import Any

from millstream.adapters.memory import MemoryHost, MemoryNetwork
from millstream.interfaces.network import Connection
from millstream.protocol import bencode, messages, ut_metadata
from millstream.protocol.compact import PeerAddress
from millstream.protocol.extension import OUR_IDS, ExtensionHandshake, extended
from millstream.protocol.handshake import Handshake, Reserved
from millstream.protocol.infohash import InfoHash
from millstream.protocol.messages import MessageId
from millstream.protocol.ut_metadata import MetadataData, MetadataRequest

HANDSHAKE_LENGTH = 68
BOTH = Reserved.FAST | Reserved.EXTENSION

_numbers = count(1)


class ScriptedPeer:
    """Listens on a host of its own, and connects where it is told to.

    Attributes:
        address: where it listens.
        info: the info dictionary that it serves; None: it has none and rejects requests.
        says: its extension handshake; the metadata's size is that of `info` if it says no other.
        greeting: sent behind the handshakes.
        content: what it answers requests for blocks from; None: it does not.
        answer: replaces how it answers requests for metadata: gives the payload, or None for none.
        heard: every message that came, as kind and payload.
        extended_heard: every extended message: its id (ours), and its payload.
        connections: the open ones, the latest last.
    """

    def __init__(
        self,
        network: MemoryNetwork,
        address: str,
        info_hash: InfoHash,
        *,
        info: bytes | None = None,
        says: ExtensionHandshake | None = None,
        greeting: bytes = b"",
        content: bytes | None = None,
        piece_length: int = 0,
        answer: Callable[[int], bytes | None] | None = None,
        reserved: Reserved = BOTH,
    ) -> None:
        self.host: MemoryHost = network.host(address)
        self.address = PeerAddress(self.host.address, 6881)
        self.info_hash = info_hash
        self.info = info
        self.says = says or ExtensionHandshake(
            messages=dict(OUR_IDS), metadata_size=len(info) if info else None
        )
        self.greeting = greeting
        self.content = content
        self.piece_length = piece_length
        self.answer = answer or self.serve
        self.reserved = reserved
        self.peer_id = b"-SC0001-%012d" % next(_numbers)
        self.heard: list[tuple[int, bytes]] = []
        self.extended_heard: list[tuple[int, bytes]] = []
        self.handshakes: list[dict[bytes, Any]] = []
        self.connections: list[_Conversation] = []
        self.met = 0

    async def listen(self) -> ScriptedPeer:
        await self.host.listen(self.address, lambda opened: _Conversation(self, opened))
        return self

    async def connect(self, address: PeerAddress) -> _Conversation:
        connection = await self.host.connect(
            address, lambda opened: _Conversation(self, opened, incoming=False)
        )
        conversation = self.connections[-1]
        connection.write(conversation.opening)
        return conversation

    def serve(self, piece: int) -> bytes:
        """The honest answer to a request for metadata."""
        if self.info is None:
            return ut_metadata.encode(ut_metadata.MetadataReject(piece))
        begin = piece * ut_metadata.METADATA_PIECE_LENGTH
        data = self.info[begin : begin + ut_metadata.METADATA_PIECE_LENGTH]
        return ut_metadata.encode(MetadataData(piece, len(self.info), data))

    def send(self, data: bytes) -> None:
        """Say something to everyone."""
        for conversation in self.connections:
            conversation.connection.write(data)

    def send_extended(self, name: str, payload: bytes) -> None:
        """Say something by an extension, under the engine's id for it."""
        self.send(extended(OUR_IDS[name], payload))

    def kinds(self) -> list[int]:
        return [kind for kind, _ in self.heard]


class _Conversation:
    """One connection; implements `interfaces.network.ConnectionHandler`."""

    def __init__(
        self, peer: ScriptedPeer, connection: Connection, *, incoming: bool = True
    ) -> None:
        self.peer = peer
        self.connection = connection
        self.incoming = incoming
        self.is_lost = False
        self._kept = b""
        self._greeted = False
        self.opening = Handshake(peer.info_hash, peer.peer_id, peer.reserved).encode()
        peer.connections.append(self)
        peer.met += 1

    def data_received(self, view: memoryview) -> None:
        self._kept += bytes(view)
        if not self._greeted:
            if len(self._kept) < HANDSHAKE_LENGTH:
                return
            self._kept = self._kept[HANDSHAKE_LENGTH:]
            self._greeted = True
            hello = extended(0, self.peer.says.encode())
            self.connection.write((self.opening if self.incoming else b"") + hello)
            self.connection.write(self.peer.greeting)
        while len(self._kept) >= 4:
            (length,) = struct.unpack(">I", self._kept[:4])
            if len(self._kept) < 4 + length:
                return
            body, self._kept = self._kept[4 : 4 + length], self._kept[4 + length :]
            if body:
                self._take(body[0], body[1:])

    def _take(self, kind: int, payload: bytes) -> None:
        peer = self.peer
        peer.heard.append((kind, payload))
        if kind == MessageId.EXTENDED:
            peer.extended_heard.append((payload[0], payload[1:]))
            self._take_extended(payload[0], payload[1:])
        elif kind == MessageId.REQUEST and peer.content is not None:
            index, begin, length = struct.unpack(">3I", payload)
            at = index * peer.piece_length + begin
            block = peer.content[at : at + length]
            self.connection.write(messages.piece_header(index, begin, length) + block)

    def _take_extended(self, identity: int, payload: bytes) -> None:
        if identity == 0:
            said = bencode.decode(payload)
            assert isinstance(said, dict)
            self.peer.handshakes.append(said)
        elif identity == self.peer.says.messages.get("ut_metadata"):
            message = ut_metadata.parse(payload)
            if isinstance(message, MetadataRequest):
                answer = self.peer.answer(message.piece)
                if answer is not None:
                    self.connection.write(extended(OUR_IDS["ut_metadata"], answer))

    def output_drained(self) -> None:
        pass

    def connection_lost(self, reason: Exception | None) -> None:
        self.is_lost = True
        self.peer.connections.remove(self)


async def until(condition: Callable[[], object]) -> None:
    """Wait, in virtual time, until a condition holds."""
    while not condition():  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(0.05)
