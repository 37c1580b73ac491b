from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import RemoteProtocolError
from millstream.protocol import bencode
from millstream.protocol.compact import PeerAddress
from millstream.protocol.ut_pex import MAX_PEX_READ, PexFlag, PexMessage, PexPeer, encode, parse

ADDRESSES = st.builds(
    PeerAddress,
    st.ip_addresses().map(str).filter(lambda host: not host.startswith("::ffff:")),
    st.integers(1, 65535),
)
PEERS = st.builds(PexPeer, ADDRESSES, st.integers(0, 31).map(PexFlag))
MESSAGES = st.builds(
    PexMessage,
    st.lists(PEERS, max_size=6, unique_by=lambda peer: peer.address).map(tuple),
    st.lists(ADDRESSES, max_size=6, unique=True).map(tuple),
)
KEYS = st.sampled_from([b"added", b"added.f", b"added6", b"added6.f", b"dropped", b"dropped6"])
VALUES = st.one_of(
    st.integers(0, 40).flatmap(lambda n: st.binary(min_size=6 * n, max_size=6 * n)),
    st.integers(0, 20).flatmap(lambda n: st.binary(min_size=18 * n, max_size=18 * n)),
    st.binary(max_size=40),
    st.integers(-9, 9),
)
NONSENSE = st.dictionaries(KEYS, VALUES, max_size=6).map(bencode.encode)


@given(MESSAGES)
def test_what_is_encoded_is_parsed(message):
    parsed = parse(encode(message))
    assert set(parsed.added) == set(message.added)  # by kind of address, else in order
    assert set(parsed.dropped) == set(message.dropped)


@given(st.binary(max_size=100) | NONSENSE)
def test_any_bytes_are_a_message_or_an_error(payload):
    with contextlib.suppress(RemoteProtocolError):
        message = parse(payload)
        addresses = [peer.address for peer in message.added]
        for some in (addresses, message.dropped):
            assert len(set(some)) == len(some) <= MAX_PEX_READ
            assert all(address.port > 0 for address in some)
        assert parse(encode(message)) == message
