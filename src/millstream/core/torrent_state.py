"""The states of a torrent and the ways between them."""

from __future__ import annotations

import enum

from millstream.errors import LocalProtocolError


class TorrentState(enum.Enum):
    """What a torrent is doing."""

    STOPPED = "stopped"
    FETCHING_METADATA = "fetching metadata"
    CHECKING = "checking"
    DOWNLOADING = "downloading"
    SEEDING = "seeding"
    ERROR = "error"


_WAYS = {
    TorrentState.STOPPED: {
        TorrentState.FETCHING_METADATA,
        TorrentState.CHECKING,
        TorrentState.DOWNLOADING,
        TorrentState.SEEDING,
    },
    TorrentState.FETCHING_METADATA: {
        TorrentState.CHECKING,
        TorrentState.STOPPED,
        TorrentState.ERROR,
    },
    TorrentState.CHECKING: {
        TorrentState.DOWNLOADING,
        TorrentState.SEEDING,
        TorrentState.STOPPED,
        TorrentState.ERROR,
    },
    TorrentState.DOWNLOADING: {
        TorrentState.SEEDING,
        TorrentState.STOPPED,
        TorrentState.CHECKING,
        TorrentState.ERROR,
    },
    TorrentState.SEEDING: {
        TorrentState.DOWNLOADING,
        TorrentState.STOPPED,
        TorrentState.CHECKING,
        TorrentState.ERROR,
    },
    TorrentState.ERROR: {
        TorrentState.FETCHING_METADATA,
        TorrentState.CHECKING,
        TorrentState.DOWNLOADING,
        TorrentState.SEEDING,
        TorrentState.STOPPED,
    },
}


def check_transition(before: TorrentState, after: TorrentState) -> None:
    """Raise LocalProtocolError if there is no way from `before` to `after`."""
    if after not in _WAYS[before]:
        raise LocalProtocolError(f"a torrent cannot go from {before.value} to {after.value}")
