from __future__ import annotations

from collections.abc import Callable

import pytest

from millstream.core.upload_capacity import (
    INITIAL_SLOTS,
    MAX_SLOTS,
    MIN_SLOTS,
    UploadCapacity,
    slots_for,
)


@pytest.mark.parametrize(
    ("rate", "slots"),
    [(0, MIN_SLOTS), (100_000, 7), (1_000_000, 24), (1e9, 774), (1e12, MAX_SLOTS)],
)
def test_the_square_root_rule(rate, slots):
    assert slots_for(rate) == slots


def test_a_limit_decides_alone():
    capacity = UploadCapacity()
    assert capacity.slots == INITIAL_SLOTS
    capacity.limit = 100_000
    assert capacity.slots == 7
    for _ in range(5):
        capacity.seen(1e9, served=7, waiting=50)
    assert capacity.slots == 7
    capacity.limit = None
    assert (capacity.limit, capacity.slots) == (None, INITIAL_SLOTS)


def rounds(
    rate_of: Callable[[int], float], *, wanting: int, times: int = 40
) -> tuple[list[int], float]:
    """`wanting` peers want slots, and the line carries `rate_of(served)`.

    Returns the number of slots after each round, and the rate of the last one.
    """
    capacity = UploadCapacity()
    slots = []
    rate = 0.0
    for _ in range(times):
        served = min(capacity.slots, wanting)
        rate = rate_of(served)
        capacity.seen(rate, served=served, waiting=wanting - served)
        slots.append(capacity.slots)
    return slots, rate


@pytest.mark.parametrize("wanting", [30, 300])
def test_a_slow_line_soon_has_few(wanting):
    slots, _ = rounds(lambda _: 100_000, wanting=wanting)
    assert slots[:2] == [INITIAL_SLOTS, 7]
    assert slots.count(7) > 30
    assert max(slots[1:]) <= 8  # a trial, now and then


def test_a_fast_line_has_slots_for_all():
    slots, _ = rounds(lambda _: 1e9, wanting=300, times=400)
    assert slots[-1] >= 300


def test_a_line_that_is_proven_fast_has_slots_for_all_at_once():
    capacity = UploadCapacity()
    capacity.proven(1e9)
    assert capacity.slots == 774
    capacity.proven(1000.0)
    assert capacity.slots == 774
    capacity.limit = 100_000
    capacity.proven(1e9)
    assert capacity.slots == 7


@pytest.mark.parametrize("wanting", [30, 300])
def test_a_fast_line_to_slow_peers_is_filled(wanting):
    # Each takes 5 kB/s, so a rule that looks at the rate alone would serve fewer and fewer.
    slots, _ = rounds(lambda served: served * 5000, wanting=wanting, times=500)
    assert [number >= wanting for number in slots].index(True) <= 40
    # Now and then it is tried with fewer.
    assert sum(number < wanting for number in slots[40:]) < 25


def test_nothing_is_learned_while_nobody_takes_anything():
    slots, _ = rounds(lambda _: 0.0, wanting=300)
    assert set(slots) == {INITIAL_SLOTS}


def test_nothing_is_learned_while_peers_come_and_go():
    capacity = UploadCapacity()
    for served in (3, 10, 4, 20, 3) * 4:
        capacity.seen(1000.0, served=served, waiting=0)
        assert capacity.slots == INITIAL_SLOTS


def test_a_round_after_which_nobody_is_served_says_nothing():
    capacity = UploadCapacity()
    for _ in range(3):
        capacity.seen(1000.0, served=0, waiting=3)
    assert capacity.slots == INITIAL_SLOTS
    capacity.seen(100_000.0, served=INITIAL_SLOTS, waiting=3)
    capacity.seen(100_000.0, served=INITIAL_SLOTS, waiting=3)
    for served in (0, 0, 5, 0, 5, 5, 0):
        capacity.seen(1000.0, served=served, waiting=3)
