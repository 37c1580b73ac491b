"""Both sides against each other. Each side against hand-made bytes: test_mse_initiator, _acceptor."""

from __future__ import annotations

import itertools
import random

import pytest

from millstream.protocol.infohash import InfoHash
from millstream.protocol.mse_acceptor import MseAcceptor
from millstream.protocol.mse_handshake import MseHandshake
from millstream.protocol.mse_initiator import MseInitiator
from millstream.protocol.mse_keys import CryptoMethod, torrent_hash
from millstream.protocol.rc4 import Rc4

PLAIN, RC4 = CryptoMethod.PLAINTEXT, CryptoMethod.RC4
BOTH = PLAIN | RC4
SKEY = InfoHash(b"\x11" * 20)
TORRENTS = {torrent_hash(SKEY): SKEY}
OPENING = b"\x13BitTorrent protocol and so on"


def make_pair(
    offer: CryptoMethod = BOTH,
    allowed: CryptoMethod = BOTH,
    *,
    prefer_rc4: bool = True,
    seed: int = 0,
) -> tuple[MseInitiator, MseAcceptor]:
    rng = random.Random(seed)
    initiator = MseInitiator(SKEY, OPENING, offer, Rc4, rng.randbytes)
    acceptor = MseAcceptor(TORRENTS.get, allowed, Rc4, rng.randbytes, prefer_rc4=prefer_rc4)
    return initiator, acceptor


def give(to: MseHandshake, data: bytes, step: int) -> bytes:
    """Give it the bytes, so many at a time; returns what it did not take."""
    for at in range(0, len(data), step):
        part = data[at : at + step]
        taken = to.receive(memoryview(part))
        if taken < len(part):
            return data[at + taken :]
    return b""


def shake_hands(initiator: MseInitiator, acceptor: MseAcceptor, step: int, extra: bytes) -> bytes:
    """Run the handshake, `extra` following the acceptor's part; returns what is left of that."""
    assert give(acceptor, initiator.take_output(), step) == b""
    assert give(initiator, acceptor.take_output(), step) == b""
    assert give(acceptor, initiator.take_output(), step) == b""
    assert acceptor.is_done
    return give(initiator, acceptor.take_output() + extra, step)


@pytest.mark.parametrize("step", [1, 7, 100, 10_000])
def test_in_any_split(step):
    initiator, acceptor = make_pair(seed=step)
    assert shake_hands(initiator, acceptor, step, b"what follows") == b"what follows"
    assert initiator.method is acceptor.method is RC4
    assert (acceptor.info_hash, acceptor.initial_payload) == (SKEY, OPENING)


def test_streams_go_on_after_it():
    initiator, acceptor = make_pair()
    shake_hands(initiator, acceptor, 1000, b"")
    for sender, receiver in ((initiator, acceptor), (acceptor, initiator)):
        for text in (b"one", b"two" * 100):
            encrypted = sender.sender.update(text)
            assert encrypted != text
            assert receiver.receiver.update(encrypted) == text


def test_plaintext_goes_on_without_ciphers():
    initiator, acceptor = make_pair(PLAIN)
    shake_hands(initiator, acceptor, 1000, b"")
    assert initiator.method is acceptor.method is PLAIN
    for side in (initiator, acceptor):
        assert side.sender is side.receiver is None


CHOICES = [
    *((BOTH, BOTH, False, PLAIN), (BOTH, BOTH, True, RC4)),
    *((offer, BOTH, prefer, offer) for offer in (PLAIN, RC4) for prefer in (False, True)),
    *((BOTH, allowed, prefer, allowed) for allowed in (PLAIN, RC4) for prefer in (False, True)),
]


@pytest.mark.parametrize(("offer", "allowed", "prefer_rc4", "chosen"), CHOICES)
def test_choices(offer, allowed, prefer_rc4, chosen):
    initiator, acceptor = make_pair(offer, allowed, prefer_rc4=prefer_rc4)
    shake_hands(initiator, acceptor, 1000, b"")
    assert initiator.method is acceptor.method is chosen


def test_bytes_after_the_end_are_not_taken():
    initiator, acceptor = make_pair()
    shake_hands(initiator, acceptor, 1000, b"")
    assert initiator.receive(b"more") == acceptor.receive(b"more") == 0
    assert initiator.take_output() == acceptor.take_output() == b""


def test_nothing_of_it_shows():
    """No constant part, no infohash, no length that is the same every time."""
    lengths = set()
    for seed in range(6):
        initiator, acceptor = make_pair(seed=seed)
        sent = []
        for source, target in itertools.islice(
            itertools.cycle([(initiator, acceptor), (acceptor, initiator)]), 4
        ):
            sent.append(source.take_output())
            target.receive(sent[-1])
        lengths.add(tuple(map(len, sent)))
        everything = b"".join(sent)
        assert not any(mark in everything for mark in (SKEY, b"BitTorrent", bytes(8)))
    assert len(lengths) == 6
