"""The accepting side, against an initiator made of the specification's formulas."""

from __future__ import annotations

import hashlib
import random

import pytest

from millstream.errors import RemoteProtocolError
from millstream.protocol.infohash import InfoHash
from millstream.protocol.mse_acceptor import MAX_INITIAL_PAYLOAD_LENGTH, MseAcceptor
from millstream.protocol.mse_keys import PRIME, CryptoMethod, torrent_hash
from millstream.protocol.rc4 import Rc4

SKEY = InfoHash(b"\x33" * 20)
TORRENTS = {torrent_hash(SKEY): SKEY}
PRIVATE = 54321
PUBLIC = pow(2, PRIVATE, PRIME).to_bytes(96, "big")
BOTH = CryptoMethod.PLAINTEXT | CryptoMethod.RC4


def sha1(*parts: bytes) -> bytes:
    return hashlib.sha1(b"".join(parts)).digest()


class Other:
    """The other side, which has its answer to the first key; `acceptor` waits for the rest."""

    def __init__(
        self, allowed: CryptoMethod = BOTH, skey: bytes = SKEY, *, prefer_rc4: bool = False
    ) -> None:
        rng = random.Random(6)
        self.acceptor = MseAcceptor(
            TORRENTS.get, allowed, Rc4, rng.randbytes, prefer_rc4=prefer_rc4
        )
        self.skey = skey
        self.acceptor.receive(PUBLIC)
        second = self.acceptor.take_output()
        self.pad_length = len(second) - 96
        self.secret = pow(int.from_bytes(second[:96], "big"), PRIVATE, PRIME).to_bytes(96, "big")
        self.outgoing, self.incoming = (
            Rc4(sha1(name, self.secret, skey)) for name in (b"keyA", b"keyB")
        )
        for cipher in (self.incoming, self.outgoing):
            cipher.update(bytes(1024))

    def third(
        self,
        *,
        provide: int = 3,
        pad: bytes = b"",
        pad_length: int | None = None,
        payload: bytes = b"hello",
        payload_length: int | None = None,
        constant: bytes = bytes(8),
    ) -> bytes:
        mask = int.from_bytes(sha1(b"req3", self.secret), "big")
        torrent = int.from_bytes(sha1(b"req2", self.skey), "big") ^ mask
        pad_field = len(pad) if pad_length is None else pad_length
        payload_field = len(payload) if payload_length is None else payload_length
        fields = (
            constant
            + provide.to_bytes(4, "big")
            + pad_field.to_bytes(2, "big")
            + pad
            + payload_field.to_bytes(2, "big")
            + payload
        )
        return (
            sha1(b"req1", self.secret) + torrent.to_bytes(20, "big") + self.outgoing.update(fields)
        )

    def read_fourth(self) -> int:
        """Check what it answers; returns crypto_select."""
        fields = self.incoming.update(self.acceptor.take_output())
        assert fields[:8] == bytes(8)
        assert len(fields) == 14 + int.from_bytes(fields[12:14], "big")
        return int.from_bytes(fields[8:12], "big")


@pytest.mark.parametrize(
    ("provide", "allowed", "prefer_rc4", "selected"),
    [
        (3, BOTH, False, 1),
        (3, BOTH, True, 2),
        (0xFFFFFFFF, BOTH, False, 1),
        (0xFFFFFFFF, BOTH, True, 2),
        (2, BOTH, False, 2),
        (1, BOTH, True, 1),
        (3, CryptoMethod.RC4, False, 2),
        (3, CryptoMethod.PLAINTEXT, True, 1),
    ],
)
def test_what_it_answers(provide, allowed, prefer_rc4, selected):
    other = Other(allowed, prefer_rc4=prefer_rc4)
    third = other.third(provide=provide)
    assert other.acceptor.receive(third + b"more") == len(third)
    assert other.acceptor.method == selected
    assert other.read_fourth() == selected
    assert (other.acceptor.info_hash, other.acceptor.initial_payload) == (SKEY, b"hello")


@pytest.mark.parametrize(
    ("provide", "allowed"),
    [(0, BOTH), (4, BOTH), (1, CryptoMethod.RC4), (2, CryptoMethod.PLAINTEXT)],
)
def test_nothing_that_it_may_choose(provide, allowed):
    other = Other(allowed)
    with pytest.raises(RemoteProtocolError, match="not allowed"):
        other.acceptor.receive(other.third(provide=provide))


@pytest.mark.parametrize("pad_length", [0, 1, 511, 512])
def test_pads_of_the_other_side(pad_length):
    other = Other()
    other.acceptor.receive(b"p" * pad_length + other.third(pad=b"q" * pad_length))
    assert other.acceptor.is_done


def test_it_says_nothing_before_the_key_is_whole():
    acceptor = MseAcceptor(TORRENTS.get, BOTH, Rc4, random.Random(0).randbytes)
    assert acceptor.take_output() == b""
    acceptor.receive(PUBLIC[:95])
    assert acceptor.take_output() == b""
    acceptor.receive(PUBLIC[95:])
    assert 96 <= len(acceptor.take_output()) <= 608


@pytest.mark.parametrize("step", [1, 700])
def test_no_mark_within_a_pads_length(step):
    other = Other()
    noise = b"n" * 532
    for at in range(0, len(noise) - 1, step):
        other.acceptor.receive(noise[at : min(at + step, len(noise) - 1)])
    with pytest.raises(RemoteProtocolError, match="no encrypted handshake"):
        other.acceptor.receive(b"n")


def test_a_mark_too_late_is_none():
    other = Other()
    with pytest.raises(RemoteProtocolError, match="no encrypted handshake"):
        other.acceptor.receive(b"n" * 513 + other.third())


def test_another_torrent():
    other = Other(skey=b"\x44" * 20)
    with pytest.raises(RemoteProtocolError, match="not here"):
        other.acceptor.receive(other.third())


def test_a_constant_that_does_not_verify():
    other = Other()
    with pytest.raises(RemoteProtocolError, match="verify"):
        other.acceptor.receive(other.third(constant=b"\0\0\0\0\0\0\0\1"))


@pytest.mark.parametrize("pad_length", [513, 65535])
def test_a_pad_that_is_too_long(pad_length):
    other = Other()
    with pytest.raises(RemoteProtocolError, match="pad of"):
        other.acceptor.receive(other.third(pad_length=pad_length))


def test_the_longest_initial_payload():
    other = Other()
    payload = bytes(range(256)) * (MAX_INITIAL_PAYLOAD_LENGTH // 256)
    data = b"p" * 512 + other.third(pad=b"q" * 512, payload=payload)
    assert other.acceptor.receive(data + b"more") == len(data)
    assert other.acceptor.initial_payload == payload


@pytest.mark.parametrize("length", [MAX_INITIAL_PAYLOAD_LENGTH + 1, 65535])
def test_an_initial_payload_that_is_too_long(length):
    other = Other()
    with pytest.raises(RemoteProtocolError, match="initial payload"):
        other.acceptor.receive(other.third(payload_length=length))


def test_no_initial_payload():
    other = Other()
    third = other.third(payload=b"")
    assert other.acceptor.receive(third) == len(third)
    assert (other.acceptor.initial_payload, other.acceptor.is_done) == (b"", True)


def test_a_flood_is_not_kept():
    other = Other()
    with pytest.raises(RemoteProtocolError):
        other.acceptor.receive(bytes(1 << 20))
    assert len(other.acceptor._bytes) < 6000
