"""When the alternative limits hold: certain hours of certain days, in the user's wall clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from millstream.config_ranges import Ranges
from millstream.errors import ConfigError

MINUTES_PER_DAY = 24 * 60
DAYS_PER_WEEK = 7
EVERY_DAY = frozenset(range(DAYS_PER_WEEK))


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSchedule:
    """A span of the day, on some days of the week.

    Attributes:
        begin: minutes after midnight, 0 to 1439.
        end: the first minute after the span, 0 to 1439. A span whose end is not after its begin
            passes midnight and ends on the next day; with both the same it lasts 24 hours.
        days: the days on which the span begins, 0 (Monday) to 6 (Sunday); at least one.
    """

    begin: int
    end: int
    days: frozenset[int] = EVERY_DAY

    RANGES: ClassVar[Ranges] = {
        "begin": (0, MINUTES_PER_DAY - 1),
        "end": (0, MINUTES_PER_DAY - 1),
        "days": (0, DAYS_PER_WEEK - 1),
    }

    def __post_init__(self) -> None:
        for name in ("begin", "end"):
            minute = getattr(self, name)
            if not 0 <= minute < MINUTES_PER_DAY:
                raise ConfigError(f"limits.schedule.{name} is {minute}; it must be 0 to 1439")
        if not self.days or not self.days <= EVERY_DAY:
            raise ConfigError("limits.schedule.days must be some of 0 (Monday) to 6 (Sunday)")

    def is_on(self, weekday: int, minute: int) -> bool:
        """Whether a minute of a day is in the span, or in that which began the day before."""
        if self.begin < self.end:
            return weekday in self.days and self.begin <= minute < self.end
        yesterday = (weekday - 1) % DAYS_PER_WEEK
        return (weekday in self.days and minute >= self.begin) or (
            yesterday in self.days and minute < self.end
        )
