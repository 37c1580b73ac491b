"""Peers on raw sockets, that can be as hostile as a test likes. Nothing here is Millstream's."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import socket
import struct
from typing import ClassVar

FAST = bytes([0, 0, 0, 0, 0, 0, 0, 4])
PLAIN = bytes(8)
EXTENDING = bytes([0, 0, 0, 0, 0, 0x10, 0, 4])
"""The Fast extension and the extension protocol."""
BLOCK = 16384

CHOKE, UNCHOKE, INTERESTED, NOT_INTERESTED, HAVE, BITFIELD, REQUEST, PIECE, CANCEL = range(9)
SUGGEST, HAVE_ALL, HAVE_NONE, REJECT, ALLOWED_FAST = range(13, 18)
EXTENDED = 20

UT_METADATA, UT_PEX, LT_DONTHAVE, UPLOAD_ONLY = range(1, 5)
"""The ids at which the engine takes these; it says so in its extension handshake."""
METADATA_PIECE = 16384

_peer_numbers = itertools.count()


def message(kind: int, *numbers: int, payload: bytes = b"") -> bytes:
    body = bytes([kind]) + struct.pack(f">{len(numbers)}I", *numbers) + payload
    return struct.pack(">I", len(body)) + body


def extended(identity: int, payload: bytes) -> bytes:
    """A message of an extension (BEP 10)."""
    return message(EXTENDED, payload=bytes([identity]) + payload)


def extension_handshake(*fields: bytes) -> bytes:
    """Of bencoded keys and values; by default what every good peer says."""
    said = b"".join(fields) or b"1:md11:ut_metadatai21e6:ut_pexi22ee"
    return extended(0, b"d" + said + b"e")


def metadata_request(piece: int) -> bytes:
    return extended(UT_METADATA, b"d8:msg_typei0e5:piecei%dee" % piece)


def metadata_data(piece: int, total: int, data: bytes) -> bytes:
    said = b"d8:msg_typei1e5:piecei%de10:total_sizei%dee" % (piece, total)
    return extended(UT_METADATA, said + data)


def handshake(info_hash: bytes, peer_id: bytes, reserved: bytes = FAST) -> bytes:
    return b"\x13BitTorrent protocol" + reserved + info_hash + peer_id


def new_peer_id() -> bytes:
    return b"-RAW001-%012d" % next(_peer_numbers)


class RawPeer:
    """One end of a connection to an engine. `everyone` is closed after each test."""

    everyone: ClassVar[list[RawPeer]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.peer_id = new_peer_id()
        self.port: int = writer.get_extra_info("sockname")[1]
        self.engine_handshake = b""
        self.info = b""
        self.everyone.append(self)

    @classmethod
    async def connect(cls, port: int | None, *, receive_buffer: int = 0) -> RawPeer:
        """Connect to an engine on this machine; by default with the system's receive buffer."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        return cls(*await asyncio.open_connection(sock=sock))

    async def greet(self, info_hash: bytes, reserved: bytes = FAST) -> None:
        """Exchange handshakes."""
        self.writer.write(handshake(info_hash, self.peer_id, reserved))
        self.engine_handshake = await self.reader.readexactly(68)

    def send(self, *data: bytes) -> None:
        self.writer.write(b"".join(data))

    async def receive(self) -> tuple[int, bytes]:
        """The next message's kind and payload; keep-alives are passed over."""
        while True:
            length = int.from_bytes(await self.reader.readexactly(4), "big")
            if length:
                body = await self.reader.readexactly(length)
                return body[0], body[1:]

    async def receive_kind(self, kind: int) -> tuple[int, ...]:
        """Wait for a message of a kind; returns the numbers in it."""
        while True:
            got, payload = await self.receive()
            if got == kind:
                return struct.unpack(f">{len(payload) // 4}I", payload)

    async def wait_closed(self) -> bytes:
        """Wait until the engine closes the connection; returns what it sent before."""
        received = b""
        with contextlib.suppress(ConnectionError):
            while data := await self.reader.read(1 << 16):
                received += data
        return received

    def reset(self) -> None:
        """Drop the connection without a goodbye (TCP RST)."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()

    async def serve(self, content: bytes, piece_length: int) -> None:
        """Answer requests, rightly and at once, until the connection ends."""
        self.send(message(UNCHOKE))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, payload = await self.receive()
                if kind == EXTENDED:
                    self._serve_metadata(payload)
                elif kind == REQUEST:
                    index, begin, length = struct.unpack(">3I", payload)
                    at = index * piece_length + begin
                    self.send(message(PIECE, index, begin, payload=content[at : at + length]))

    # The extension protocol.

    def offer_extensions(self) -> None:
        """Say that we speak it, and have no metadata so far."""
        self.send(extension_handshake())

    def offer_metadata(self, info: bytes) -> None:
        """Have the info dictionary from now on; `serve` gives it to who asks."""
        self.info = info
        self.send(extension_handshake(b"13:metadata_sizei%de" % len(info)))

    def _serve_metadata(self, payload: bytes) -> None:
        found = re.fullmatch(rb"\x15d8:msg_typei0e5:piecei(\d+)ee", payload)
        if found:
            at = int(found[1]) * METADATA_PIECE
            data = self.info[at : at + METADATA_PIECE]
            self.send(metadata_data(int(found[1]), len(self.info), data))

    async def receive_extended(self, identity: int) -> bytes:
        """Wait for a message under an id of ours; returns its payload."""
        while True:
            kind, payload = await self.receive()
            if kind == EXTENDED and payload[0] == identity:
                return payload[1:]

    async def ping(self) -> None:
        """Wait until the engine has dealt with all that was sent; it must not have dropped us.

        For a peer that speaks Fast: a piece that the engine lacks is refused.
        """
        wish = (7, 0, BLOCK)
        self.send(message(REQUEST, *wish))
        while await self.receive_kind(REJECT) != wish:
            pass
