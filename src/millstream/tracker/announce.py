"""What a client tells a tracker and what it hears back, whatever the transport (BEP 3, BEP 15)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash


class AnnounceEvent(enum.Enum):
    """Why a client announces. The values are those of UDP (BEP 15)."""

    NONE = 0
    COMPLETED = 1
    STARTED = 2
    STOPPED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceRequest:
    """One announce.

    Attributes:
        info_hash: the torrent.
        peer_id: 20 bytes.
        port: where we accept peers; 0 if we do not.
        uploaded: payload bytes since `started`.
        downloaded: payload bytes since `started`.
        left: bytes that are missing; before the metadata is known some positive number.
        event: why.
        key: random, the same for as long as we run: proves who we are when our address changes.
        want: how many peers we would like; 0 for none.
        tracker_id: what this tracker told us to send back (BEP 3), HTTP only.
    """

    info_hash: InfoHash
    peer_id: bytes
    port: int
    uploaded: int
    downloaded: int
    left: int
    event: AnnounceEvent = AnnounceEvent.NONE
    key: int = 0
    want: int = 50
    tracker_id: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceResponse:
    """What a tracker answered.

    Attributes:
        interval: seconds until the next regular announce.
        min_interval: seconds before which it wants no announce at all; 0 if it did not say.
        seeders: peers with everything; None if it did not say.
        leechers: the others; None if it did not say.
        peers: some of both, IPv4 and IPv6.
        warning: words for the user.
        external_ip: our address as the tracker sees it (BEP 24).
        tracker_id: to be sent with the next announces.
    """

    interval: int
    min_interval: int = 0
    seeders: int | None = None
    leechers: int | None = None
    peers: tuple[PeerAddress, ...] = ()
    warning: str | None = None
    external_ip: str | None = None
    tracker_id: bytes | None = None


@dataclass(frozen=True, slots=True)
class ScrapeEntry:
    """What a tracker knows of one torrent (BEP 48).

    Attributes:
        seeders: peers with everything (`complete`).
        completed: how many ever finished (`downloaded`).
        leechers: the others (`incomplete`).
    """

    seeders: int
    completed: int
    leechers: int
