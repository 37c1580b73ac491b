from __future__ import annotations

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
    capacity.seen(1e9, served=7, behind=0, waiting=50)
    assert capacity.slots == 7
    capacity.limit = None
    assert (capacity.limit, capacity.slots) == (None, INITIAL_SLOTS)


def see(capacity: UploadCapacity, rate_of, *, behind: float, wanting: int, times: int = 20):
    """What happens when `wanting` peers want slots and the line does `rate_of(slots)`."""
    slots = []
    for _ in range(times):
        served = min(capacity.slots, wanting)
        capacity.seen(
            rate_of(served), served=served, behind=int(served * behind), waiting=wanting - served
        )
        slots.append(capacity.slots)
    return slots


def test_while_peers_take_all_they_are_given_there_are_slots_for_all():
    slots = see(UploadCapacity(), lambda served: served * 5000, behind=0.1, wanting=300)
    assert slots[0] == INITIAL_SLOTS * 5 // 4
    assert 300 <= slots[-1] < 400


def test_a_fast_line_that_is_full_has_slots_for_all():
    slots = see(UploadCapacity(), lambda _: 1e9, behind=1.0, wanting=300)
    assert 300 <= slots[-1] < 400


def test_a_slow_line_that_is_full_has_few():
    slots = see(UploadCapacity(), lambda _: 100_000, behind=1.0, wanting=300)
    assert slots[-1] == 7
    assert slots == sorted(slots, reverse=True)


def test_a_fast_line_to_slow_peers_does_not_run_dry():
    # Each takes 5 kB/s and is always behind, so a rule that looks at the rate alone would serve
    # fewer and fewer.
    slots = see(UploadCapacity(), lambda served: served * 5000, behind=1.0, wanting=300)
    assert slots.count(INITIAL_SLOTS) > 15
    assert min(slots) == INITIAL_SLOTS * 3 // 4


def test_nothing_is_learned_while_nobody_is_served():
    capacity = UploadCapacity()
    capacity.seen(0.0, served=0, behind=0, waiting=0)
    assert capacity.slots == INITIAL_SLOTS
