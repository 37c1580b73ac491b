from __future__ import annotations

import math

import pytest

from millstream.core.goals import INHERIT, Goal, GoalFacts, Goals, reached, share_ratio
from millstream.core.goals_config import GoalAction, GoalsConfig
from millstream.errors import ConfigError

COMMON = GoalsConfig(ratio=2.0, seed_time=600, action=GoalAction.REMOVE)


def facts(uploaded=0, downloaded=1000, size=1000, seeding=0.0, idle=0.0):
    return GoalFacts(
        uploaded=uploaded,
        downloaded=downloaded,
        size=size,
        seeding_seconds=seeding,
        idle_seconds=idle,
    )


# Own goals and those of all


def test_by_itself_a_torrent_has_the_goals_of_all():
    assert Goals().over(COMMON) == COMMON


def test_a_goal_of_its_own_leaves_the_others():
    holds = Goals(ratio=0.5).over(COMMON)
    assert holds == GoalsConfig(ratio=0.5, seed_time=600, action=GoalAction.REMOVE)


def test_a_torrent_may_have_no_goals_where_others_have():
    holds = Goals(ratio=None, seed_time=None, idle_time=None, action=GoalAction.STOP).over(COMMON)
    assert holds == GoalsConfig()


@pytest.mark.parametrize("name", ["ratio", "seed_time", "idle_time"])
def test_a_goal_has_the_range_of_the_common_one(name):
    for right in (None, INHERIT, 0, 5):
        Goals(**{name: right})
    for wrong in (-1, math.inf, math.nan):
        with pytest.raises(ConfigError, match=rf"goals\.{name} is {wrong}; it must be 0 to"):
            Goals(**{name: wrong})


# The form in which they are kept


@pytest.mark.parametrize(
    ("goals", "said"),
    [
        (Goals(), {}),
        (Goals(ratio=1.5), {b"ratio": b"1.5"}),
        (Goals(seed_time=None, idle_time=60), {b"seed time": b"none", b"idle time": b"60.0"}),
        (Goals(action=GoalAction.REMOVE_DATA), {b"action": b"remove data"}),
    ],
)
def test_kept_and_read_again(goals, said):
    assert goals.to_dict() == said
    assert Goals.from_dict(said) == goals


@pytest.mark.parametrize(
    "said",
    [
        None,
        b"ratio",
        {},
        {b"ratio": 2},
        {b"ratio": b""},
        {b"ratio": b"two"},
        {b"ratio": b"nan"},
        {b"ratio": b"inf"},
        {b"ratio": b"-1"},
        {b"ratio": b"0" * 1000 + b"1"},
        {b"ratio": b"\xff"},
        {b"action": b"explode"},
        {b"action": b"none"},
        {b"seed time": [b"1"]},
    ],
)
def test_what_makes_no_sense_is_inherited(said):
    assert Goals.from_dict(said) == Goals()


# The ratio


@pytest.mark.parametrize(
    ("uploaded", "downloaded", "size", "ratio"),
    [
        (1500, 1000, 1000, 1.5),
        (1500, 3000, 1000, 0.5),  # it was downloaded three times over
        (1500, 0, 1000, 1.5),  # it was here from the start
        (1500, 10, 1000, 1.5),
        (0, 0, 0, 0.0),
        (1, 0, 0, math.inf),
    ],
)
def test_the_ratio(uploaded, downloaded, size, ratio):
    assert share_ratio(uploaded, downloaded, size) == ratio


# Whether a goal is reached


def test_without_goals_nothing_is_ever_reached():
    assert reached(facts(10**12, seeding=1e9, idle=1e9), GoalsConfig()) is None


@pytest.mark.parametrize(
    ("just_not", "just", "goals", "goal"),
    [
        ({"uploaded": 1999}, {"uploaded": 2000}, {"ratio": 2}, Goal.RATIO),
        ({"seeding": 59.9}, {"seeding": 60.0}, {"seed_time": 60}, Goal.SEED_TIME),
        ({"idle": 59.9}, {"idle": 60.0}, {"idle_time": 60}, Goal.IDLE_TIME),
    ],
)
def test_a_goal_is_reached(just_not, just, goals, goal):
    config = GoalsConfig(**goals)
    assert reached(facts(**just_not), config) is None
    found = reached(facts(**just), config)
    assert found is not None
    assert found.goal is goal
    assert "the goal" in found.text


@pytest.mark.parametrize("name", ["ratio", "seed_time", "idle_time"])
def test_zero_is_reached_from_the_start(name):
    assert reached(facts(), GoalsConfig(**{name: 0})) is not None


def test_one_goal_is_enough():
    found = reached(facts(seeding=700, idle=1), COMMON)
    assert found is not None
    assert found.goal is Goal.SEED_TIME
    assert found.text == "it has seeded for 700 s, and the goal is 600 s"
