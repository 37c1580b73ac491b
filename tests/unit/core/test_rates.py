from __future__ import annotations

import pytest

from millstream.core.rates import RateMeter


def test_nothing_moved_is_zero():
    meter = RateMeter(5.0)
    assert meter.rate(5.0) == 0.0
    assert meter.rate(9.0) == 0.0


@pytest.mark.parametrize("seconds", [1, 3, 30])
def test_a_steady_rate_is_known_from_the_first_second_on(seconds):
    meter = RateMeter(100.0)
    for tenth in range(1, seconds * 10 + 1):
        meter.total += 1000
        meter.rate(100.0 + tenth / 10)
    assert meter.rate(100.0 + seconds) == pytest.approx(10_000, rel=0.01)


def test_it_does_not_matter_how_often_it_is_asked():
    often, seldom = RateMeter(0.0), RateMeter(0.0)
    for step in range(1, 1001):
        often.total += 100
        seldom.total += 100
        often.rate(step / 100)
    assert often.rate(10.0) == pytest.approx(seldom.rate(10.0), rel=0.05)


def test_it_decays_when_nothing_moves():
    meter = RateMeter(0.0)
    meter.total += 100_000
    first = meter.rate(10.0)
    rates = [meter.rate(10.0 + second) for second in range(1, 30)]
    assert rates[0] < first
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < first / 1000


def test_bytes_within_a_tenth_of_a_second_wait_for_their_fold():
    meter = RateMeter(0.0)
    meter.total += 1000
    assert meter.rate(0.05) == 0.0
    assert meter.rate(1.0) == pytest.approx(1000, rel=0.01)
