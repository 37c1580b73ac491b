"""The states of a torrent and the ways between them."""

from __future__ import annotations

import enum

from millstream.errors import LocalProtocolError


class TorrentState(enum.Enum):
    """What a torrent is doing. QUEUED waits until the queue lets it run."""

    STOPPED = "stopped"
    QUEUED = "queued"
    FETCHING_METADATA = "fetching metadata"
    CHECKING = "checking"
    DOWNLOADING = "downloading"
    SEEDING = "seeding"
    ERROR = "error"

    # Each is there once, so its identity will do. Enum's own hash is a call in Python, and states are
    # looked for in sets wherever something happens to a torrent.
    __hash__ = object.__hash__


_WAYS = {
    TorrentState.STOPPED: {
        TorrentState.QUEUED,
        TorrentState.FETCHING_METADATA,
        TorrentState.CHECKING,
        TorrentState.DOWNLOADING,
        TorrentState.SEEDING,
        TorrentState.ERROR,
    },
    TorrentState.QUEUED: {
        TorrentState.FETCHING_METADATA,
        TorrentState.CHECKING,
        TorrentState.DOWNLOADING,
        TorrentState.SEEDING,
        TorrentState.STOPPED,
        TorrentState.ERROR,
    },
    TorrentState.FETCHING_METADATA: {
        TorrentState.CHECKING,
        TorrentState.QUEUED,
        TorrentState.STOPPED,
        TorrentState.ERROR,
    },
    TorrentState.CHECKING: {
        TorrentState.DOWNLOADING,
        TorrentState.SEEDING,
        TorrentState.QUEUED,
        TorrentState.STOPPED,
        TorrentState.ERROR,
    },
    TorrentState.DOWNLOADING: {
        TorrentState.SEEDING,
        TorrentState.QUEUED,
        TorrentState.STOPPED,
        TorrentState.CHECKING,
        TorrentState.ERROR,
    },
    TorrentState.SEEDING: {
        TorrentState.DOWNLOADING,
        TorrentState.QUEUED,
        TorrentState.STOPPED,
        TorrentState.CHECKING,
        TorrentState.ERROR,
    },
    TorrentState.ERROR: {
        TorrentState.FETCHING_METADATA,
        TorrentState.CHECKING,
        TorrentState.DOWNLOADING,
        TorrentState.SEEDING,
        TorrentState.QUEUED,
        TorrentState.STOPPED,
    },
}


def check_transition(before: TorrentState, after: TorrentState) -> None:
    """Raise LocalProtocolError if there is no way from `before` to `after`."""
    if after not in _WAYS[before]:
        raise LocalProtocolError(f"a torrent cannot go from {before.value} to {after.value}")
