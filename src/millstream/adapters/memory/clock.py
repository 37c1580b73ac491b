"""A wall clock that goes with the loop."""

from __future__ import annotations

import asyncio

from millstream.interfaces.clock import LocalTime

_MINUTES_PER_DAY = 24 * 60

# The loop's time zero, a Monday; later than what `MemoryFileSystem` counts files' times to.
EPOCH = 1_577_664_000.0  # 2019-12-30


class MemoryClock:
    """Implements `interfaces.clock.LocalClock`, in virtual time if the loop's time is.

    Args:
        weekday: the day at the loop's time zero, 0 (Monday) to 6.
        minute: the minute of that day.
    """

    def __init__(self, weekday: int = 0, minute: int = 0) -> None:
        self._start = weekday * _MINUTES_PER_DAY + minute
        self._ahead = 0.0

    def jump(self, seconds: float) -> None:
        """Somebody sets the clock, or the machine sleeps; below zero it is set back."""
        self._ahead += seconds

    def local_time(self) -> LocalTime:
        """The present minute."""
        minutes = self._start + int((asyncio.get_running_loop().time() + self._ahead) // 60)
        days, minute = divmod(minutes, _MINUTES_PER_DAY)
        return LocalTime(days % 7, minute)

    def wall_time(self) -> float:
        """Seconds since the epoch, if the loop began at `EPOCH`."""
        return EPOCH + self._start * 60 + asyncio.get_running_loop().time() + self._ahead
