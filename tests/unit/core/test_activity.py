from __future__ import annotations

import pytest

from millstream.core.activity import Activity
from millstream.core.torrent_state import TorrentState as State


def test_nothing_counts_before_it_runs():
    activity = Activity()
    assert activity.active_seconds(100.0) == activity.seeding_seconds(100.0) == 0.0


def test_the_watches_run_while_it_does():
    activity = Activity()
    activity.state_changed(State.DOWNLOADING, 10.0)
    assert activity.active_seconds(15.0) == 5.0
    assert activity.seeding_seconds(15.0) == 0.0
    activity.state_changed(State.SEEDING, 20.0)
    assert activity.active_seconds(25.0) == 15.0
    assert activity.seeding_seconds(25.0) == 5.0
    activity.state_changed(State.STOPPED, 30.0)
    assert activity.active_seconds(99.0) == 20.0
    assert activity.seeding_seconds(99.0) == 10.0
    activity.state_changed(State.SEEDING, 100.0)
    assert activity.active_seconds(101.0) == 21.0
    assert activity.seeding_seconds(101.0) == 11.0


@pytest.mark.parametrize("state", [State.STOPPED, State.QUEUED, State.CHECKING, State.ERROR])
def test_what_is_no_activity(state):
    activity = Activity()
    activity.state_changed(state, 0.0)
    assert activity.active_seconds(9.0) == 0.0


@pytest.mark.parametrize("state", [State.FETCHING_METADATA, State.DOWNLOADING])
def test_what_is_activity_but_no_seeding(state):
    activity = Activity()
    activity.state_changed(state, 0.0)
    assert activity.active_seconds(9.0) == 9.0
    assert activity.seeding_seconds(9.0) == 0.0


def test_the_same_state_again_changes_nothing():
    activity = Activity()
    for now in (0.0, 5.0):
        activity.state_changed(State.SEEDING, now)
    assert activity.seeding_seconds(10.0) == 10.0


@pytest.mark.parametrize("restored", [False, True])
def test_earlier_runs_count(restored):
    activity = Activity() if restored else Activity(50.0, 20.0)
    if restored:
        activity.restore(50.0, 20.0)
    activity.state_changed(State.SEEDING, 0.0)
    assert activity.active_seconds(1.0) == 51.0
    assert activity.seeding_seconds(1.0) == 21.0
    assert activity.idle_seconds(1.0) == 1.0


def test_idle_since_the_last_upload():
    activity = Activity()
    activity.state_changed(State.SEEDING, 0.0)
    activity.note_uploaded(500, 10.0)
    activity.note_uploaded(500, 20.0)
    assert activity.idle_seconds(30.0) == 20.0
    activity.note_uploaded(501, 30.0)
    assert activity.idle_seconds(35.0) == 5.0


def test_who_sleeps_is_not_idle():
    activity = Activity()
    activity.state_changed(State.SEEDING, 0.0)
    activity.note_uploaded(1, 0.0)
    activity.state_changed(State.QUEUED, 10.0)
    activity.state_changed(State.SEEDING, 1000.0)
    assert activity.idle_seconds(1005.0) == 15.0


def test_a_clock_that_jumps_back_takes_nothing_away():
    activity = Activity(5.0)
    activity.state_changed(State.DOWNLOADING, 100.0)
    assert activity.active_seconds(50.0) == 5.0
