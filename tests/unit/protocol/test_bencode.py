from __future__ import annotations

import sys

import pytest

from millstream.errors import BencodeError
from millstream.protocol import bencode
from millstream.protocol.bencode import (
    MAX_DEPTH,
    decode,
    decode_dict,
    decode_prefix,
    encode,
)

VALUES = [
    (b"i0e", 0),
    (b"i42e", 42),
    (b"i-1e", -1),
    (b"i18446744073709551615e", 2**64 - 1),
    (b"i-9223372036854775808e", -(2**63)),
    (b"0:", b""),
    (b"4:spam", b"spam"),
    (b"11:hello world", b"hello world"),
    (b"2:\x00\xff", b"\x00\xff"),
    (b"le", []),
    (b"l4:spami7ee", [b"spam", 7]),
    (b"lllelee2:abe", [[[], []], b"ab"]),
    (b"de", {}),
    (b"d0:i1e1:ai2ee", {b"": 1, b"a": 2}),
    (b"d3:cow3:moo4:spaml1:a1:bee", {b"cow": b"moo", b"spam": [b"a", b"b"]}),
    (b"d1:ad1:bdeee", {b"a": {b"b": {}}}),
]


@pytest.mark.parametrize(("data", "value"), VALUES)
def test_values_are_decoded_and_encoded(data, value):
    assert decode(data) == value
    assert encode(value) == data


