"""Goals are kept as they are, and whatever is found in their place is read as goals."""

from hypothesis import given
from hypothesis import strategies as st

from millstream.core.goals import INHERIT, GoalFacts, Goals, reached
from millstream.core.goals_config import MAX_GOAL_TIME, MAX_RATIO, GoalAction, GoalsConfig
from millstream.protocol import bencode

times = st.floats(0, MAX_GOAL_TIME)
goals = st.builds(
    Goals,
    ratio=st.none() | st.just(INHERIT) | st.floats(0, MAX_RATIO),
    seed_time=st.none() | st.just(INHERIT) | times,
    idle_time=st.none() | st.just(INHERIT) | times,
    action=st.just(INHERIT) | st.sampled_from(GoalAction),
)
words = st.sampled_from([b"none", b"1.5", b"-1", b"nan", b"1e999", b"remove"]) | st.binary()
values = st.integers() | words | st.lists(words, max_size=2)
keys = st.sampled_from([b"ratio", b"seed time", b"idle time", b"action"]) | st.binary(max_size=3)


@given(goals)
def test_goals_are_read_as_they_were_written(value):
    said = bencode.decode(bencode.encode(value.to_dict()))
    assert Goals.from_dict(said) == value


@given(values | st.dictionaries(keys, values))
def test_whatever_is_found_is_read_as_goals(said):
    found = Goals.from_dict(said)
    assert Goals.from_dict(found.to_dict()) == found


@given(
    goals,
    st.builds(GoalsConfig, ratio=st.none() | st.floats(0, MAX_RATIO), seed_time=st.none() | times),
    st.builds(
        GoalFacts,
        uploaded=st.integers(0, 1 << 62),
        downloaded=st.integers(0, 1 << 62),
        size=st.integers(0, 1 << 62),
        seeding_seconds=times,
        idle_seconds=times,
    ),
)
def test_what_is_reached_is_a_goal_that_holds(own, common, facts):
    holds = own.over(common)
    found = reached(facts, holds)
    if found is not None:
        assert getattr(holds, found.goal.name.lower()) is not None
    elif holds.seed_time is not None:
        assert facts.seeding_seconds < holds.seed_time
