"""When a torrent has seeded enough: the settings for all torrents."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import ClassVar

from millstream.config_ranges import Ranges, check_ranges

# More than anybody ever uploads; qBittorrent's window ends at 9999.
MAX_RATIO = 1e6

# A hundred years, in seconds.
MAX_GOAL_TIME = 100 * 365 * 86_400.0

GOAL_RANGES: Ranges = {
    "ratio": (0, MAX_RATIO),
    "seed_time": (0, MAX_GOAL_TIME),
    "idle_time": (0, MAX_GOAL_TIME),
}


class GoalAction(enum.Enum):
    """What becomes of a torrent that has seeded enough."""

    STOP = "stop"
    REMOVE = "remove"
    REMOVE_DATA = "remove data"


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalsConfig:
    """When seeding ends; the first goal that is reached counts. None: no such goal.

    Torrents may have other goals of their own. Forced torrents have none.

    Attributes:
        ratio: bytes uploaded for each byte downloaded. Of a torrent that was not downloaded here,
            the bytes that are there count as downloaded. Range 0 to 1000000.
        seed_time: seconds of seeding. Range 0 to 3153600000.
        idle_time: seconds of seeding in which nobody takes anything. Range 0 to 3153600000.
        action: `stop`; `remove` the torrent and leave its files; or `remove data`, too.
    """

    ratio: float | None = None
    seed_time: float | None = None
    idle_time: float | None = None
    action: GoalAction = GoalAction.STOP

    RANGES: ClassVar[Ranges] = GOAL_RANGES

    def __post_init__(self) -> None:
        check_ranges("goals", self, self.RANGES)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be reached: a torrent then seeds for ever."""
        return self.ratio is None and self.seed_time is None and self.idle_time is None