MALFORMED = {
    "nothing": b"",
    "an end": b"e",
    "an unknown type": b"x",
    "whitespace": b" i1e",
    "a leading zero": b"i01e",
    "many zeros": b"i00e",
    "minus zero": b"i-0e",
    "minus and a leading zero": b"i-01e",
    "a plus": b"i+1e",
    "an empty integer": b"ie",
    "a lone minus": b"i-e",
    "an integer with a space": b"i1 e",
    "an integer with an underscore": b"i1_0e",
    "a fraction": b"i1.0e",
    "an open integer": b"i12",
    "an integer of 21 digits": b"i" + b"1" * 21 + b"e",
    "an integer that int() refuses": b"i" + b"1" * 5000 + b"e",
    "a length with a leading zero": b"01:a",
    "a length of two zeros": b"00:",
    "a length with an underscore": b"1_0:aaaaaaaaaa",
    "a length with a space": b"1 :a",
    "a negative length": b"-1:a",
    "a length without a colon": b"12",
    "a long length without a colon": b"1" * 5000,
    "a length of 11 digits": b"00000000001:a",
    "a huge length": b"9999999999:a",
    "a cut string": b"5:abcd",
    "an open list": b"l",
    "an open list with an item": b"li1e",
    "an open dictionary": b"d",
    "a dictionary cut after a key": b"d1:a",
    "a key without a value": b"d1:ae",
    "a later key without a value": b"d1:ai1e1:be",
    "an integer key": b"di1ei2ee",
    "a list key": b"dlei2ee",
    "a dictionary key": b"ddei2ee",
    "unsorted keys": b"d1:bi1e1:ai2ee",
    "unsorted inner keys": b"d1:zd1:bi1e1:ai2eee",
    "keys sorted by length": b"d1:bi1e2:aai2ee",
    "a duplicate key": b"d1:ai1e1:ai2ee",
    "an empty key that comes late": b"d1:ai1e0:i2ee",
    "two empty keys": b"d0:i1e0:i2ee",
    "trailing bytes": b"i1ei2e",
    "a trailing end": b"dee",
    "a trailing newline": b"i1e\n",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_data_is_refused(data):
    with pytest.raises(BencodeError):
        decode(data)
    with pytest.raises(BencodeError):
        decode_dict(data)


def test_the_order_of_keys_can_be_forgiven_but_not_a_duplicate():
    assert decode(b"d1:bi1e1:ai2ee", strict_keys=False) == {b"b": 1, b"a": 2}
    assert decode_dict(b"d1:bi1e1:ai2ee", strict_keys=False)[0] == {b"b": 1, b"a": 2}
    for data in (b"d1:bi1e1:ai2e1:bi3ee", b"d1:ai1e1:ai2ee", b"ld1:bi1e1:ai2e1:bi3eee"):
        with pytest.raises(BencodeError, match="twice"):
            decode(data, strict_keys=False)
    with pytest.raises(BencodeError, match="twice"):
        decode_dict(b"d1:bi1e1:ai2e1:bi3ee", strict_keys=False)


def nested(depth):
    return b"l" * depth + b"e" * depth


def test_depth_is_limited():
    value = decode(nested(MAX_DEPTH))
    assert encode(value) == nested(MAX_DEPTH)
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(BencodeError, match="deep"):
            decode(nested(depth))
    with pytest.raises(BencodeError, match="deep"):
        encode([value])


def test_depth_is_counted_alike_with_and_without_spans():
    decode_dict(b"d1:a" + nested(MAX_DEPTH - 1) + b"e")
    decode(b"d1:a" + nested(MAX_DEPTH - 1) + b"e")
    for refused in (decode, decode_dict):
        with pytest.raises(BencodeError, match="deep"):
            refused(b"d1:a" + nested(MAX_DEPTH) + b"e")


def test_an_open_nest_needs_no_python_stack():
    limit = sys.getrecursionlimit()
    with pytest.raises(BencodeError):
        decode(b"d1:a" * (2 * limit))


def test_a_cyclic_value_is_refused():
    cyclic = []
    cyclic.append(cyclic)
    with pytest.raises(BencodeError, match="deep"):
        encode(cyclic)


def test_the_number_of_values_is_limited(monkeypatch):
    monkeypatch.setattr(bencode, "MAX_TOKENS", 10)
    decode(b"l" + b"0:" * 8 + b"e")
    with pytest.raises(BencodeError, match="more than 10 values"):
        decode(b"l" + b"0:" * 9 + b"e")
    # The limit is for the whole dictionary and not for each of its values.
    decode_dict(b"d1:al0:0:0:e1:bi1ee")
    with pytest.raises(BencodeError, match="more than 10 values"):
        decode_dict(b"d1:al0:0:0:e1:bl0:0:0:ee")


def test_a_prefix_ends_where_its_value_ends():
    assert decode_prefix(b"d1:ai1eerest") == ({b"a": 1}, 8)
    assert decode_prefix(b"xxi5eyy", 2) == (5, 5)
    assert decode_prefix(b"3:abcdef") == (b"abc", 5)
    with pytest.raises(BencodeError):
        decode_prefix(b"i1e", 3)


def test_spans_hold_the_encoding_of_each_value():
    value = {b"": 0, b"info": {b"x": [1, b"two"]}, b"list": [], b"string": b"abc"}
    data = encode(value)
    decoded, spans = decode_dict(data)
    assert {key: decode(data[start:end]) for key, (start, end) in spans.items()} == value
    assert decoded == value
    assert decode_dict(b"de") == ({}, {})


@pytest.mark.parametrize("data", [b"i1e", b"le", b"1:d", b""])
def test_spans_are_of_dictionaries_only(data):
    with pytest.raises(BencodeError, match="a dictionary was expected"):
        decode_dict(data)


def test_keys_are_sorted_as_bytes():
    assert encode({b"b": 1, b"aa": 2, b"\xff": 3, b"": 4}) == b"d0:i4e2:aai2e1:bi1e1:\xffi3ee"


def test_tuples_are_lists():
    assert encode((1, (b"a",))) == b"li1el1:aee"


@pytest.mark.parametrize(
    "value",
    ["text", None, 1.5, {1}, object(), [None], {"key": 1}, {1: 1}, {b"a": "text"}, {b"a": 1, 2: 3}],
)
def test_other_types_cannot_be_encoded(value):
    with pytest.raises(BencodeError):
        encode(value)


def test_what_is_encoded_can_be_decoded():
    for value in (10**20 - 1, -(10**20) + 1):
        assert decode(encode(value)) == value
    for value in (10**20, -(10**20), 10**5000):
        with pytest.raises(BencodeError):
            encode(value)
