"""The user's wall clock, for what is set by the hour and what is remembered.

All else runs on the loop's time.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class LocalTime(NamedTuple):
    """A minute of the week: `weekday` 0 (Monday) to 6 (Sunday), `minute` after midnight, 0 to 1439."""

    weekday: int
    minute: int


class LocalClock(Protocol):
    """Says what time it is where the user lives."""

    def local_time(self) -> LocalTime:
        """The present minute. It may jump: by daylight saving, sleep, or the user's hand."""

    def wall_time(self) -> float:
        """Seconds since the epoch, as files' times are told. It may jump, too."""
