"""What is looked after where torrents are stored."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from millstream.config_ranges import Ranges, check_ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageConfig:
    """Storage roots and the files in them. Times are seconds.

    Attributes:
        check_interval: how often it is looked whether the disks of torrents are there and have
            room; rtorrent's usual schedule looks at the room every 60 s. Range 1 to 3600.
        min_free_space: bytes below which downloads to a disk wait for room, so that other programs
            and the session's own files go on; they continue at twice as much. Rtorrent's usual
            limit is 1000 MB, which small disks never have; ours is what may be on its way to the
            disk, twice (`disk.max_queued_bytes`). Range 0 up; 0 lets them fill the disk.
        require_room: whether a download that does not fit is refused when it begins.
        file_check_interval: how often the files of torrents that have peers are looked at, whether
            somebody deleted, cut or replaced one. Range 5 to 86400.
    """

    check_interval: float = 10.0
    min_free_space: int = 64 << 20
    require_room: bool = True
    file_check_interval: float = 60.0

    RANGES: ClassVar[Ranges] = {
        "check_interval": (1, 3600),
        "min_free_space": (0, math.inf),
        "file_check_interval": (5, 86400),
    }

    def __post_init__(self) -> None:
        check_ranges("storage", self, self.RANGES)
