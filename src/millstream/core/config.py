"""The settings of the core's decisions."""

from __future__ import annotations

from dataclasses import dataclass

from millstream.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferConfig:
    """How data is asked for and served.

    Attributes:
        max_buffered_bytes: room for pieces between the first request and the disk, over all
            torrents. The seeds began with 16 MiB and ended at 256; 64 MiB keeps 500 requests
            open to each of eight fast peers. A torrent may always hold one piece. Range 1 MiB up.
        max_unwritten_bytes: pieces at the disk, of one torrent, above which it begins no more. A
            piece that waits falls out of the processor's cache and costs more to hash and write:
            8 MiB against no limit saved 5 % of all processor time (docs/performance.md). Three
            pieces may wait whatever their length. Range 1 MiB up.
        request_queue_time: seconds of the peer's rate that are kept requested; libtorrent 3,
            Transmission 10. Range 0.5 to 60.
        max_request_depth: most blocks requested of one peer; libtorrent 500, JSTorrent 500.
            Range 1 to 2000: libtorrent answers at most 2000.
        request_timeout: seconds after which an unanswered block is asked of somebody else;
            seed 004: 30, Transmission 25. Range 1 to 600.
        upload_slots: peers served at once. Range 0 to 1000.
        max_peer_requests: requests of one peer that are kept; libtorrent's
            `max_allowed_in_request_queue` is 2000. Range 1 to 10000.
    """

    max_buffered_bytes: int = 64 << 20
    max_unwritten_bytes: int = 8 << 20
    request_queue_time: float = 3.0
    max_request_depth: int = 500
    request_timeout: float = 30.0
    upload_slots: int = 32
    max_peer_requests: int = 2000

    def __post_init__(self) -> None:
        for name, low, high in (
            ("max_buffered_bytes", 1 << 20, 1 << 40),
            ("max_unwritten_bytes", 1 << 20, 1 << 40),
            ("request_queue_time", 0.5, 60),
            ("max_request_depth", 1, 2000),
            ("request_timeout", 1, 600),
            ("upload_slots", 0, 1000),
            ("max_peer_requests", 1, 10000),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"transfer.{name} is {value}; it must be {low} to {high}")
