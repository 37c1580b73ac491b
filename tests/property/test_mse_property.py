from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import RemoteProtocolError
from millstream.protocol.infohash import InfoHash
from millstream.protocol.mse_acceptor import MAX_INITIAL_PAYLOAD_LENGTH, MseAcceptor
from millstream.protocol.mse_handshake import MseHandshake
from millstream.protocol.mse_initiator import MseInitiator
from millstream.protocol.mse_keys import CryptoMethod, torrent_hash
from millstream.protocol.rc4 import Rc4

SKEY = InfoHash(b"\x55" * 20)
TORRENTS = {torrent_hash(SKEY): SKEY}
BOTH = CryptoMethod.PLAINTEXT | CryptoMethod.RC4
MAX_KEPT = 1200 + MAX_INITIAL_PAYLOAD_LENGTH

CUTS = st.sets(st.integers(1, 1500), max_size=8)
NOISE = st.integers(0, 1500).flatmap(lambda size: st.binary(min_size=size, max_size=size))


def parts(stream: bytes, cuts: set[int]) -> list[memoryview]:
    ends = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    return [memoryview(stream)[start:stop] for start, stop in pairwise(ends)]


def give(machine: MseHandshake, stream: bytes, cuts: set[int]) -> int | None:
    """How many bytes it took; None if it refused them."""
    total = 0
    try:
        for part in parts(stream, cuts):
            taken = machine.receive(part)
            assert taken == len(part) or (machine.is_done and 0 <= taken < len(part))
            assert len(machine._bytes) <= MAX_KEPT
            total += taken
    except RemoteProtocolError:
        assert not machine.is_done
        return None
    return total


def make_initiator(seed: int) -> MseInitiator:
    return MseInitiator(SKEY, b"opening", BOTH, Rc4, random.Random(seed).randbytes)


def make_acceptor(seed: int) -> MseAcceptor:
    return MseAcceptor(TORRENTS.get, BOTH, Rc4, random.Random(seed).randbytes, prefer_rc4=True)


@given(NOISE, CUTS, st.booleans())
def test_any_bytes_are_refused_or_waited_for(noise, cuts, as_initiator):
    machine = make_initiator(1) if as_initiator else make_acceptor(1)
    give(machine, noise, cuts)
    assert not machine.is_done


@given(st.integers(0, 5), st.integers(0, 3000), st.integers(1, 255), CUTS)
def test_a_changed_byte_never_does_more_than_refuse(seed, at, change, cuts):
    """Somewhere in the initiator's or the acceptor's words."""
    initiator, acceptor = make_initiator(seed), make_acceptor(seed + 100)
    place = at
    for source, target in ((initiator, acceptor), (acceptor, initiator)) * 2:
        words = bytearray(source.take_output())
        if place < len(words):
            words[place] ^= change
            place = 1 << 30
        place -= len(words)
        if give(target, bytes(words), cuts) is None:
            return


@given(st.integers(0, 2**32), CUTS, st.binary(max_size=30))
def test_any_split_means_the_same(seed, cuts, rest):
    initiator, acceptor = make_initiator(seed), make_acceptor(seed + 1)
    for source, target in ((initiator, acceptor), (acceptor, initiator), (initiator, acceptor)):
        words = source.take_output()
        assert give(target, words, cuts) == len(words)
    words = acceptor.take_output()
    assert give(initiator, words + rest, cuts) == len(words)
    assert initiator.method is acceptor.method is CryptoMethod.RC4
    assert acceptor.initial_payload == b"opening"
    assert initiator.receiver.update(acceptor.sender.update(rest)) == rest
    assert acceptor.receiver.update(initiator.sender.update(rest)) == rest
