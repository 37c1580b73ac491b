from __future__ import annotations

from types import SimpleNamespace

from millstream import TorrentState
from millstream.errors import StorageError
from millstream.events import PieceVerified, TorrentCompleted, TorrentFailed
from millstream.service.happenings import Happenings


class TorrentDouble:
    info_hash = "ab" * 20
    name = "a"
    save_path = "/r"
    error = None
    has_metadata = True
    state = TorrentState.DOWNLOADING
    metainfo = SimpleNamespace(name="../a")

    def __init__(self):
        self.listener = None

    def listen(self, listener):
        self.listener = listener

    def status(self):
        return SimpleNamespace(total_length=7)


def watched(torrent, *, is_new):
    told = []
    happenings = Happenings(told.append, lambda: 5.0)
    happenings.torrent_entered(torrent, is_new=is_new)
    return told, happenings


def test_a_life():
    torrent = TorrentDouble()
    told, happenings = watched(torrent, is_new=True)
    torrent.listener(PieceVerified(0))
    torrent.listener(TorrentCompleted())
    torrent.listener(TorrentFailed(StorageError("/r/a", "full")))
    gone = happenings.torrent_leaving(torrent)
    assert len(told) == 3
    gone()
    assert [each.occasion.value for each in told] == ["added", "completed", "error", "removed"]
    assert told[2].error == "/r/a: full"
    first = told[0]
    assert (first.time, first.infohash, first.root) == (5.0, "ab" * 20, "/r")
    assert (first.path, first.size) == ("/r/..a", 7), "as it is stored"


def test_what_comes_back_is_not_added_again():
    told, _ = watched(TorrentDouble(), is_new=False)
    assert told == []


def test_what_failed_before_anybody_listened_is_told():
    torrent = TorrentDouble()
    torrent.state, torrent.error = TorrentState.ERROR, StorageError("/r/a", "gone")
    told, _ = watched(torrent, is_new=False)
    assert [(each.occasion.value, each.error) for each in told] == [("error", "/r/a: gone")]


def test_a_magnet_has_neither_path_nor_size_yet():
    torrent = TorrentDouble()
    torrent.has_metadata = False
    told, _ = watched(torrent, is_new=True)
    assert (told[0].path, told[0].size) == ("", None)
