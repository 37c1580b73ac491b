from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import RemoteProtocolError
from millstream.protocol.handshake import HANDSHAKE_LENGTH, Handshake, HandshakeDecoder
from millstream.protocol.infohash import InfoHash

HANDSHAKES = st.builds(
    Handshake,
    st.binary(min_size=20, max_size=20).map(InfoHash),
    st.binary(min_size=20, max_size=20),
    st.integers(0, 2**64 - 1),
)
CUTS = st.sets(st.integers(1, HANDSHAKE_LENGTH + 9), max_size=10)


def run(stream: bytes, cuts: set[int]) -> tuple[Handshake | None, InfoHash | None, int, bool]:
    """What became of the stream: handshake, infohash, bytes taken, whether it was refused."""
    decoder = HandshakeDecoder()
    ends = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    taken = 0
    try:
        for start, stop in pairwise(ends):
            taken += decoder.receive(memoryview(stream)[start:stop])
            assert taken == min(stop, HANDSHAKE_LENGTH)
    except RemoteProtocolError:
        return None, None, 0, True
    return decoder.handshake, decoder.info_hash, taken, False


@given(HANDSHAKES, st.binary(max_size=10), CUTS)
def test_what_is_encoded_is_decoded_in_any_split(handshake, rest, cuts):
    stream = handshake.encode() + rest
    expected = (handshake, handshake.info_hash, HANDSHAKE_LENGTH, False)
    assert run(stream, cuts) == expected


@given(HANDSHAKES, st.integers(0, HANDSHAKE_LENGTH), st.binary(max_size=80), CUTS)
def test_any_bytes_mean_the_same_in_any_split(handshake, keep, rest, cuts):
    stream = handshake.encode()[:keep] + rest
    assert run(stream, cuts) == run(stream, set())
