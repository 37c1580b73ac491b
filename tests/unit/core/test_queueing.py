from __future__ import annotations

import math

import pytest

from millstream.core.queue_config import QueueConfig
from millstream.core.queueing import MIN_TURN, QueueEntry, QueueKind, Turn, plan

DOWNLOAD, SEED = QueueKind.DOWNLOAD, QueueKind.SEED
LONG_AGO = -1000.0
NOW = 0.0


def entry(key, kind=DOWNLOAD, since=None, *, slow=False, **facts):
    turn = None
    if since is not None:
        turn = Turn(kind, since)
        turn.is_slow = slow
    return QueueEntry(key, kind, turn, **facts)


def changes(entries, *, at_once=False, **limits):
    made = plan(entries, QueueConfig(**limits), NOW, at_once=at_once)
    return "".join(made.starts), "".join(made.stops)


def downloads(running, waiting, **facts):
    return [entry(key, since=LONG_AGO, **facts) for key in running] + [
        entry(key, **facts) for key in waiting
    ]


# Limits


def test_without_limits_everybody_runs():
    entries = [*downloads("a", "bc"), entry("d", SEED)]
    assert changes(entries) == ("bcd", "")


@pytest.mark.parametrize(("limit", "starts"), [(0, ""), (1, "a"), (2, "ab"), (9, "abc")])
def test_so_many_downloads(limit, starts):
    assert changes(downloads("", "abc"), active_downloads=limit) == (starts, "")


def test_so_many_seeds():
    entries = [entry("a", SEED), entry("b"), entry("c", SEED), entry("d", SEED), entry("e")]
    assert changes(entries, active_seeds=2) == ("beac", "")


def test_downloads_come_first_where_both_are_too_many():
    entries = [entry("a", SEED), entry("b"), entry("c", SEED), entry("d")]
    assert changes(entries, active_total=3) == ("bda", "")
    assert changes(entries, active_total=3, active_downloads=1) == ("bac", "")
    assert changes(entries, active_total=0) == ("", "")


def test_a_limit_that_shrinks_stops_the_last():
    assert changes(downloads("abcd", ""), active_downloads=2) == ("", "cd")
    assert changes(downloads("abcd", ""), active_downloads=0) == ("", "abcd")


def test_the_order_decides_who_runs():
    entries = [entry("a"), entry("b", since=LONG_AGO), entry("c", since=LONG_AGO)]
    assert changes(entries, active_downloads=2) == ("a", "c")


def test_seeds_that_reached_their_goals_are_the_last():
    entries = [
        entry("a", SEED, LONG_AGO, goals_reached=True),
        entry("b", SEED, goals_reached=True),
        entry("c", SEED),
        entry("d", SEED),
    ]
    assert changes(entries, active_seeds=2) == ("cd", "a")
    assert changes(entries, active_seeds=3) == ("cd", "")


@pytest.mark.parametrize("limits", [{}, {"active_downloads": 3}, {"active_total": 2}])
def test_with_nothing_changed_nothing_changes(limits):
    config = QueueConfig(**limits)
    entries = [*downloads("", "abcd"), *[entry(key, SEED) for key in "efgh"]]
    started = set(plan(entries, config, NOW).starts)
    for each in entries:
        if each.key in started:
            each.turn = Turn(each.kind, NOW)
    for later in (NOW, MIN_TURN, 10 * MIN_TURN):
        again = plan(entries, config, later)
        assert (again.starts, again.stops, again.again_at) == ([], [], math.inf)


# Those who are exempt


def test_who_is_exempt_runs_and_counts_nowhere():
    entries = [
        entry("a", since=LONG_AGO, is_exempt=True),
        entry("b", is_exempt=True),
        entry("c", SEED, is_exempt=True),
        entry("d"),
        entry("e"),
    ]
    assert changes(entries, active_downloads=1, active_seeds=0, active_total=1) == ("bcd", "")


# Those who are slow


def test_the_slow_do_not_count_for_their_kind():
    entries = [entry("a", since=LONG_AGO, slow=True), *downloads("b", "cd")]
    assert changes(entries, active_downloads=2) == ("c", "")
    assert changes(entries, active_downloads=2, count_slow=True) == ("", "")
    assert changes(entries, active_downloads=2, active_total=2) == ("", "")


