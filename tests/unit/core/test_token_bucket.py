import pytest

from millstream.core.token_bucket import BURST_TIME, TokenBucket
from millstream.errors import ConfigError

RATE = 100_000


def test_it_begins_empty_and_fills_with_time():
    bucket = TokenBucket(RATE, 5.0)
    assert bucket.available(5.0) == 0
    assert bucket.available(5.125) == 12_500
    assert bucket.available(5.125) == 12_500


def test_it_holds_a_burst_and_no_more():
    bucket = TokenBucket(RATE, 0.0)
    assert bucket.available(1000.0) == RATE * BURST_TIME


def test_spending_takes_from_it():
    bucket = TokenBucket(RATE, 0.0)
    bucket.available(0.2)
    bucket.spend(5_000)
    assert bucket.available(0.2) == 15_000


def test_a_debt_is_paid_back_first():
    bucket = TokenBucket(RATE, 0.0)
    bucket.spend(30_000)
    assert bucket.available(0.0) == -30_000
    assert bucket.available(0.25) == -5_000
    assert bucket.ready_at(0.1, 0.25) == pytest.approx(0.4)
    assert bucket.available(0.4) == pytest.approx(10_000, abs=1)


def test_less_than_a_byte_is_none():
    bucket = TokenBucket(RATE, 0.0)
    assert bucket.available(0.5 / RATE) == 0
    bucket.spend(1)
    assert bucket.available(0.5 / RATE) == -1


def test_it_is_ready_at_once_when_there_is_enough():
    bucket = TokenBucket(RATE, 0.0)
    assert bucket.ready_at(0.1, 0.2) == 0.2


def test_more_than_a_burst_need_not_be_waited_for():
    bucket = TokenBucket(RATE, 0.0)
    assert bucket.ready_at(10.0, 0.0) == BURST_TIME


@pytest.mark.parametrize("tokens", [20_000, -20_000])
def test_a_new_rate_keeps_what_is_there_in_seconds(tokens):
    bucket = TokenBucket(RATE, 0.0)
    before = bucket.available(0.25)
    bucket.spend(before - tokens)
    bucket.set_rate(RATE // 10, 0.25)
    assert bucket.available(0.25) == tokens // 10
    assert bucket.available(0.26) == tokens // 10 + 100


def test_what_came_at_the_old_rate_counts_at_the_old_rate():
    bucket = TokenBucket(RATE, 0.0)
    bucket.set_rate(RATE * 2, 0.1)
    assert bucket.available(0.15) == 2 * 10_000 + 10_000


def test_a_rate_too_low_is_refused():
    with pytest.raises(ConfigError, match="rate is 1023; it must be 1024"):
        TokenBucket(1023, 0.0)
    bucket = TokenBucket(1024, 0.0)
    with pytest.raises(ConfigError):
        bucket.set_rate(0, 0.0)
    assert bucket.rate == 1024
