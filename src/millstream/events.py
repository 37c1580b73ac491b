"""The events of `Torrent.events` and `Engine.listen`: one class for each thing that can happen."""

from millstream.engine.engine_events import EngineEvent, TorrentAdded, TorrentRemoved
from millstream.engine.events import (
    Event,
    EventStream,
    FilesRenamed,
    PeerBanned,
    PeerConnected,
    PeerDisconnected,
    PieceFailed,
    PieceVerified,
    StateChanged,
    TorrentCompleted,
    TorrentFailed,
    TorrentMoved,
)

__all__ = [
    "EngineEvent",
    "Event",
    "EventStream",
    "FilesRenamed",
    "PeerBanned",
    "PeerConnected",
    "PeerDisconnected",
    "PieceFailed",
    "PieceVerified",
    "StateChanged",
    "TorrentAdded",
    "TorrentCompleted",
    "TorrentFailed",
    "TorrentMoved",
    "TorrentRemoved",
]
