"""The settings of announcing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from millstream.config_ranges import Ranges, check_ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerConfig:
    """How trackers are asked. Times are seconds.

    Attributes:
        http: whether `http://` and `https://` trackers are used.
        udp: whether `udp://` trackers are used.
        announce_to_all_tiers: ask the first working tracker of every tier, as qBittorrent does,
            instead of the first working tier only (BEP 12, and libtorrent if not told otherwise).
            Public torrents put each tracker into a tier of its own, and each knows other peers.
        allow_local: whether trackers may be at addresses that are not global; libtorrent's
            `ssrf_mitigation` the other way round. A torrent can name any address, and what we send
            there passes the firewall.
        announce_timeout: for a whole HTTP announce, its redirects included; libtorrent's
            `tracker_completion_timeout` is 30. Range 1 to 300.
        udp_timeout: for a whole UDP announce; Transmission gives up after 60, where BEP 15 would
            go on for two hours, and another tracker is worth more. Range 1 to 3600.
        udp_retransmit: the first wait before a datagram is sent again; each following one is twice
            as long. BEP 15 says 15. Range 0.1 to 60.
        stop_deadline: what `stopped` may cost at the end; libtorrent's `stop_tracker_timeout` is 5.
            0 sends none. Range 0 to 60.
        max_response_length: bytes of an HTTP answer; libtorrent's
            `tracker_maximum_response_length` is 1 MiB. Range 1 KiB to 64 MiB.
        want: peers asked for; libtorrent's `num_want` is 200, Transmission's 80. Range 0 to 1000.
        shortest_interval: no regular announce follows the last one sooner, whatever the tracker
            says; libtorrent's `min_announce_interval` is 300, Transmission has no limit. A tracker
            that counts on an announce every minute forgets who comes later. Range 1 to 3600.
        early_interval: when peers are few, a tracker is asked again after so long (or after its
            `min interval`, if that is longer). Range 1 to 86400.
    """

    http: bool = True
    udp: bool = True
    announce_to_all_tiers: bool = True
    allow_local: bool = False
    announce_timeout: float = 30.0
    udp_timeout: float = 60.0
    udp_retransmit: float = 15.0
    stop_deadline: float = 5.0
    max_response_length: int = 1 << 20
    want: int = 200
    shortest_interval: float = 60.0
    early_interval: float = 300.0

    RANGES: ClassVar[Ranges] = {
        "announce_timeout": (1, 300),
        "udp_timeout": (1, 3600),
        "udp_retransmit": (0.1, 60),
        "stop_deadline": (0, 60),
        "max_response_length": (1 << 10, 64 << 20),
        "want": (0, 1000),
        "shortest_interval": (1, 3600),
        "early_interval": (1, 86400),
    }

    def __post_init__(self) -> None:
        check_ranges("trackers", self, self.RANGES)
