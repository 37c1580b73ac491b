"""The handshake that opens every connection (BEP 3): 68 bytes.

`<19>"BitTorrent protocol"<8 reserved><20 infohash><20 peer id>`
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from millstream.errors import RemoteProtocolError
from millstream.protocol.infohash import InfoHash

HANDSHAKE_LENGTH = 68
PREFIX = b"\x13BitTorrent protocol"
_INFOHASH_AT = len(PREFIX) + 8
_PEER_ID_AT = _INFOHASH_AT + 20


class Reserved(enum.IntFlag):
    """The reserved bits this implementation knows, as a 64-bit big-endian number."""

    FAST = 0x04  # BEP 6
    DHT = 0x01  # BEP 5
    EXTENSION = 0x10_0000  # BEP 10


class Handshake(NamedTuple):
    """One side's handshake. `reserved` is the 64-bit number of its 8 reserved bytes."""

    info_hash: InfoHash
    peer_id: bytes
    reserved: int

    def encode(self) -> bytes:
        """The 68 bytes to send."""
        return PREFIX + self.reserved.to_bytes(8, "big") + self.info_hash + self.peer_id


class HandshakeDecoder:
    """Collects a handshake from bytes in any split.

    Call `receive` with what arrived; it says how many bytes it took. When `info_hash` is set the
    torrent is known, which an accepting side needs before it answers; when `handshake` is set the
    decoder is done and the rest of the bytes are messages.
    """

    __slots__ = ("_bytes", "handshake", "info_hash")

    def __init__(self) -> None:
        self._bytes = bytearray()
        self.info_hash: InfoHash | None = None
        self.handshake: Handshake | None = None

    def receive(self, data: bytes | memoryview) -> int:
        """Take bytes; returns how many belonged to the handshake.

        Raises RemoteProtocolError as soon as the bytes cannot become a handshake.
        """
        taken = min(HANDSHAKE_LENGTH - len(self._bytes), len(data))
        self._bytes += data[:taken]
        seen = bytes(self._bytes)
        if not PREFIX.startswith(seen[: len(PREFIX)]):
            raise RemoteProtocolError("not a BitTorrent handshake")
        if self.info_hash is None and len(seen) >= _PEER_ID_AT:
            self.info_hash = InfoHash(seen[_INFOHASH_AT:_PEER_ID_AT])
        if self.info_hash is not None and len(seen) == HANDSHAKE_LENGTH:
            reserved = int.from_bytes(seen[len(PREFIX) : _INFOHASH_AT], "big")
            self.handshake = Handshake(self.info_hash, seen[_PEER_ID_AT:], reserved)
        return taken
