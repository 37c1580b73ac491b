"""The keys of Message Stream Encryption (MSE, also called protocol encryption, PE).

MSE has no BEP; the specification is the page "Message Stream Encryption" of the Azureus wiki, and
libtorrent, Transmission and uTorrent agree with it. It hides the BitTorrent handshake from those
who watch the line and keeps no secret from those who know the infohash.

Both sides agree on a shared secret S by Diffie-Hellman. The infohash, SKEY there, is what a watcher
lacks: the keys of both streams are SHA-1 over S and SKEY.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable
from typing import Protocol

from millstream.errors import RemoteProtocolError
from millstream.protocol.infohash import InfoHash

PRIME = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"
    "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
    "4FE1356D6D51C245E485B576625E7EC6F44C42E9A63A36210000000000090563",
    16,
)
GENERATOR = 2
KEY_LENGTH = 96  # a public key and S: 768 bits, big-endian, zeros in front
PRIVATE_KEY_LENGTH = 20  # the specification's advice; libtorrent does the same

# The bytes of random length that follow each side's key, and each side's choice of a method.
MAX_PAD_LENGTH = 512

VERIFICATION_CONSTANT = bytes(8)  # "VC"
HASH_LENGTH = 20

# RC4's first output gives away some of the key; it is thrown away.
DISCARDED_LENGTH = 1024


class CryptoMethod(enum.IntFlag):
    """How the stream goes on after the handshake: the bits of crypto_provide and crypto_select."""

    PLAINTEXT = 0x01
    RC4 = 0x02


class StreamCipher(Protocol):
    """One direction of an encrypted stream; encrypting and decrypting are the same."""

    def update(self, data: bytes | bytearray | memoryview, /) -> bytes:
        """What follows in the stream."""

    def update_into(
        self, data: bytes | bytearray | memoryview, into: bytearray | memoryview, /
    ) -> int:
        """The same into a buffer, which may be the data's own memory; returns the length."""


RandomBytes = Callable[[int], bytes]
CipherFactory = Callable[[bytes], StreamCipher]


class KeyExchange:
    """One side of the Diffie-Hellman exchange. Each method costs a fraction of a millisecond."""

    __slots__ = ("_private",)

    def __init__(self, random_bytes: RandomBytes) -> None:
        self._private = int.from_bytes(random_bytes(PRIVATE_KEY_LENGTH), "big")

    def public_key(self) -> bytes:
        """What to send, 96 bytes."""
        return pow(GENERATOR, self._private, PRIME).to_bytes(KEY_LENGTH, "big")

    def secret(self, remote: bytes | bytearray | memoryview) -> bytes:
        """S, 96 bytes. Raises RemoteProtocolError for a key that would make it a constant."""
        key = int.from_bytes(remote, "big")
        # 0, 1 and -1, and what lies beyond the prime; libtorrent refuses them too.
        if not 2 <= key <= PRIME - 2:
            raise RemoteProtocolError("degenerate key in an encrypted handshake")
        return pow(key, self._private, PRIME).to_bytes(KEY_LENGTH, "big")


def sync_hash(secret: bytes) -> bytes:
    """HASH('req1', S): marks where the initiator's random bytes end."""
    return hashlib.sha1(b"req1" + secret).digest()


def torrent_hash(info_hash: bytes) -> bytes:
    """HASH('req2', SKEY): what an accepting side looks torrents up by."""
    return hashlib.sha1(b"req2" + info_hash).digest()


def masked(torrent: bytes, secret: bytes) -> bytes:
    """A `torrent_hash` xor HASH('req3', S), as it is sent; the same again unmasks it."""
    mask = int.from_bytes(hashlib.sha1(b"req3" + secret).digest(), "big")
    return (int.from_bytes(torrent, "big") ^ mask).to_bytes(HASH_LENGTH, "big")


def make_streams(
    make_cipher: CipherFactory, secret: bytes, info_hash: InfoHash
) -> tuple[StreamCipher, StreamCipher]:
    """The initiator's stream and the accepting side's, each at its beginning."""
    streams = []
    for name in (b"keyA", b"keyB"):
        stream = make_cipher(hashlib.sha1(name + secret + info_hash).digest())
        stream.update(bytes(DISCARDED_LENGTH))
        streams.append(stream)
    return streams[0], streams[1]


def make_pad(random_bytes: RandomBytes) -> bytes:
    """Random bytes of a random length, 0 to 512."""
    return random_bytes(int.from_bytes(random_bytes(2), "big") % (MAX_PAD_LENGTH + 1))
