"""The machine's clock."""

from __future__ import annotations

import time

from millstream.interfaces.clock import LocalTime


class NativeClock:
    """The time of the machine's time zone; implements `interfaces.clock.LocalClock`."""

    def local_time(self) -> LocalTime:
        """The present minute."""
        now = time.localtime()
        return LocalTime(now.tm_wday, now.tm_hour * 60 + now.tm_min)

    def wall_time(self) -> float:
        """Seconds since the epoch."""
        return time.time()
