from __future__ import annotations

import random

from millstream.tracker.tiers import MAX_TRACKERS, Tiers


def test_each_tier_is_shuffled_and_the_order_of_tiers_stays():
    tiers = [list("abcdefgh"), ["x"], list("ijklmnop")]
    first, second, third = Tiers(tiers, random.Random(1))
    assert (sorted(first), second, sorted(third)) == (tiers[0], ("x",), tiers[2])
    assert first != tuple(tiers[0])
    assert len({next(iter(Tiers(tiers, random.Random(seed)))) for seed in range(20)}) > 10


def test_who_answers_goes_to_the_front_of_its_tier():
    # BEP 12's example: b answers, then c.
    tiers = Tiers([["a", "b", "c"], ["d"]], random.Random(0))
    tiers.promote("b")
    front = next(iter(tiers))
    assert front[0] == "b"
    tiers.promote("c")
    order = next(iter(tiers))
    assert order == ("c", "b", "a")
    assert tiers.tier_of("d") == 1


def test_a_url_counts_once_and_empty_tiers_do_not():
    assert list(Tiers([[], ["a", "a"], ["a"], ["b"]], random.Random(0))) == [("a",), ("b",)]
    assert list(Tiers([], random.Random(0))) == []


def test_there_is_a_limit():
    tiers = Tiers([[str(number)] for number in range(2 * MAX_TRACKERS)], random.Random(0))
    assert len(list(tiers)) == MAX_TRACKERS
