from __future__ import annotations

from millstream.core.request_timeout import FIRST_SILENCE, MIN_TIMEOUT, RequestTimeout


def test_an_unknown_peer_gets_the_longest():
    assert RequestTimeout(30.0).seconds == 30.0


def test_one_block_says_little():
    timeout = RequestTimeout(30.0)
    timeout.blocks_came(0.01)
    assert MIN_TIMEOUT < timeout.seconds == 4 * FIRST_SILENCE


def flow(timeout: RequestTimeout, seconds: float, every: float) -> None:
    for _ in range(round(seconds / every)):
        timeout.blocks_came(every)


def test_a_steady_fast_peer_gets_the_least():
    timeout = RequestTimeout(30.0)
    flow(timeout, 40.0, 0.02)
    assert timeout.seconds == MIN_TIMEOUT


def test_a_slow_peer_gets_more_and_never_more_than_the_ceiling():
    timeout = RequestTimeout(30.0)
    flow(timeout, 60.0, 2.0)
    assert timeout.seconds == 8.0
    flow(timeout, 100.0, 20.0)
    assert timeout.seconds == 30.0


def test_a_long_silence_is_remembered_for_a_while():
    timeout = RequestTimeout(30.0)
    flow(timeout, 40.0, 0.1)
    timeout.blocks_came(5.0)
    assert timeout.seconds == 20.0
    flow(timeout, 10.0, 0.1)
    assert 10.0 < timeout.seconds < 15.0
    flow(timeout, 50.0, 0.1)
    assert timeout.seconds == MIN_TIMEOUT


def test_each_timeout_doubles_the_next():
    timeout = RequestTimeout(30.0)
    flow(timeout, 40.0, 0.1)
    seconds = []
    for _ in range(5):
        timeout.timed_out()
        seconds.append(timeout.seconds)
    assert seconds == [6.0, 12.0, 24.0, 30.0, 30.0]


def test_a_short_setting_wins_over_the_floor():
    timeout = RequestTimeout(1.0)
    assert timeout.seconds == 1.0
    timeout.blocks_came(0.5)
    assert timeout.seconds == 1.0
