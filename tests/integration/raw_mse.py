"""Raw peers that open by Message Stream Encryption. Nothing here is Millstream's.

Both sides of the handshake, written down from the specification, with everything adjustable that a
hostile peer would like to adjust.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Protocol

from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher

from .raw_peer import RawPeer, handshake

PRIME = int(
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74"
    "020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437"
    "4fe1356d6d51c245e485b576625e7ec6f44c42e9a63a36210000000000090563",
    16,
)
PRIVATE = 0x1234567890ABCDEF1234567890ABCDEF12345678
PUBLIC = pow(2, PRIVATE, PRIME).to_bytes(96, "big")
PLAINTEXT, RC4 = 1, 2


class Stream(Protocol):
    def update(self, data: bytes) -> bytes: ...


def sha1(*parts: bytes) -> bytes:
    return hashlib.sha1(b"".join(parts)).digest()


def xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def rc4(key: bytes) -> Stream:
    stream = Cipher(ARC4(key), mode=None).encryptor()
    stream.update(bytes(1024))
    return stream


class DecryptingReader:
    """A reader whose bytes are decrypted."""

    def __init__(self, reader: asyncio.StreamReader, stream: Stream) -> None:
        self._reader = reader
        self._stream = stream

    async def readexactly(self, length: int) -> bytes:
        return self._stream.update(await self._reader.readexactly(length))

    async def read(self, length: int) -> bytes:
        return self._stream.update(await self._reader.read(length))


class MsePeer(RawPeer):
    """A raw peer; after `shake_hands` or `answer` it speaks as was agreed.

    Attributes:
        step: how many bytes it sends at a time during the handshake; 0 for all at once.
    """

    step = 0
    secret = b""
    outgoing: Stream | None = None

    def send(self, *data: bytes) -> None:
        joined = b"".join(data)
        super().send(joined if self.outgoing is None else self.outgoing.update(joined))

    async def send_slowly(self, data: bytes) -> None:
        for at in range(0, len(data), self.step or len(data)):
            self.writer.write(data[at : at + self.step] if self.step else data)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def send_key(self, pad: int = 0) -> None:
        """Ya or Yb, and so many bytes of padding."""
        await self.send_slowly(PUBLIC + b"\xaa" * pad)

    async def receive_key(self) -> None:
        """The other side's, without its padding."""
        remote = int.from_bytes(await self.reader.readexactly(96), "big")
        self.secret = pow(remote, PRIVATE, PRIME).to_bytes(96, "big")

    async def read_behind(self, mark: bytes) -> None:
        """Read over the other side's padding, up to and including the mark."""
        seen = await self.reader.readexactly(len(mark))
        while not seen.endswith(mark):
            assert len(seen) < 512 + len(mark), "nothing follows the padding"
            seen += await self.reader.readexactly(1)

    def offer(
        self,
        skey: bytes,
        payload: bytes,
        *,
        provide: int = PLAINTEXT | RC4,
        pad: int = 0,
        constant: bytes = bytes(8),
    ) -> tuple[bytes, Stream, Stream]:
        """The initiator's second message, and the streams out and in."""
        outgoing, incoming = (rc4(sha1(name, self.secret, skey)) for name in (b"keyA", b"keyB"))
        fields = (
            constant
            + provide.to_bytes(4, "big")
            + pad.to_bytes(2, "big")
            + bytes(pad)
            + len(payload).to_bytes(2, "big")
            + payload
        )
        torrent = xor(sha1(b"req2", skey), sha1(b"req3", self.secret))
        message = sha1(b"req1", self.secret) + torrent + outgoing.update(fields)
        return message, outgoing, incoming

    async def shake_hands(
        self,
        info_hash: bytes,
        *,
        provide: int = PLAINTEXT | RC4,
        pad: int = 0,
        more: bytes = b"",
        split_payload: int = 68,
    ) -> int:
        """Open, with a handshake and `more` behind it; returns what the engine selected.

        So many bytes of that are sent as the initial payload; the rest follows the handshake.
        """
        payload = handshake(info_hash, self.peer_id) + more
        await self.send_key(pad)
        await self.receive_key()
        early, late = payload[:split_payload], payload[split_payload:]
        message, outgoing, incoming = self.offer(info_hash, early, provide=provide, pad=pad)
        await self.send_slowly(message)
        await self.read_behind(incoming.update(bytes(8)))
        select = await self.take_up(incoming, outgoing)
        self.send(late)
        self.engine_handshake = await self.reader.readexactly(68)
        return select

    async def take_up(self, incoming: Stream, outgoing: Stream) -> int:
        """Read the rest of the acceptor's message and go on as it selected."""
        fields = incoming.update(await self.reader.readexactly(6))
        incoming.update(await self.reader.readexactly(int.from_bytes(fields[4:], "big")))
        select = int.from_bytes(fields[:4], "big")
        self.go_on(select, incoming, outgoing)
        return select

    def go_on(self, select: int, incoming: Stream, outgoing: Stream) -> None:
        if select == RC4:
            self.outgoing = outgoing
            self.reader = DecryptingReader(self.reader, incoming)  # type: ignore[assignment]

    async def answer(
        self, info_hash: bytes, *, select: int = RC4, pad: int = 0, greet: bool = True
    ) -> int:
        """Accept what the engine opened; returns what it provided."""
        await self.receive_key()
        await self.send_key(pad)
        await self.read_behind(sha1(b"req1", self.secret))
        torrent = await self.reader.readexactly(20)
        assert torrent == xor(sha1(b"req2", info_hash), sha1(b"req3", self.secret))
        incoming, outgoing = (
            rc4(sha1(name, self.secret, info_hash)) for name in (b"keyA", b"keyB")
        )
        fields = incoming.update(await self.reader.readexactly(14))
        assert fields[:8] == bytes(8)
        their_pad = int.from_bytes(fields[12:], "big")
        rest = incoming.update(await self.reader.readexactly(their_pad + 2))
        length = int.from_bytes(rest[-2:], "big")
        self.engine_handshake = incoming.update(await self.reader.readexactly(length))
        choice = select.to_bytes(4, "big") + pad.to_bytes(2, "big") + bytes(pad)
        await self.send_slowly(outgoing.update(bytes(8) + choice))
        self.go_on(select, incoming, outgoing)
        if greet:
            self.send(handshake(info_hash, self.peer_id))
        return int.from_bytes(fields[8:12], "big")
