"""The events of `Torrent.events()`: one class for each thing that can happen to a torrent."""

from millstream.engine.events import (
    Event,
    EventStream,
    PeerBanned,
    PeerConnected,
    PeerDisconnected,
    PieceFailed,
    PieceVerified,
    StateChanged,
    TorrentCompleted,
    TorrentFailed,
)

__all__ = [
    "Event",
    "EventStream",
    "PeerBanned",
    "PeerConnected",
    "PeerDisconnected",
    "PieceFailed",
    "PieceVerified",
    "StateChanged",
    "TorrentCompleted",
    "TorrentFailed",
]
