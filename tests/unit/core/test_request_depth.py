from __future__ import annotations

from millstream.core.config import TransferConfig
from millstream.core.request_depth import (
    INITIAL_DEPTH,
    MIN_DEPTH,
    MIN_SHARE,
    UNKNOWN_QUEUE,
    RequestDepth,
    fair_share,
)

CONFIG = TransferConfig(request_queue_time=3.0, max_request_depth=500)


def settle(depth: RequestDepth, blocks_per_second: int, seconds: int, start: int = 0) -> None:
    """A peer that sends at this rate whatever it is asked for."""
    for second in range(start, start + seconds):
        for tenth in range(1, 11):
            depth.blocks_received(blocks_per_second // 10, second + tenth / 10)


def test_it_begins_small():
    depth = RequestDepth(CONFIG, 0.0)
    assert depth.depth == INITIAL_DEPTH


def test_it_doubles_each_round_trip():
    depth = RequestDepth(CONFIG, 0.0)
    for trip in range(1, 4):
        depth.blocks_received(depth.depth, trip * 0.01)
        assert depth.depth == INITIAL_DEPTH * 2**trip


def test_it_grows_until_a_second_no_longer_fills_it():
    depth = RequestDepth(CONFIG, 0.0)
    settle(depth, 100, 2)
    assert depth.depth == INITIAL_DEPTH + 200
    settle(depth, 100, 20, start=2)
    assert abs(depth.depth - 300) <= 2


def test_it_grows_no_further_than_its_cap():
    depth = RequestDepth(CONFIG, 0.0)
    settle(depth, 10_000, 10)
    assert depth.depth == 500


def test_it_settles_at_rate_times_time():
    depth = RequestDepth(CONFIG, 0.0)
    settle(depth, 50, 20)
    assert abs(depth.depth - 150) <= 2


def test_it_follows_the_rate_up_and_down():
    depth = RequestDepth(CONFIG, 0.0)
    settle(depth, 100, 20)
    assert abs(depth.depth - 300) <= 2
    settle(depth, 20, 20, start=20)
    assert abs(depth.depth - 60) <= 2
    settle(depth, 80, 20, start=40)
    assert abs(depth.depth - 240) <= 2


def test_one_slow_second_does_not_empty_the_pipe():
    depth = RequestDepth(CONFIG, 0.0)
    settle(depth, 100, 20)
    before = depth.depth
    depth.blocks_received(0, 21.0)
    assert depth.depth >= before // 2


def test_it_never_falls_below_its_floor():
    depth = RequestDepth(CONFIG, 0.0)
    for second in range(1, 20):
        depth.blocks_received(0, float(second))
    assert depth.depth == MIN_DEPTH


def test_a_timeout_asks_for_little_and_it_recovers():
    depth = RequestDepth(CONFIG, 0.0)
    settle(depth, 100, 20)
    depth.timed_out()
    assert depth.depth == MIN_DEPTH
    settle(depth, 100, 20, start=20)
    assert abs(depth.depth - 300) <= 2


def test_the_setting_wins_over_the_floor():
    depth = RequestDepth(TransferConfig(max_request_depth=2), 0.0)
    assert depth.depth == 2
    settle(depth, 10, 5)
    assert depth.depth == 2
    depth.timed_out()
    assert depth.depth == 2


def test_a_peer_that_says_nothing_is_asked_for_500_at_most():
    depth = RequestDepth(TransferConfig(), 0.0)
    settle(depth, 10_000, 10)
    assert depth.depth == UNKNOWN_QUEUE


def test_a_peer_is_asked_for_as_much_as_it_says_it_takes():
    depth = RequestDepth(TransferConfig(), 0.0)
    depth.limit(2000)
    settle(depth, 10_000, 10)
    assert depth.depth == 2000
    depth.limit(250)
    assert depth.depth == 250
    depth.limit(10**9)
    settle(depth, 10_000, 10, start=10)
    assert depth.depth == TransferConfig().max_request_depth
    depth.limit(0)
    assert depth.depth == 1


def test_who_wants_little_leaves_the_rest_to_the_others():
    assert fair_share([500, 500, 500, 500], 400) == 100
    assert fair_share([500, 4, 500, 16], 400) == 190
    assert fair_share([500] * 1000, 400) == MIN_SHARE
    assert fair_share([10, 20], 400) >= 20
    assert fair_share([], 400) == 400
