"""The settings of the core's decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from millstream.config_ranges import Ranges, check_ranges


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
        max_request_depth: most blocks requested of one peer, if it says that it keeps so many
            (`reqq`); otherwise 500 at most (`core.request_depth`). libtorrent 500, JSTorrent 500.
            Range 1 to 2000: libtorrent answers at most 2000.
        request_timeout: seconds after which a silent peer's blocks are asked of somebody else, at
            most: fast peers get less (`core.request_timeout`). Seed 004: 30, Transmission 25.
            Range 1 to 600.
        upload_slots: peers of a torrent served at once, optimistic ones included; None: as many as
            the capacity is good for (`core.upload_capacity`). Range 0 to 1000.
        allowed_fast_set: pieces that a newcomer may have while it is choked (BEP 6: 10; libtorrent
            5). Range 0 (none) to 100.
        suggest_pieces: whether peers are told which piece we have at hand (BEP 6); see
            `core.suggestions`.
        max_peer_requests: requests of one peer that are kept; libtorrent's
            `max_allowed_in_request_queue` is 2000. Range 1 to 10000.
    """

    max_buffered_bytes: int = 64 << 20
    max_unwritten_bytes: int = 8 << 20
    request_queue_time: float = 3.0
    max_request_depth: int = 2000
    request_timeout: float = 30.0
    upload_slots: int | None = None
    allowed_fast_set: int = 10
    suggest_pieces: bool = False
    max_peer_requests: int = 2000

    RANGES: ClassVar[Ranges] = {
        "max_buffered_bytes": (1 << 20, 1 << 40),
        "max_unwritten_bytes": (1 << 20, 1 << 40),
        "request_queue_time": (0.5, 60),
        "max_request_depth": (1, 2000),
        "request_timeout": (1, 600),
        "upload_slots": (0, 1000),
        "allowed_fast_set": (0, 100),
        "max_peer_requests": (1, 10000),
    }

    def __post_init__(self) -> None:
        check_ranges("transfer", self, self.RANGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class SwarmConfig:
    """Whom to connect to and whom to keep, for each torrent. Times are seconds.

    Attributes:
        max_connections_per_torrent: attempts included. Transmission 50, libtorrent none; half of
            all connections, so that one torrent leaves room for the others. Range 1 up.
        max_known_peers: addresses kept to try; libtorrent's `max_peerlist_size` is 3000. Range 1
            to 100000.
        max_failures: tries in a row that come to nothing, after which a peer that the user did not
            name is tried no more; libtorrent's `max_failcount` is 3, without quick retries. Range
            1 to 100.
        min_reconnect_time: before a peer that the user did not name is connected to again after a
            connection that was of use; libtorrent 60, Transmission 5. Range 1 to 3600.
        pex: whether peers are exchanged with peers (BEP 11). Private torrents never do (BEP 27).
        turnover_share: the share of its connections that a torrent gives up for untried peers when
            it has hardly room left; libtorrent 4 %. Range 0 (off) to 1.
        turnover_interval: between such times; libtorrent 300. Range 10 up.
        turnover_cutoff: the share of its limit from which on a torrent has hardly room left;
            libtorrent 90 %. Range 0 to 1.
    """

    max_connections_per_torrent: int = 100
    max_known_peers: int = 3000
    max_failures: int = 8
    min_reconnect_time: float = 10.0
    pex: bool = True
    turnover_share: float = 0.04
    turnover_interval: float = 300.0
    turnover_cutoff: float = 0.9

    RANGES: ClassVar[Ranges] = {
        "max_connections_per_torrent": (1, 1_000_000),
        "max_known_peers": (1, 100_000),
        "max_failures": (1, 100),
        "min_reconnect_time": (1, 3600),
        "turnover_share": (0, 1),
        "turnover_interval": (10, 86400),
        "turnover_cutoff": (0, 1),
    }

    def __post_init__(self) -> None:
        check_ranges("swarm", self, self.RANGES)
