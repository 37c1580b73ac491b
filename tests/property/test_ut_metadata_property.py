from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import RemoteProtocolError
from millstream.protocol import bencode
from millstream.protocol.ut_metadata import (
    METADATA_PIECE_LENGTH,
    MetadataData,
    MetadataReject,
    MetadataRequest,
    encode,
    parse,
    piece_count,
    piece_length,
)

INDEXES = st.integers(0, 10**19)
MESSAGES = (
    st.builds(MetadataRequest, INDEXES)
    | st.builds(MetadataReject, INDEXES)
    | st.builds(
        MetadataData,
        INDEXES,
        st.integers(1, 10**19),
        st.binary(max_size=60) | st.just(bytes(METADATA_PIECE_LENGTH)),
    )
)
KEYS = st.sampled_from([b"msg_type", b"piece", b"total_size", b"x"])
NONSENSE = st.builds(
    lambda said, rest: bencode.encode(said) + rest,
    st.dictionaries(KEYS, st.integers(-2, 5) | st.binary(max_size=3), max_size=4)
    | st.lists(st.integers(0, 9), max_size=2),
    st.binary(max_size=10),
)


@given(MESSAGES)
def test_what_is_encoded_is_parsed(message):
    assert parse(encode(message)) == message


@given(st.binary(max_size=100) | NONSENSE)
def test_any_bytes_are_a_message_or_ignored_or_an_error(payload):
    with contextlib.suppress(RemoteProtocolError):
        message = parse(payload)
        assert message is None or parse(encode(message)) == message


@given(st.integers(1, 1 << 40))
def test_the_pieces_are_as_long_as_the_whole(size):
    count = piece_count(size)
    last = piece_length(size, count - 1)
    assert 0 < last <= METADATA_PIECE_LENGTH
    assert (count - 1) * METADATA_PIECE_LENGTH + last == size
