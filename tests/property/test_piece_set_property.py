from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from millstream.core.piece_set import first_members, members, random_members
from millstream.errors import RemoteProtocolError
from millstream.protocol.bitfield import (
    decode_bitfield,
    encode_bitfield,
    every_piece,
    has_piece,
    piece_bit,
    piece_set,
)

COUNTS = st.integers(1, 40) | st.integers(500, 530) | st.integers(1, 3000)


@st.composite
def sets(draw: st.DrawFn) -> tuple[set[int], int]:
    """A set of pieces as Python has it, and how many pieces there are."""
    count = draw(COUNTS)
    wanted = draw(st.sets(st.integers(0, count - 1), max_size=60))
    if draw(st.booleans()):
        wanted = set(range(count)) - wanted
    return wanted, count


@given(sets())
def test_a_set_is_a_set(case):
    wanted, count = case
    found = piece_set(wanted, count)
    assert {piece for piece in range(count) if has_piece(found, piece, count)} == wanted
    assert found == sum(piece_bit(piece, count) for piece in wanted)
    assert found.bit_count() == len(wanted)
    assert every_piece(count) & ~found == piece_set(set(range(count)) - wanted, count)


@given(sets())
def test_members_are_the_members_in_order(case):
    wanted, count = case
    assert list(members(piece_set(wanted, count), count)) == sorted(wanted)


@given(sets(), st.integers(0, 700))
def test_first_members_are_the_first(case, most):
    wanted, count = case
    assert first_members(piece_set(wanted, count), count, most) == sorted(wanted)[:most]


@given(sets(), st.integers(0, 700), st.integers())
def test_random_members_are_different_members(case, most, seed):
    wanted, count = case
    drawn = random_members(piece_set(wanted, count), count, most, random.Random(seed))
    assert len(drawn) == len(set(drawn)) == min(most, len(wanted))
    assert set(drawn) <= wanted


@given(sets())
def test_a_bitfield_is_decoded_as_it_was_encoded(case):
    wanted, count = case
    found = piece_set(wanted, count)
    payload = encode_bitfield(found, count)
    assert len(payload) == (count + 7) // 8
    assert decode_bitfield(payload, count) == found
    # BEP 3: the high bit of the first byte is piece 0.
    assert {
        8 * at + bit for at, byte in enumerate(payload) for bit in range(8) if byte << bit & 128
    } == (wanted)


@given(st.binary(max_size=10), st.integers(1, 70))
def test_any_payload_is_the_only_one_of_its_set_or_an_offence(payload, count):
    try:
        found = decode_bitfield(payload, count)
    except RemoteProtocolError:
        return
    assert encode_bitfield(found, count) == payload
