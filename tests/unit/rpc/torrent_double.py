"""A torrent that says what a test wants it to say."""

from __future__ import annotations

from types import SimpleNamespace

from millstream import TorrentState

STATUS = {
    "progress": 1.0,
    "metadata_progress": 1.0,
    "pieces_have": 4,
    "piece_count": 4,
    "checked_pieces": 4,
    "bytes_done": 40,
    "total_length": 40,
    "download_rate": 0.0,
    "upload_rate": 0.0,
    "downloaded": 0,
    "uploaded": 0,
    "wasted": 0,
    "peers": 0,
    "seeds": 0,
    "eta": None,
    "error": None,
}


class TorrentDouble(SimpleNamespace):
    """Counts how often it is asked for what takes its time."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    def __init__(self, name="x", state=TorrentState.SEEDING, *, error=None, idle="", **values):
        super().__init__(
            info_hash="ab" * 20,
            name=name,
            state=state,
            error=error,
            save_path="/srv",
            root=SimpleNamespace(token="0123"),  # noqa: S106 - of a storage root
            added_at=1_700_000_000.25,
            completed_at=None,
            max_peers=None,
            limits=(None, 2048),
            queue_position=0,
            is_forced=False,
            is_auto_managed=True,
        )
        self.idle = idle
        self.values = STATUS | values
        self.asked = []

    def status(self):
        self.asked.append("status")
        return SimpleNamespace(state=self.state, **self.values)

    def why_idle(self):
        self.asked.append("why_idle")
        return self.idle
