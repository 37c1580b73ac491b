from __future__ import annotations

import random

import pytest
from fakes import pieces

from millstream.core.piece_set import first_members, members, random_members, set_of_ranges
from millstream.protocol.bitfield import every_piece, piece_bit, piece_set


def test_members_come_in_rising_order():
    assert list(members(pieces("  ** *"), 6)) == [2, 3, 5]
    assert list(members(pieces("*"), 1)) == [0]
    assert list(members(0, 5)) == []
    assert list(members(0, 0)) == []


def test_the_first_members_are_at_most_as_many_as_wanted():
    found = pieces("  ** *")
    assert first_members(found, 6, 0) == []
    assert first_members(found, 6, 2) == [2, 3]
    assert first_members(found, 6, 3) == [2, 3, 5]
    assert first_members(found, 6, 9) == [2, 3, 5]
    assert first_members(0, 6, 9) == []


@pytest.mark.parametrize("piece", [0, 1, 511, 512, 513, 9_998, 9_999])
def test_the_first_member_is_found_wherever_it_is(piece):
    assert first_members(piece_bit(piece, 10_000), 10_000, 1) == [piece]


def test_the_first_members_may_be_far_apart():
    wanted = [0, 511, 512, 5_000, 9_999]
    assert first_members(piece_set(wanted, 10_000), 10_000, 5) == wanted


def test_random_members_are_different_members():
    found = pieces("* ** * *")
    for most in range(7):
        drawn = random_members(found, 8, most, random.Random(most))
        assert len(drawn) == len(set(drawn)) == min(most, 5)
        assert set(drawn) <= {0, 2, 3, 5, 7}
    assert random_members(0, 8, 3, random.Random(1)) == []


def test_random_members_depend_on_the_generator_alone():
    draws = [random_members(every_piece(5_000), 5_000, 5, random.Random(7)) for _ in range(2)]
    assert draws[0] == draws[1]
    assert draws[0] != random_members(every_piece(5_000), 5_000, 5, random.Random(8))


@pytest.mark.parametrize("count", [8, 3_000])
def test_every_member_is_drawn_as_often(count):
    # A crowd at one end must not be favoured or spared by the halving.
    wanted = [0, 1, 2, 3, 4, 5, 6, count - 1]
    found, rng = piece_set(wanted, count), random.Random(1)
    drawn = [random_members(found, count, 1, rng)[0] for _ in range(1_600)]
    for piece in wanted:
        assert 150 < drawn.count(piece) < 250


def test_all_of_a_small_set_come_in_random_order():
    found = pieces("****")
    orders = {tuple(random_members(found, 4, 4, random.Random(seed))) for seed in range(200)}
    assert len(orders) == 24


def test_set_of_ranges_is_their_union():
    assert set_of_ranges([range(1, 3), range(2, 4), range(6, 7)], 8) == 0b0111_0010
    assert set_of_ranges([], 8) == 0
