from __future__ import annotations

from types import SimpleNamespace

import pytest

from millstream.core.file_priority import FilePriority
from millstream.core.queue_order import QueueOrder
from millstream.errors import MetadataPendingError
from millstream.http_server.fields import Fields
from millstream.rpc.refusals import Refusal
from millstream.rpc.torrent_changes import (
    change_priorities,
    change_queue,
    change_settings,
    queue_view,
    read_destination,
    rename,
    settings_view,
)


class Changed(SimpleNamespace):
    """A torrent that keeps what it is told."""

    def __init__(self, *, has_metadata=True):
        super().__init__(
            has_metadata=has_metadata,
            limits=(None, 4096),
            max_peers=None,
            sequential=False,
            first_last_first=False,
            super_seeding=False,
            selected="all",
            priorities=None,
            renamed=None,
        )

    @property
    def metainfo(self):
        if not self.has_metadata:
            raise MetadataPendingError("not here yet")

    def set_limits(self, *, download, upload):
        self.limits = download, upload

    async def select_files(self, indexes):
        self.selected = indexes

    async def rename_file(self, index, path):
        self.renamed = index, path

    async def rename_folder(self, folder, path):
        self.renamed = folder, path

    async def set_file_priorities(self, priorities):
        self.priorities = priorities


async def test_only_what_is_named_changes():
    torrent = Changed()
    await change_settings(torrent, Fields({"downloadLimit": 2048, "sequential": True}))
    assert (torrent.limits, torrent.sequential, torrent.selected) == ((2048, 4096), True, "all")
    await change_settings(torrent, Fields({"select": [1], "maxPeers": 7, "uploadLimit": 0}))
    assert (torrent.limits, torrent.selected, torrent.max_peers) == ((2048, None), [1], 7)
    await change_settings(torrent, Fields({"select": None, "maxPeers": None}))
    assert (torrent.selected, torrent.max_peers) == (None, None)
    await change_settings(torrent, Fields({"firstLast": True, "superSeeding": True}))
    assert settings_view(torrent) == {
        "maxPeers": None,
        "downloadLimit": 2048,
        "uploadLimit": None,
        "sequential": True,
        "firstLast": True,
        "superSeeding": True,
    }


@pytest.mark.parametrize(
    "body", [{"select": [1]}, {"sequential": False}, {"firstLast": True}, {"superSeeding": True}]
)
async def test_nothing_changes_where_the_files_are_not_known(body):
    torrent = Changed(has_metadata=False)
    with pytest.raises(MetadataPendingError):
        await change_settings(torrent, Fields({**body, "maxPeers": 7}))
    assert torrent.max_peers is None
    assert settings_view(torrent) == {
        "maxPeers": None,
        "downloadLimit": None,
        "uploadLimit": 4096,
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"maxPeers": 0}, "maxPeers"),
        ({"uploadLimit": 5}, "uploadLimit"),
        ({"sequential": 1}, "sequential"),
        ({"maxPeers": 7, "max": 7}, "max"),
    ],
)
async def test_what_is_wrong_is_named_and_changes_nothing(body, field):
    torrent = Changed()
    with pytest.raises(Refusal) as caught:
        await change_settings(torrent, Fields(body))
    assert caught.value.field == field
    assert torrent == Changed()


async def test_priorities_by_their_words():
    torrent = Changed()
    await change_priorities(
        torrent, Fields({"high": [0, 3], "skip": [1], "low": [], "normal": [2]})
    )
    assert torrent.priorities == {
        0: FilePriority.HIGH,
        1: FilePriority.SKIP,
        2: FilePriority.NORMAL,
        3: FilePriority.HIGH,
    }


@pytest.mark.parametrize(
    "body", [{"high": [1], "low": [0, 1]}, {"highest": [1]}, {"skip": ["1"]}, {"skip": 1}]
)
async def test_no_file_has_two_priorities(body):
    torrent = Changed()
    with pytest.raises(Refusal):
        await change_priorities(torrent, Fields(body))
    assert torrent.priorities is None


class Queued:
    """Three torrents in a queue, of which one is looked at."""

    def __init__(self):
        self.info_hash = "me"
        self.is_forced = False
        self.is_auto_managed = True
        self.order = QueueOrder()
        for key in ("a", "me", "z"):
            self.order.add(key)
        self.queue = SimpleNamespace(order=self.order, move=self.order.move)

    @property
    def queue_position(self):
        return self.order.position("me")

    @queue_position.setter
    def queue_position(self, position):
        self.order.place("me", position)


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        ({}, {}),
        ({"move": "up"}, {"position": 0}),
        ({"move": "bottom"}, {"position": 2}),
        ({"position": 0}, {"position": 0}),
        ({"position": 99}, {"position": 2}),
        ({"forced": True}, {"forced": True}),
        ({"autoManaged": False, "move": "top"}, {"autoManaged": False, "position": 0}),
    ],
)
def test_the_queue(body, changed):
    queued = Queued()
    change_queue(queued, queued, Fields(body))
    usual = {"position": 1, "count": 3, "forced": False, "autoManaged": True}
    assert queue_view(queued, queued) == usual | changed


@pytest.mark.parametrize(
    "body",
    [
        {"move": "away"},
        {"move": "up", "position": 1},
        {"position": -1},
        {"auto": True, "move": "up"},
    ],
)
def test_no_such_place(body):
    queued = Queued()
    with pytest.raises(Refusal):
        change_queue(queued, queued, Fields(body))
    assert list(queued.order) == ["a", "me", "z"]


@pytest.mark.parametrize("what", [{"file": 0}, {"folder": "a/b"}])
async def test_renaming(what):
    torrent = Changed()
    await rename(torrent, Fields({**what, "path": "c"}))
    assert torrent.renamed == (*what.values(), "c")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"path": "c"}, "file"),
        ({"file": 1, "folder": "a", "path": "c"}, "file"),
        ({"file": 1}, "path"),
        ({"file": "a", "path": "c"}, "file"),
        ({"folder": "a", "path": "c", "force": True}, "force"),
    ],
)
async def test_no_such_renaming(body, field):
    torrent = Changed()
    with pytest.raises(Refusal) as caught:
        await rename(torrent, Fields(body))
    assert (caught.value.field, torrent.renamed) == (field, None)


def test_destinations():
    assert read_destination(Fields({"root": "0123"})) == {"root": "0123"}
    assert read_destination(Fields({"path": "/srv"})) == {"save_path": "/srv"}


@pytest.mark.parametrize("body", [{}, {"root": "0", "path": "/x"}, {"path": "x"}, {"to": "/x"}])
def test_no_destination(body):
    with pytest.raises(Refusal):
        read_destination(Fields(body))
