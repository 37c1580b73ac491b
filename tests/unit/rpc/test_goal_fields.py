from __future__ import annotations

import pytest

from millstream.core.goals import Goals
from millstream.core.goals_config import GoalAction
from millstream.http_server.fields import Fields
from millstream.rpc.goal_fields import goals_view, read_goals
from millstream.rpc.refusals import Refusal

OWN = Goals(ratio=2.0, seed_time=None, action=GoalAction.REMOVE)


def test_what_is_not_named_stays():
    assert read_goals(Fields({}), OWN) == OWN
    assert read_goals(Fields({"ratio": 1}), OWN).seed_time is None


def test_three_ways():
    body = {"ratio": None, "seedTime": 3600, "idleTime": "inherit", "action": "remove data"}
    wanted = Goals(ratio=None, seed_time=3600.0, action=GoalAction.REMOVE_DATA)
    assert read_goals(Fields(body), Goals()) == wanted
    assert goals_view(wanted) == body
    everything = dict.fromkeys(("ratio", "seedTime", "idleTime", "action"), "inherit")
    assert read_goals(Fields(everything), wanted) == Goals()
    assert goals_view(Goals()) == everything


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"ratio": -1}, "ratio"),
        ({"ratio": 1e9}, "ratio"),
        ({"ratio": "2"}, "ratio"),
        ({"idleTime": True}, "idleTime"),
        ({"action": "explode"}, "action"),
        ({"seed_time": 1}, "seed_time"),
    ],
)
def test_what_makes_no_sense_is_named(body, field):
    with pytest.raises(Refusal) as caught:
        read_goals(Fields(body), OWN)
    assert (caught.value.status, caught.value.field) == (400, field)
