"""Values to show: a torrent's status, its peers and its trackers."""

from __future__ import annotations

import asyncio
import json

from millstream.cli.display import Silent, Snapshot
from millstream.core.torrent_state import TorrentState
from millstream.engine.status import PeerStatus, TorrentStatus
from millstream.protocol.compact import PeerAddress
from millstream.tracker.announcer import TrackerState, TrackerStatus

URL = "http://tracker.example/announce"


def status(state="downloading", **values) -> TorrentStatus:
    defaults = {
        "progress": 0.5,
        "metadata_progress": 1.0,
        "pieces_have": 2,
        "piece_count": 4,
        "checked_pieces": 3,
        "bytes_done": 2 << 20,
        "total_length": 4 << 20,
        "download_rate": 87.3e6,
        "upload_rate": 0.0,
        "downloaded": 0,
        "uploaded": 0,
        "wasted": 0,
        "peers": 2,
        "seeds": 1,
        "eta": 22.4,
        "error": None,
    }
    return TorrentStatus(state=TorrentState(state), **(defaults | values))


def fetching(**values) -> TorrentStatus:
    nothing = dict.fromkeys(
        ("pieces_have", "piece_count", "checked_pieces", "bytes_done", "total_length", "seeds"), 0
    )
    unknown = {"progress": 0.0, "metadata_progress": 0.25, "eta": None, "download_rate": 0.0}
    return status("fetching metadata", **(nothing | unknown | values))


def snapshot(state="downloading", *, name="x", pieces=b"", waiting_for="", listed=None, **values):
    made = fetching(**values) if state == "fetching metadata" else status(state, **values)
    return Snapshot(name=name, status=made, pieces=pieces, waiting_for=waiting_for, peers=listed)


def peer(number=1, **values) -> PeerStatus:
    defaults = {
        "address": PeerAddress(f"192.0.2.{number}", 6881),
        "client": "Transmission 4.0.5",
        "incoming": False,
        "progress": 0.624,
        "download_rate": 0.0,
        "upload_rate": 0.0,
        "downloaded": 0,
        "uploaded": 0,
        "flags": "DE",
        "source": "tracker",
        "encryption": "rc4",
    }
    return PeerStatus(**(defaults | values))


def tracker(state="working", url=URL, **values) -> TrackerStatus:
    return TrackerStatus(url=url, tier=0, state=TrackerState(state), **values)


class Recording(Silent):
    """A display that keeps what it is told."""

    def __init__(self):
        self.events = []
        self.notes = []
        self.snapshots = []
        self.news = asyncio.Queue()

    def event(self, name, sentence="", /, *, good=None, **facts):
        json.dumps(facts)
        self.events.append((name, sentence, facts))
        self.news.put_nowait((name, sentence, facts))

    def note(self, sentence, /):
        self.notes.append(sentence)

    def transfer(self, snapshot):
        self.snapshots.append(snapshot)

    def peers(self, snapshot):
        self.snapshots.append(snapshot)

    @property
    def names(self):
        return [name for name, _, _ in self.events]
