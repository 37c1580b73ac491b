from __future__ import annotations

import math

import pytest

from millstream.core.goals_config import GoalAction, GoalsConfig
from millstream.errors import ConfigError


def test_a_torrent_seeds_for_ever_by_itself():
    config = GoalsConfig()
    assert config.is_empty
    assert config.action is GoalAction.STOP


@pytest.mark.parametrize("name", ["ratio", "seed_time", "idle_time"])
def test_a_goal_has_a_range(name):
    assert not GoalsConfig(**{name: 0}).is_empty
    for wrong in (-0.5, math.inf, math.nan):
        with pytest.raises(ConfigError, match=rf"goals\.{name} is {wrong}; it must be 0 to"):
            GoalsConfig(**{name: wrong})
