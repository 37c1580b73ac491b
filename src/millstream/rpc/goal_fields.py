"""The goals of one torrent as JSON: a number, null for no such goal, or `inherit`."""

from __future__ import annotations

from typing import Literal

from millstream.core.goals import INHERIT, Goals, Inherit, OwnGoal
from millstream.core.goals_config import GOAL_RANGES, GoalAction
from millstream.http_server.fields import Fields
from millstream.rpc.torrent_view import Json

_NAMES = {"ratio": "ratio", "seedTime": "seed_time", "idleTime": "idle_time"}
_WORD = INHERIT.value
_ACTIONS = {action.value: action for action in GoalAction}


def read_goals(fields: Fields, now: Goals) -> Goals:
    """The goals that a body wants; those that it does not name stay as they are. Raises Refusal."""
    numbers = {
        name: _goal(fields, key, name) if fields.has(key) else getattr(now, name)
        for key, name in _NAMES.items()
    }
    action: GoalAction | Literal[Inherit.INHERIT] = now.action
    if (word := fields.choice("action", (*_ACTIONS, _WORD))) is not None:
        action = _ACTIONS.get(word, INHERIT)
    fields.finish()
    return Goals(
        ratio=numbers["ratio"],
        seed_time=numbers["seed_time"],
        idle_time=numbers["idle_time"],
        action=action,
    )


def goals_view(goals: Goals) -> Json:
    """What `read_goals` reads."""
    view: Json = {key: _said(getattr(goals, name)) for key, name in _NAMES.items()}
    view["action"] = _WORD if goals.action is INHERIT else goals.action.value
    return view


def _goal(fields: Fields, key: str, name: str) -> OwnGoal:
    if fields.is_text(key):
        fields.choice(key, (_WORD,))
        return INHERIT
    return fields.number(key, *GOAL_RANGES[name])


def _said(goal: OwnGoal) -> object:
    return _WORD if goal is INHERIT else goal
