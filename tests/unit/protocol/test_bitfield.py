from __future__ import annotations

import pytest
from fakes import pieces

from millstream.errors import RemoteProtocolError
from millstream.protocol.bitfield import (
    decode_bitfield,
    encode_bitfield,
    every_piece,
    has_piece,
    piece_bit,
    piece_set,
)


def test_piece_0_is_the_most_significant_bit():
    assert piece_bit(0, 8) == 0b1000_0000
    assert piece_bit(7, 8) == 1
    assert piece_bit(0, 1) == 1


@pytest.mark.parametrize("count", [1, 7, 8, 9, 1000])
def test_every_piece_is_in_the_set_of_all(count):
    everything = every_piece(count)
    assert all(has_piece(everything, piece, count) for piece in range(count))
    assert everything == piece_set(range(count), count)


def test_a_set_has_its_members_and_no_others():
    found = piece_set([0, 3, 8], 10)
    assert found == pieces("*  *    * ")
    assert [piece for piece in range(10) if has_piece(found, piece, 10)] == [0, 3, 8]


def test_a_set_of_nothing_is_zero():
    assert piece_set([], 10) == 0


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ("*", b"\x80"),
        (" ", b"\x00"),
        ("********", b"\xff"),
        ("*       *", b"\x80\x80"),
        ("         *", b"\x00\x40"),
    ],
)
def test_payloads_are_as_on_the_wire(text, payload):
    assert encode_bitfield(pieces(text), len(text)) == payload
    assert decode_bitfield(payload, len(text)) == pieces(text)
    assert decode_bitfield(memoryview(payload), len(text)) == pieces(text)


@pytest.mark.parametrize(
    ("payload", "count"), [(b"", 1), (b"\0\0", 8), (b"\0", 9), (b"\0\0\0", 16)]
)
def test_wrong_lengths_are_refused(payload, count):
    with pytest.raises(RemoteProtocolError, match="bitfield of"):
        decode_bitfield(payload, count)


@pytest.mark.parametrize(
    ("payload", "count"), [(b"\x01", 7), (b"\x7f", 1), (b"\xff\xff\xff", 20), (b"\x80\x20", 10)]
)
def test_spare_bits_are_refused(payload, count):
    with pytest.raises(RemoteProtocolError, match="spare bits"):
        decode_bitfield(payload, count)
