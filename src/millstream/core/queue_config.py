"""How many torrents work at the same time: the settings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from millstream.config_ranges import Ranges, check_ranges

# More files read side by side than any disk serves well.
MAX_CHECKS = 64

# A day without data is slow by anybody's measure.
MAX_SLOW_AFTER = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueConfig:
    """Limits of the queue; torrents beyond them wait for their turn. None: no limit.

    Neither torrents that were forced nor those that are not auto-managed are limited or counted.

    Attributes:
        active_downloads: torrents that download, or fetch their metadata, at a time. libtorrent
            and qBittorrent have 3. Range 0 up.
        active_seeds: torrents that seed at a time. libtorrent has 5, qBittorrent 3. Range 0 up.
        active_total: both together; downloads come first. libtorrent has 500, qBittorrent 5.
            Range 0 up.
        active_checks: torrents whose files are read at a time, to see what is there. libtorrent and
            qBittorrent have 1; with two, a small torrent does not wait for a large one. Range 1 to
            64.
        count_slow: whether torrents that hardly move anything count for `active_downloads` and
            `active_seeds`; they always do for `active_total`. libtorrent does not count them,
            qBittorrent does.
        slow_download_rate: bytes a second below which a download is slow; libtorrent's
            `inactive_down_rate` is 2048. Range 0 up.
        slow_upload_rate: bytes a second below which a seed is slow; libtorrent's
            `inactive_up_rate` is 2048. Range 0 up.
        slow_after: seconds for which it must have been slow, and which it has at its start;
            libtorrent's `auto_manage_startup` is 60. Range 1 to 86400.
    """

    active_downloads: int | None = None
    active_seeds: int | None = None
    active_total: int | None = None
    active_checks: int = 2
    count_slow: bool = False
    slow_download_rate: int = 2048
    slow_upload_rate: int = 2048
    slow_after: float = 60.0

    RANGES: ClassVar[Ranges] = {
        "active_downloads": (0, math.inf),
        "active_seeds": (0, math.inf),
        "active_total": (0, math.inf),
        "active_checks": (1, MAX_CHECKS),
        "slow_download_rate": (0, math.inf),
        "slow_upload_rate": (0, math.inf),
        "slow_after": (1, MAX_SLOW_AFTER),
    }

    def __post_init__(self) -> None:
        check_ranges("queue", self, self.RANGES)

    @property
    def is_limited(self) -> bool:
        """Whether any torrent may ever have to wait before it transfers."""
        return (self.active_downloads, self.active_seeds, self.active_total) != (None, None, None)