def test_the_slow_run_on_at_a_limit_of_their_kind():
    entries = [*downloads("a", ""), entry("b", since=LONG_AGO, slow=True)]
    assert changes(entries, active_downloads=1) == ("", "")
    assert changes(entries, active_downloads=1, count_slow=True) == ("", "b")
    assert changes(entries, active_downloads=1, active_total=1) == ("", "b")


def test_when_one_recovers_the_last_has_to_wait():
    entries = downloads("abc", "")
    entries[0].turn.is_slow = True
    assert changes(entries, active_downloads=2) == ("", "")
    entries[0].turn.is_slow = False
    assert changes(entries, active_downloads=2) == ("", "c")


CONFIG = QueueConfig(slow_download_rate=2000, slow_upload_rate=500, slow_after=60)


def test_a_turn_begins_with_time_to_get_going():
    turn = Turn(DOWNLOAD, 100.0)
    assert not turn.observe(0, 0, CONFIG, 159.9)
    assert turn.observe(0, 0, CONFIG, 160.0)
    assert turn.is_slow
    assert not turn.observe(0, 0, CONFIG, 165.0)  # it is no news


def test_it_takes_time_to_become_slow_and_none_to_recover():
    turn = Turn(DOWNLOAD, 0.0)
    turn.observe(5000, 0, CONFIG, 100.0)
    assert not turn.observe(1999, 0, CONFIG, 110.0)
    assert not turn.observe(2000, 0, CONFIG, 160.0)
    assert not turn.observe(1999, 0, CONFIG, 170.0)
    assert turn.observe(1999, 0, CONFIG, 230.0)
    assert turn.observe(2000, 0, CONFIG, 231.0)
    assert not turn.is_slow


def test_a_seed_is_judged_by_what_it_sends():
    turn = Turn(SEED, 0.0)
    turn.observe(9999, 499, CONFIG, 60.0)
    assert turn.is_slow
    turn.observe(0, 500, CONFIG, 61.0)
    assert not turn.is_slow


def test_a_download_that_is_complete_begins_anew_as_a_seed():
    turn = Turn(DOWNLOAD, 0.0)
    turn.observe(0, 0, CONFIG, 60.0)
    turn.become(SEED, 61.0)
    assert not turn.is_slow
    assert turn.since == 0.0
    assert not turn.observe(0, 0, CONFIG, 120.9)
    assert turn.observe(0, 0, CONFIG, 121.0)


# No flapping


def test_who_just_began_is_not_stopped_for_another_who_waits_then():
    entries = [entry("a"), entry("b", since=LONG_AGO), entry("c", since=NOW - 1)]
    config = QueueConfig(active_downloads=2)
    made = plan(entries, config, NOW)
    assert (made.starts, made.stops) == ([], [])
    assert made.again_at == NOW - 1 + MIN_TURN
    made = plan(entries, config, made.again_at)
    assert (made.starts, made.stops) == (["a"], ["c"])


def test_who_runs_longer_does_not_pay_for_who_just_began():
    entries = [
        entry("a", since=LONG_AGO),
        entry("b", since=LONG_AGO),
        entry("c", since=NOW - 1),
        entry("d", since=LONG_AGO),
    ]
    assert changes(entries, active_downloads=2) == ("", "d")


def test_what_the_user_wants_is_done_at_once():
    entries = [entry("a"), entry("b", since=NOW - 1)]
    assert changes(entries, active_downloads=1) == ("", "")
    assert changes(entries, active_downloads=1, at_once=True) == ("a", "b")


def test_who_just_began_holds_a_place_of_both_kinds():
    entries = [entry("a"), entry("b", SEED, NOW - 1)]
    assert changes(entries, active_total=1) == ("", "")
    assert changes(entries, active_total=2) == ("a", "")


def test_the_slow_hold_no_place_of_their_kind():
    entries = [entry("a"), entry("b", since=LONG_AGO), entry("c", since=NOW - 1, slow=True)]
    assert changes(entries, active_downloads=2) == ("a", "")
