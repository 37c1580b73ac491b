"""When a torrent has seeded enough: the goals of one torrent, and whether they are reached."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, Final, Literal, NamedTuple, Self, TypeAlias

from millstream.config_ranges import Ranges
from millstream.core.goals_config import GOAL_RANGES, GoalAction, GoalsConfig
from millstream.errors import ConfigError
from millstream.protocol.bencode import Bencoded

# Python's longest float, `-1.7976931348623157e+308`, has 24.
MAX_NUMBER_LENGTH = 24


class Inherit(enum.Enum):
    """Stands for a goal that a torrent has in common with all others."""

    INHERIT = "inherit"


INHERIT: Final = Inherit.INHERIT

OwnGoal: TypeAlias = float | Literal[Inherit.INHERIT] | None
"""A torrent's goal: a number of its own, None for no such goal, or what holds for all."""


class Goal(enum.Enum):
    """What there is to reach."""

    RATIO = "ratio"
    SEED_TIME = "seed time"
    IDLE_TIME = "idle time"


class GoalReached(NamedTuple):
    """A goal that was reached.

    Attributes:
        goal: which.
        text: for people.
    """

    goal: Goal
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Goals:
    """The goals of one torrent: each its own, or none, or that of `GoalsConfig`.

    Transmission and qBittorrent have the same three ways. Raises ConfigError, with the name, for a
    goal that is out of the range of `GoalsConfig`.

    Attributes:
        ratio: bytes uploaded for each byte downloaded.
        seed_time: seconds of seeding.
        idle_time: seconds of seeding in which nobody takes anything.
        action: what is to become of the torrent.
    """

    ratio: OwnGoal = INHERIT
    seed_time: OwnGoal = INHERIT
    idle_time: OwnGoal = INHERIT
    action: GoalAction | Literal[Inherit.INHERIT] = INHERIT

    RANGES: ClassVar[Ranges] = GOAL_RANGES

    def __post_init__(self) -> None:
        for name, (low, high) in self.RANGES.items():
            value = getattr(self, name)
            if value is not None and value is not INHERIT and not low <= value <= high:
                raise ConfigError(
                    f"goals.{name} is {value}; it must be {low:.15g} to {high:.15g}, or None"
                )

    def over(self, common: GoalsConfig) -> GoalsConfig:
        """What holds for the torrent, where `common` holds for all."""
        return GoalsConfig(
            ratio=common.ratio if self.ratio is INHERIT else self.ratio,
            seed_time=common.seed_time if self.seed_time is INHERIT else self.seed_time,
            idle_time=common.idle_time if self.idle_time is INHERIT else self.idle_time,
            action=common.action if self.action is INHERIT else self.action,
        )

    def to_dict(self) -> dict[bytes, bytes]:
        """A bencodable form; what is inherited is left out."""
        said: dict[bytes, bytes] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not INHERIT:
                said[_key(field.name)] = _word(value)
        return said

    @classmethod
    def from_dict(cls, said: Bencoded | Mapping[bytes, Bencoded] | None) -> Self:
        """Read `to_dict`'s form; what makes no sense is inherited."""
        if not isinstance(said, Mapping):
            return cls()
        numbers = {name: _goal(said.get(_key(name)), bounds) for name, bounds in cls.RANGES.items()}
        return cls(
            ratio=numbers["ratio"],
            seed_time=numbers["seed_time"],
            idle_time=numbers["idle_time"],
            action=_action(said.get(b"action")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalFacts:
    """What a torrent that seeds has done.

    Attributes:
        uploaded: payload bytes since it was added.
        downloaded: payload bytes since it was added.
        size: bytes that are verified and wanted.
        seeding_seconds: how long it has seeded in all.
        idle_seconds: for how much of that nobody has taken anything, up to now.
    """

    uploaded: int
    downloaded: int
    size: int
    seeding_seconds: float
    idle_seconds: float


def share_ratio(uploaded: int, downloaded: int, size: int) -> float:
    """Bytes uploaded for each byte downloaded; infinite if there never was any to have.

    What is there counts as downloaded where less was: it was there from the start, or the totals
    were lost. libtorrent ranks its seeds so (with the whole torrent's size), and qBittorrent counts
    so where next to nothing was downloaded.
    """
    basis = max(downloaded, size)
    if not basis:
        return math.inf if uploaded else 0.0
    return uploaded / basis


def reached(facts: GoalFacts, goals: GoalsConfig) -> GoalReached | None:
    """The first goal that is reached, if there is one."""
    if goals.ratio is not None:
        ratio = share_ratio(facts.uploaded, facts.downloaded, facts.size)
        if ratio >= goals.ratio:
            text = f"its ratio is {ratio:.2f}, and the goal {goals.ratio:.15g}"
            return GoalReached(Goal.RATIO, text)
    if goals.seed_time is not None and facts.seeding_seconds >= goals.seed_time:
        text = f"it has seeded for {facts.seeding_seconds:.0f} s, and the goal is "
        return GoalReached(Goal.SEED_TIME, f"{text}{goals.seed_time:.15g} s")
    if goals.idle_time is not None and facts.idle_seconds >= goals.idle_time:
        text = f"nobody has taken anything for {facts.idle_seconds:.0f} s, and the goal is "
        return GoalReached(Goal.IDLE_TIME, f"{text}{goals.idle_time:.15g} s")
    return None


_NONE = b"none"


def _key(name: str) -> bytes:
    return name.replace("_", " ").encode()


def _word(value: float | GoalAction | None) -> bytes:
    # Bencoding has no fractions.
    if isinstance(value, GoalAction):
        return value.value.encode()
    return _NONE if value is None else repr(float(value)).encode()


def _goal(word: Bencoded | None, bounds: tuple[float, float]) -> OwnGoal:
    if word == _NONE:
        return None
    if not isinstance(word, bytes) or len(word) > MAX_NUMBER_LENGTH:
        return INHERIT
    try:
        value = float(word)
    except ValueError:
        return INHERIT
    low, high = bounds
    return value if low <= value <= high else INHERIT


def _action(word: Bencoded | None) -> GoalAction | Literal[Inherit.INHERIT]:
    for action in GoalAction:
        if word == _word(action):
            return action
    return INHERIT
