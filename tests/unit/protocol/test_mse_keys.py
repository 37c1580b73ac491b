from __future__ import annotations

import hashlib
import random

import pytest

from millstream.errors import RemoteProtocolError
from millstream.protocol.infohash import InfoHash
from millstream.protocol.mse_keys import (
    DISCARDED_LENGTH,
    KEY_LENGTH,
    MAX_PAD_LENGTH,
    PRIME,
    CryptoMethod,
    KeyExchange,
    make_pad,
    make_streams,
    masked,
    sync_hash,
    torrent_hash,
)
from millstream.protocol.rc4 import Rc4

SKEY = InfoHash(bytes(range(20)))


def test_the_prime_is_that_of_the_specification():
    assert PRIME.bit_length() == 768
    assert PRIME.to_bytes(96, "big")[:8] == b"\xff" * 8
    assert hex(PRIME).endswith("a63a36210000000000090563")


def test_both_sides_get_the_same_secret():
    rng = random.Random(1)
    one, other = KeyExchange(rng.randbytes), KeyExchange(rng.randbytes)
    secret = one.secret(other.public_key())
    assert secret == other.secret(one.public_key())
    assert len(secret) == len(one.public_key()) == KEY_LENGTH


def test_a_short_number_is_still_96_bytes():
    exchange = KeyExchange(lambda count: (3).to_bytes(count, "big"))
    assert exchange.public_key() == (8).to_bytes(96, "big")
    assert exchange.secret((2).to_bytes(96, "big")) == (8).to_bytes(96, "big")


@pytest.mark.parametrize("key", [0, 1, PRIME - 1, PRIME, 2**768 - 1])
def test_keys_that_fix_the_secret_are_refused(key):
    with pytest.raises(RemoteProtocolError, match="degenerate"):
        KeyExchange(random.Random(1).randbytes).secret(key.to_bytes(96, "big"))


@pytest.mark.parametrize("key", [2, PRIME - 2])
def test_the_keys_next_to_them_are_taken(key):
    assert len(KeyExchange(random.Random(1).randbytes).secret(key.to_bytes(96, "big"))) == 96


def test_hashes_are_those_of_the_specification():
    secret = bytes(96)
    assert sync_hash(secret) == hashlib.sha1(b"req1" + secret).digest()
    assert torrent_hash(SKEY) == hashlib.sha1(b"req2" + SKEY).digest()
    mask = hashlib.sha1(b"req3" + secret).digest()
    sent = masked(torrent_hash(SKEY), secret)
    assert sent == bytes(a ^ b for a, b in zip(torrent_hash(SKEY), mask, strict=True))
    assert masked(sent, secret) == torrent_hash(SKEY)


def test_a_mask_keeps_zeros_in_front():
    secret = b"s" * 96
    mask = hashlib.sha1(b"req3" + secret).digest()
    assert masked(mask, secret) == bytes(20)


def test_streams_begin_after_what_is_discarded():
    secret = b"s" * 96
    initiators, acceptors = make_streams(Rc4, secret, SKEY)
    for stream, name in ((initiators, b"keyA"), (acceptors, b"keyB")):
        whole = Rc4(hashlib.sha1(name + secret + SKEY).digest()).update(bytes(1044))
        assert stream.update(bytes(20)) == whole[DISCARDED_LENGTH:]


def test_pads_have_every_length_up_to_the_greatest():
    lengths = {
        len(make_pad(lambda count, n=n: n.to_bytes(2, "big") if count == 2 else bytes(count)))
        for n in range(MAX_PAD_LENGTH + 1)
    }
    assert lengths == set(range(513))
    assert len(make_pad(lambda count: b"\xff" * count)) <= MAX_PAD_LENGTH


def test_methods_are_the_bits_of_the_wire():
    assert (CryptoMethod.PLAINTEXT, CryptoMethod.RC4) == (1, 2)
