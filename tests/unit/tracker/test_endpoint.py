from __future__ import annotations

import math
import random

import pytest

from millstream.tracker.announce import AnnounceEvent, AnnounceResponse
from millstream.tracker.config import TrackerConfig
from millstream.tracker.endpoint import MAX_RETRY, RETRY_JITTER, Endpoint

CONFIG = TrackerConfig()
RNG = random.Random(0)


@pytest.fixture
def endpoint() -> Endpoint:
    made = Endpoint("http://t/announce", 4)
    made.start(0)
    return made


def answer(endpoint: Endpoint, now: float, interval: int = 1800, min_interval: int = 0) -> None:
    """Announce, and be answered."""
    endpoint.begin()
    response = AnnounceResponse(interval=interval, min_interval=min_interval)
    endpoint.succeeded(response, now, CONFIG)


def fail(endpoint: Endpoint, now: float, retry_in: float | None = None) -> None:
    endpoint.begin()
    endpoint.failed("no", now, RNG, retry_in)


def test_nothing_is_due_before_the_start():
    assert not Endpoint("http://t/announce", 4).is_due(1e12)


def test_started_comes_first_and_then_nothing_happens(endpoint):
    assert endpoint.is_due(0)
    assert endpoint.begin() is AnnounceEvent.STARTED
    assert not endpoint.is_due(100)
    endpoint.succeeded(AnnounceResponse(interval=1800), 1, CONFIG)
    assert not endpoint.is_due(1800.9)
    assert endpoint.is_due(1801)
    assert endpoint.begin() is AnnounceEvent.NONE


def test_started_is_repeated_until_it_is_answered(endpoint):
    fail(endpoint, 0)
    assert endpoint.begin() is AnnounceEvent.STARTED


@pytest.mark.parametrize(
    ("interval", "min_interval", "wait"),
    [(1, 0, 60), (900, 0, 900), (900, 1200, 1200), (86400, 0, 86400), (1, 1, 60)],
)
def test_the_wait_is_the_longest_of_three(endpoint, interval, min_interval, wait):
    answer(endpoint, 10, interval, min_interval)
    assert endpoint.next_at == 10 + wait


def test_the_back_off_grows_with_jitter_up_to_an_hour(endpoint):
    waits = []
    for _ in range(40):
        now = endpoint.next_at
        fail(endpoint, now)
        waits.append(endpoint.next_at - now)
    for failures, wait in enumerate(waits, 1):
        middle = min(5 + 12.5 * failures**2, MAX_RETRY)
        assert middle * (1 - RETRY_JITTER) <= wait <= middle * (1 + RETRY_JITTER)
    assert len({round(wait) for wait in waits[20:]}) > 5
    answer(endpoint, 0)
    assert endpoint.error is None
    assert endpoint.works


def test_retry_in_is_kept(endpoint):
    fail(endpoint, 0, 7200.0)
    assert endpoint.next_at == 7200
    endpoint.hurry(1)
    assert endpoint.next_at == 7200


def test_never_is_never(endpoint):
    fail(endpoint, 0, math.inf)
    assert endpoint.refused_forever
    for _ in range(2):
        endpoint.hurry(1)
        endpoint.completed(1)
        endpoint.seek_peers()
        assert not endpoint.is_due(1e12)
        endpoint.start(5)


def test_completed_is_told_at_once_and_once(endpoint):
    answer(endpoint, 0, min_interval=600)
    endpoint.completed(10)
    assert endpoint.is_due(10)
    assert endpoint.begin() is AnnounceEvent.COMPLETED
    endpoint.succeeded(AnnounceResponse(interval=1800), 11, CONFIG)
    assert endpoint.next_at == 1811
    assert endpoint.begin() is AnnounceEvent.NONE


def test_completed_is_told_again_after_a_failure(endpoint):
    answer(endpoint, 0)
    endpoint.completed(10)
    fail(endpoint, 11)
    assert endpoint.next_at > 11
    assert endpoint.begin() is AnnounceEvent.COMPLETED


def test_completed_does_not_cut_a_back_off_short(endpoint):
    answer(endpoint, 0)
    fail(endpoint, 1800)
    before = endpoint.next_at
    endpoint.completed(1801)
    assert endpoint.next_at == before
    assert endpoint.begin() is AnnounceEvent.COMPLETED


def test_a_tracker_that_never_heard_of_us_hears_no_completed(endpoint):
    fail(endpoint, 0)
    endpoint.completed(1)
    answer(endpoint, 100)
    assert endpoint.next_at == 1900
    assert endpoint.begin() is AnnounceEvent.NONE


def test_completed_while_started_is_under_way(endpoint):
    endpoint.begin()
    endpoint.completed(1)
    endpoint.succeeded(AnnounceResponse(interval=1800), 2, CONFIG)
    assert endpoint.is_due(2)
    assert endpoint.begin() is AnnounceEvent.COMPLETED


def test_completed_while_started_is_under_way_that_fails(endpoint):
    endpoint.begin()
    endpoint.completed(1)
    endpoint.failed("no", 2, RNG)
    answer(endpoint, 100)
    assert endpoint.begin() is AnnounceEvent.NONE


@pytest.mark.parametrize(("min_interval", "earliest"), [(0, 60), (300, 300)])
def test_the_users_wish_waits_for_the_min_interval(endpoint, min_interval, earliest):
    answer(endpoint, 0, min_interval=min_interval)
    endpoint.hurry(5)
    assert endpoint.next_at == earliest
    answer(endpoint, earliest, min_interval=min_interval)
    endpoint.hurry(earliest + 1000)
    assert endpoint.is_due(earliest + 1000)


def test_the_users_wish_cuts_a_back_off_to_5_seconds(endpoint):
    for _ in range(10):
        fail(endpoint, 100)
    endpoint.hurry(101)
    assert endpoint.next_at == 105


@pytest.mark.parametrize(("min_interval", "early"), [(0, 300), (900, 900)])
def test_few_peers_are_reason_to_come_early_but_not_before_the_min_interval(
    endpoint, min_interval, early
):
    answer(endpoint, 0, min_interval=min_interval)
    for _ in range(3):
        endpoint.seek_peers()
        assert endpoint.next_at == early


def test_early_announces_become_rarer(endpoint):
    now = 0.0
    waits = []
    for _ in range(6):
        answer(endpoint, now)
        endpoint.seek_peers()
        waits.append(endpoint.next_at - now)
        now = endpoint.next_at
    assert waits == [300, 600, 1200, 1800, 1800, 1800]


def test_seeking_peers_does_not_cut_a_back_off_short(endpoint):
    answer(endpoint, 0)
    for _ in range(5):
        fail(endpoint, 1800)
    before = endpoint.next_at
    endpoint.seek_peers()
    assert endpoint.next_at == before


def test_long_errors_are_cut(endpoint):
    endpoint.begin()
    endpoint.failed("x" * 10_000, 0, RNG)
    assert endpoint.error == "x" * 500
