from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.errors import BencodeError
from millstream.protocol.bencode import decode, decode_dict, decode_prefix, encode

repeatable = settings(derandomize=True, deadline=None)

LEAVES = st.integers(-(10**20) + 1, 10**20 - 1) | st.binary(max_size=20)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.binary(max_size=6), inner, max_size=5)
    ),
    max_leaves=20,
)
DICTS = st.dictionaries(st.binary(max_size=6), VALUES, max_size=5)

# Bytes that bencoding is made of find their way deeper into the decoder than any bytes do.
LIKELY = st.lists(
    st.sampled_from([b"i", b"e", b"l", b"d", b"-", b":", b"0", b"1", b"2", b"9", b"1:a", b"0:"]),
    max_size=40,
).map(b"".join)
ANYTHING = st.binary(max_size=60) | LIKELY


@repeatable
@given(VALUES)
def test_what_is_encoded_is_decoded(value):
    assert decode(encode(value)) == value


@repeatable
@given(ANYTHING)
def test_any_bytes_are_one_encoding_of_a_value_or_an_error(data):
    try:
        value = decode(data)
    except BencodeError:
        return
    assert encode(value) == data


@repeatable
@given(VALUES, st.data())
def test_a_changed_byte_gives_another_value_or_an_error(value, data):
    encoded = bytearray(encode(value))
    position = data.draw(st.integers(0, len(encoded) - 1))
    encoded[position] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(BencodeError):
        assert decode(bytes(encoded)) != value


@repeatable
@given(VALUES, st.binary(max_size=10))
def test_a_value_ends_where_it_ends_whatever_follows(value, rest):
    encoded = encode(value)
    assert decode_prefix(encoded + rest) == (value, len(encoded))


@repeatable
@given(VALUES)
def test_no_proper_prefix_is_a_value(value):
    encoded = encode(value)
    for end in range(len(encoded)):
        with contextlib.suppress(BencodeError):
            decode(encoded[:end])
            raise AssertionError(encoded[:end])


@repeatable
@given(DICTS)
def test_spans_cut_out_the_values(table):
    encoded = encode(table)
    values, spans = decode_dict(encoded)
    assert values == table
    assert {key: encoded[start:end] for key, (start, end) in spans.items()} == {
        key: encode(value) for key, value in table.items()
    }


@repeatable
@given(LIKELY)
def test_both_decoders_agree_on_dictionaries(data):
    data = b"d" + data + b"e"
    for strict_keys in (True, False):
        try:
            value = decode(data, strict_keys=strict_keys)
        except BencodeError:
            value = None
        try:
            spans = decode_dict(data, strict_keys=strict_keys)[1]
        except BencodeError:
            spans = None
        assert (value is None) == (spans is None)
        if isinstance(value, dict) and spans is not None:
            assert value.keys() == spans.keys()
