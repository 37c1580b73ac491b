"""A torrent and how it stands, as the JSON of the routes shows it: all of it, or some fields.

A list of ten thousand torrents is asked for again and again, and mostly for a few fields of each:
what is not asked for is not found out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from millstream import Torrent, TorrentState, TorrentStatus
from millstream.core.goals import share_ratio

Json = dict[str, object]

_STATES = {state: state.value for state in TorrentState} | {
    # JSTorrent's word where ours has a space.
    TorrentState.FETCHING_METADATA: "downloading_metadata"
}

_WANTING = frozenset({TorrentState.FETCHING_METADATA, TorrentState.DOWNLOADING})


def state_name(state: TorrentState) -> str:
    """A state as clients know it."""
    return _STATES[state]


STATE_NAMES = frozenset(_STATES.values())


class Look:
    """A torrent at one moment: what takes its time is found out once, and only if it is asked for.

    Attributes:
        torrent: the torrent.
        status: how it stands.
        why_idle: why no data comes or goes; empty if some does.
    """

    __slots__ = ("status", "torrent", "why_idle")
    status: TorrentStatus
    why_idle: str

    def __init__(self, torrent: Torrent) -> None:
        self.torrent = torrent

    def __getattr__(self, name: str) -> TorrentStatus | str:
        # Reached while the slot is empty, once: a property would cost ten thousand calls a field.
        if name == "status":
            self.status = self.torrent.status()
            return self.status
        if name == "why_idle":
            self.why_idle = self.torrent.why_idle()
            return self.why_idle
        raise AttributeError(name)


def trouble(look: Look) -> str | None:
    """Why it failed, or why no data comes; None for one that has all it wants, or is to wait."""
    error = look.torrent.error
    if error is not None:
        return str(error)
    return look.why_idle or None if look.torrent.state in _WANTING else None


FIELDS: dict[str, Callable[[Look], object]] = {
    "id": lambda look: str(look.torrent.info_hash),
    "name": lambda look: look.torrent.name,
    "state": lambda look: state_name(look.torrent.state),
    "error": lambda look: look.status.error,
    "errorKind": lambda look: error_kind(look.torrent.error),
    "whyIdle": lambda look: look.why_idle,
    "trouble": trouble,
    "progress": lambda look: look.status.progress,
    "metadataProgress": lambda look: look.status.metadata_progress,
    "downloadRate": lambda look: round(look.status.download_rate),
    "uploadRate": lambda look: round(look.status.upload_rate),
    "totalDownloaded": lambda look: look.status.downloaded,
    "totalUploaded": lambda look: look.status.uploaded,
    "totalWasted": lambda look: look.status.wasted,
    "ratio": lambda look: ratio(look.status),
    "size": lambda look: look.status.total_length,
    "sizeDone": lambda look: look.status.bytes_done,
    "pieceCount": lambda look: look.status.piece_count,
    "piecesHave": lambda look: look.status.pieces_have,
    "piecesChecked": lambda look: look.status.checked_pieces,
    "peers": lambda look: look.status.peers,
    "seeds": lambda look: look.status.seeds,
    "eta": lambda look: None if look.status.eta is None else round(look.status.eta),
    "savePath": lambda look: look.torrent.save_path,
    "root": lambda look: look.torrent.root.token,
    "addedAt": lambda look: round(look.torrent.added_at),
    "completedAt": lambda look: _moment(look.torrent.completed_at),
    "queuePosition": lambda look: look.torrent.queue_position,
    "forced": lambda look: look.torrent.is_forced,
    "autoManaged": lambda look: look.torrent.is_auto_managed,
    "maxPeers": lambda look: look.torrent.max_peers,
    "downloadLimit": lambda look: look.torrent.limits[0],
    "uploadLimit": lambda look: look.torrent.limits[1],
}
"""What can be asked of a torrent, by name.

Rates are bytes a second, `eta` seconds or null, moments seconds since 1970 or null.
"""


def torrent_view(torrent: Torrent) -> Json:
    """A torrent, and all that can be asked of it."""
    return view_fields(Look(torrent), FIELDS.items())


def view_fields(look: Look, fields: Iterable[tuple[str, Callable[[Look], object]]]) -> Json:
    """These fields of a torrent, by their names."""
    return {name: field(look) for name, field in fields}


def ratio(status: TorrentStatus) -> float | None:
    """What was sent for each byte that came or is here; None if there never was any."""
    found = share_ratio(status.uploaded, status.downloaded, status.bytes_done)
    return None if found == math.inf else round(found, 3)


def _moment(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)


def error_kind(error: Exception | None) -> str | None:
    """The class of an error: `StorageError` and so on."""
    return None if error is None else type(error).__name__
