from __future__ import annotations

import pytest

from millstream.core.connect_rate import ConnectRate


def take_all(rate: ConnectRate, now: float) -> int:
    taken = 0
    while rate.available(now):
        rate.take()
        taken += 1
    return taken


def test_it_begins_with_a_seconds_worth():
    assert take_all(ConnectRate(30), 0.0) == 30


def test_a_second_holds_no_more_than_the_rate():
    rate = ConnectRate(30)
    take_all(rate, 0.0)
    assert sum(take_all(rate, tenth / 10) for tenth in range(1, 101)) == 300
    assert take_all(rate, 1000.0) == 30  # nothing is saved up


def test_time_that_stands_still_or_goes_back_earns_nothing():
    rate = ConnectRate(10)
    take_all(rate, 5.0)
    assert take_all(rate, 5.0) == take_all(rate, 4.0) == 0


@pytest.mark.parametrize("per_second", [0.1, 3, 30])
def test_it_says_how_long_to_wait(per_second):
    rate = ConnectRate(per_second)
    assert rate.wait(0.0) == 0.0
    take_all(rate, 0.0)
    wait = rate.wait(0.0)
    assert wait == pytest.approx(1 / per_second)
    assert not rate.available(wait * 0.99)
    assert rate.available(wait) == 1
