from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import RemoteProtocolError
from millstream.protocol import bencode, lt_donthave
from millstream.protocol.compact import MAX_PORT
from millstream.protocol.extension import (
    MAX_CLIENT_LENGTH,
    OUR_IDS,
    ExtensionHandshake,
    parse_upload_only,
)

POSITIVE = st.integers(1, 10**19)
ADDRESSES = st.ip_addresses().map(str)
CLIENTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cf", "Co", "Cn", "Z"]),
    min_size=1,
    max_size=MAX_CLIENT_LENGTH,
)
HANDSHAKES = st.builds(
    ExtensionHandshake,
    messages=st.dictionaries(st.sampled_from(list(OUR_IDS)), st.integers(0, 255)),
    client=st.none() | CLIENTS,
    request_queue=st.none() | POSITIVE,
    port=st.none() | st.integers(1, MAX_PORT),
    your_ip=st.none() | ADDRESSES.filter(lambda host: not host.startswith("::ffff:")),
    metadata_size=st.none() | POSITIVE,
    upload_only=st.booleans(),
    encryption=st.booleans(),
)

# The keys of handshakes with values of all types: mostly nonsense, sometimes nearly right.
KEYS = st.sampled_from(
    [b"m", b"v", b"p", b"e", b"reqq", b"yourip", b"metadata_size", b"upload_only"]
    + [name.encode() for name in OUR_IDS]
)
VALUES = st.integers(-(10**19), 10**19) | st.integers(-2, 300) | st.binary(max_size=20)
NONSENSE = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=20,
).map(bencode.encode)


def check(handshake: ExtensionHandshake) -> None:
    assert set(handshake.messages) <= set(OUR_IDS)
    assert all(0 <= number <= 255 for number in handshake.messages.values())
    if handshake.client is not None:
        assert 0 < len(handshake.client) <= MAX_CLIENT_LENGTH
        assert handshake.client.isprintable()
    assert handshake.port is None or 0 < handshake.port <= MAX_PORT
    for number in (handshake.request_queue, handshake.metadata_size):
        assert number is None or number > 0
    assert ExtensionHandshake.parse(handshake.encode()) == handshake


@given(HANDSHAKES)
def test_what_is_encoded_is_parsed(handshake):
    assert ExtensionHandshake.parse(handshake.encode()) == handshake


@given(st.binary(max_size=200) | NONSENSE)
def test_any_bytes_are_a_handshake_or_an_error(payload):
    with contextlib.suppress(RemoteProtocolError):
        check(ExtensionHandshake.parse(payload))


@given(HANDSHAKES, st.data())
def test_a_damaged_handshake_is_a_handshake_or_an_error(handshake, data):
    payload = bytearray(handshake.encode())
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(RemoteProtocolError):
        check(ExtensionHandshake.parse(payload))


@given(st.binary(max_size=8))
def test_any_bytes_are_one_of_the_small_messages_or_an_error(payload):
    with contextlib.suppress(RemoteProtocolError):
        assert lt_donthave.encode(lt_donthave.parse(payload)) == payload
    with contextlib.suppress(RemoteProtocolError):
        assert parse_upload_only(payload) in {False, True}
