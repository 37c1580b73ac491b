"""The connecting side, against an acceptor made of the specification's formulas."""

from __future__ import annotations

import hashlib
import random

import pytest

from millstream.errors import RemoteProtocolError
from millstream.protocol.infohash import InfoHash
from millstream.protocol.mse_initiator import MseInitiator
from millstream.protocol.mse_keys import PRIME, CryptoMethod
from millstream.protocol.rc4 import Rc4

SKEY = InfoHash(b"\x22" * 20)
OPENING = b"our handshake"
PRIVATE = 12345
PUBLIC = pow(2, PRIVATE, PRIME).to_bytes(96, "big")
BOTH = CryptoMethod.PLAINTEXT | CryptoMethod.RC4


def sha1(*parts: bytes) -> bytes:
    return hashlib.sha1(b"".join(parts)).digest()


class Other:
    """The other side; `initiator` has sent its key."""

    def __init__(self, offer: CryptoMethod = BOTH) -> None:
        self.initiator = MseInitiator(SKEY, OPENING, offer, Rc4, random.Random(5).randbytes)
        first = self.initiator.take_output()
        self.secret = pow(int.from_bytes(first[:96], "big"), PRIVATE, PRIME).to_bytes(96, "big")
        self.pad_length = len(first) - 96
        self.incoming, self.outgoing = (
            Rc4(sha1(name, self.secret, SKEY)) for name in (b"keyA", b"keyB")
        )
        for cipher in (self.incoming, self.outgoing):
            cipher.update(bytes(1024))

    def answer(self, select: int = 2, pad: bytes = b"", pad_length: int | None = None) -> bytes:
        length = len(pad) if pad_length is None else pad_length
        fields = select.to_bytes(4, "big") + length.to_bytes(2, "big")
        return self.outgoing.update(bytes(8) + fields + pad)


def test_what_it_sends():
    other = Other()
    assert 0 <= other.pad_length <= 512
    other.initiator.receive(PUBLIC)
    third = other.initiator.take_output()

    assert third[:20] == sha1(b"req1", other.secret)
    mask = int.from_bytes(sha1(b"req3", other.secret), "big")
    assert int.from_bytes(third[20:40], "big") ^ mask == int.from_bytes(sha1(b"req2", SKEY), "big")
    fields = other.incoming.update(third[40:])
    assert fields[:8] == bytes(8)
    assert fields[8:12] == b"\0\0\0\3"
    pad_length = int.from_bytes(fields[12:14], "big")
    rest = fields[14 + pad_length :]
    assert pad_length <= 512
    assert rest == len(OPENING).to_bytes(2, "big") + OPENING


def test_it_sends_its_third_part_without_waiting_for_the_pad():
    other = Other()
    other.initiator.receive(PUBLIC[:95])
    assert other.initiator.take_output() == b""
    other.initiator.receive(PUBLIC[95:])
    assert other.initiator.take_output()


@pytest.mark.parametrize("pad_length", [0, 1, 511, 512])
def test_pads_of_the_other_side(pad_length):
    other = Other()
    data = PUBLIC + b"p" * pad_length + other.answer(pad=b"q" * pad_length)
    assert other.initiator.receive(data + b"stream") == len(data)
    assert other.initiator.method is CryptoMethod.RC4


def test_a_pad_that_ends_like_the_mark():
    """Part of the mark within the pad, and cut by the end of what came."""
    other = Other()
    answer = other.answer()
    other.initiator.receive(PUBLIC + b"pad" + answer[:7])
    other.initiator.receive(answer[:8])
    assert not other.initiator.is_done
    other.initiator.receive(answer[8:])
    assert other.initiator.is_done


@pytest.mark.parametrize("step", [1, 600])
def test_no_mark_within_a_pads_length(step):
    other = Other()
    noise = PUBLIC + b"n" * 520
    for at in range(0, len(noise) - 1, step):
        other.initiator.receive(noise[at : min(at + step, len(noise) - 1)])
    with pytest.raises(RemoteProtocolError, match="no encrypted handshake"):
        other.initiator.receive(noise[-1:])


def test_a_mark_too_late_is_none():
    other = Other()
    with pytest.raises(RemoteProtocolError, match="no encrypted handshake"):
        other.initiator.receive(PUBLIC + b"n" * 513 + other.answer())


@pytest.mark.parametrize(
    ("offer", "select"),
    [(BOTH, 0), (BOTH, 3), (BOTH, 4), (BOTH, 1 << 31), (CryptoMethod.RC4, 1), (CryptoMethod(1), 2)],
)
def test_a_choice_that_was_not_offered(offer, select):
    other = Other(offer)
    with pytest.raises(RemoteProtocolError, match="not offered"):
        other.initiator.receive(PUBLIC + other.answer(select))


@pytest.mark.parametrize("pad_length", [513, 65535])
def test_a_pad_that_is_too_long(pad_length):
    other = Other()
    with pytest.raises(RemoteProtocolError, match="pad of"):
        other.initiator.receive(PUBLIC + other.answer(pad_length=pad_length))


@pytest.mark.parametrize("key", [bytes(96), b"\xff" * 96])
def test_a_degenerate_key(key):
    with pytest.raises(RemoteProtocolError, match="degenerate"):
        Other().initiator.receive(key)


def test_a_flood_is_not_kept():
    other = Other()
    with pytest.raises(RemoteProtocolError):
        other.initiator.receive(PUBLIC + bytes(1 << 20))
    assert len(other.initiator._bytes) < 2000


def test_a_plain_handshake_is_not_waited_out():
    other = Other()
    with pytest.raises(RemoteProtocolError, match="plain handshake"):
        other.initiator.receive(b"\x13BitTorrent protocol")
