"""How fast data may move: the settings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from millstream.config_ranges import Ranges
from millstream.core.limit_schedule import LimitSchedule
from millstream.errors import ConfigError

# Below this a block takes more than 16 s and requests time out. Transmission counts limits in
# kB/s, libtorrent's `set_upload_limit` takes any number.
MIN_RATE = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsConfig:
    """Rate limits in bytes a second; None: unlimited. Each is 1024 (1 KiB/s) or more.

    What is received counts as it comes from the socket, protocol and all; what is sent counts as
    blocks.

    Attributes:
        download: of all torrents together.
        upload: of all torrents together.
        alternative_download: in place of `download` while the schedule is on.
        alternative_upload: in place of `upload` while the schedule is on.
        schedule: when the alternative limits hold; None: never.
        torrent_download: of each torrent that is given no limit of its own.
        torrent_upload: of each torrent that is given no limit of its own.
    """

    download: int | None = None
    upload: int | None = None
    alternative_download: int | None = None
    alternative_upload: int | None = None
    schedule: LimitSchedule | None = None
    torrent_download: int | None = None
    torrent_upload: int | None = None

    RANGES: ClassVar[Ranges] = {
        "download": (MIN_RATE, math.inf),
        "upload": (MIN_RATE, math.inf),
        "alternative_download": (MIN_RATE, math.inf),
        "alternative_upload": (MIN_RATE, math.inf),
        "torrent_download": (MIN_RATE, math.inf),
        "torrent_upload": (MIN_RATE, math.inf),
    }

    def __post_init__(self) -> None:
        for name in self.RANGES:
            rate = getattr(self, name)
            if rate is not None:
                check_rate(f"limits.{name}", rate)


def check_rate(name: str, rate: int) -> None:
    """Raise ConfigError, with the name, if a rate is too low to be a limit."""
    if rate < MIN_RATE:
        raise ConfigError(
            f"{name} is {rate}; it must be {MIN_RATE} bytes a second or more, or None for no limit"
        )
