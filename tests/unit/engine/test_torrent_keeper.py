import errno
import random
from dataclasses import replace
from types import SimpleNamespace
from unittest import mock

import pytest

from millstream.core.geometry import Geometry
from millstream.core.piece_set import members
from millstream.core.torrent_state import TorrentState
from millstream.engine.session import TorrentSession
from millstream.engine.torrent_keeper import TorrentKeeper, _files_of
from millstream.errors import StorageError
from millstream.interfaces.filesystem import FileStat
from millstream.protocol.bitfield import piece_set
from millstream.storage.claims import Claims
from millstream.storage.placement import Placement
from millstream.storage.resume import ResumeState
from millstream.testing.content import layout_of


@pytest.mark.parametrize("seed", range(30))
def test_the_files_of_pieces_are_those_that_share_a_byte(seed):
    rng = random.Random(seed)
    files, offset = [], 0
    for number in range(rng.randrange(1, 12)):
        length = rng.choice([0, 1, 5, 10, 25, rng.randrange(60)])
        path = None if rng.random() < 0.2 else f"t/{number}"
        files.append((path, length))
        offset += length
    if not offset:
        return
    layout = layout_of(*files)
    count = -(-offset // 10)
    numbers = {path: number for number, (path, _) in enumerate(files)}
    for most in (1, 3, count):
        pieces = rng.sample(range(count), min(most, count))
        expected = {
            numbers[extent.path]
            for piece in pieces
            for extent in layout.piece_extents(piece)
            if extent.path is not None
        }
        assert set(_files_of(piece_set(pieces, count), layout, count)) == expected


class Torrent:
    """Three files of two pieces each; what of a session and its membership is looked at."""

    def __init__(self):
        self.stage = mock.Mock(TorrentSession)
        session = self.stage
        session.layout = layout_of(("t/0", 20), ("t/1", 20), ("t/2", 20))
        session.geometry = Geometry(60, 10)
        session.state = TorrentState.DOWNLOADING
        session.inventory = SimpleNamespace(checks=1, plan=None)
        placement = Placement(session.layout, "/root", "")
        session.disk = SimpleNamespace(changes=0, is_fenced=False, placement=placement)
        session.machine.need.have = 0

    def has(self, *pieces):
        self.stage.machine.need.have = piece_set(pieces, 6)


@pytest.fixture
def torrent():
    return Torrent()


@pytest.fixture
def keeper(torrent):
    keeper = TorrentKeeper(mock.Mock(), torrent, ResumeState(save_path="/root"))
    keeper.observe(0.0, 0.0)
    keeper.flushed(keeper.begin_flush(), [None] * 3)
    return keeper


def flushed(keeper):
    return list(members(keeper._claims(keeper.session, 1.0).flushed, 6))


def written(keeper):
    return list(members(keeper._claims(keeper.session, 1.0).written, 6))


def stats(flush, *, away=()):
    return [None if n in away else FileStat(20, 1.0, is_directory=False) for n in flush.unflushed]


def begin(keeper):
    keeper.observe(0.0, 0.0)
    return keeper.begin_flush()


def test_what_came_since_a_flush_began_is_not_claimed_by_it(torrent, keeper):
    torrent.has(0, 1)
    flush = begin(keeper)
    assert flush.to_sync == ["t/0"]
    torrent.has(0, 1, 2)
    keeper.observe(0.0, 0.0)
    keeper.flushed(flush, stats(flush))
    assert flushed(keeper) == [0, 1]
    assert written(keeper) == [2]
    flush = begin(keeper)
    assert flush.to_sync == ["t/1"]
    keeper.flushed(flush, stats(flush))
    assert flushed(keeper) == [0, 1, 2]


@pytest.mark.parametrize("is_seen", [False, True])
def test_what_was_lost_and_came_back_has_to_be_flushed_anew(torrent, keeper, is_seen):
    torrent.has(0, 1)
    flush = begin(keeper)
    keeper.flushed(flush, stats(flush))
    torrent.has(0)
    keeper.pieces_lost(piece_set([1], 6))
    if is_seen:
        keeper.observe(0.0, 0.0)
    torrent.has(0, 1)
    flush = begin(keeper)
    assert flushed(keeper) == [0]
    assert flush.to_sync == ["t/0"]
    keeper.flushed(flush, stats(flush))
    assert flushed(keeper) == [0, 1]


@pytest.mark.parametrize("is_seen", [False, True])
def test_what_was_lost_during_a_flush_and_came_back_was_not_flushed(torrent, keeper, is_seen):
    torrent.has(0, 1)
    flush = begin(keeper)
    torrent.has(0)
    keeper.pieces_lost(piece_set([1], 6))
    torrent.has(0, 1)
    if is_seen:
        keeper.observe(0.0, 0.0)
    keeper.flushed(flush, stats(flush))
    assert flushed(keeper) == [0]
    assert begin(keeper).to_sync == ["t/0"]


def test_what_was_lost_after_a_check_that_nobody_looked_at_is_not_claimed(torrent, keeper):
    plan = SimpleNamespace(trusted=piece_set([0, 1], 6), unknown_files=frozenset())
    torrent.stage.inventory = SimpleNamespace(checks=2, plan=plan)
    both = piece_set([0, 1], 6)
    claims = Claims(
        piece_count=6, flushed=both, written=both, files=(None,) * 3, running=True, taken_at=1
    )
    keeper._state = replace(keeper._state, claims=claims)
    torrent.has(0, 1)
    torrent.has(0)
    keeper.pieces_lost(piece_set([1], 6))
    torrent.has(0, 1)
    keeper.observe(0.0, 0.0)
    assert flushed(keeper) == [0]


def test_a_file_that_is_not_there_was_not_flushed(torrent, keeper):
    torrent.has(0, 1, 2, 3, 4)
    flush = begin(keeper)
    assert flush.to_sync == ["t/0", "t/1", "t/2"]
    keeper.flushed(flush, stats(flush, away={1}))
    assert flushed(keeper) == [0, 1, 4]
    assert written(keeper) == [2, 3]
    torrent.has(0, 1, 2, 3, 4, 5)
    flush = begin(keeper)
    keeper.flushed(flush, stats(flush))
    assert flushed(keeper) == [0, 1, 4, 5]  # the disk is back, and what it had is not known


def test_what_came_while_a_flush_failed_is_not_claimed_by_the_next(torrent, keeper):
    torrent.has(0)
    flush = begin(keeper)
    torrent.has(0, 1)
    keeper.observe(0.0, 0.0)
    torrent.has(0, 1, 2)
    keeper.flush_failed(flush, StorageError("/root/t/0", "I/O error", errno.EIO))
    flush = begin(keeper)
    assert flush.to_sync == ["t/0", "t/1"]
    keeper.flushed(flush, stats(flush))
    assert flushed(keeper) == []
    assert written(keeper) == [0, 1, 2]
    torrent.has(0, 1, 2, 3)
    flush = begin(keeper)
    keeper.flushed(flush, stats(flush))
    assert flushed(keeper) == [3]


def test_a_check_is_the_end_of_all_doubt(torrent, keeper):
    torrent.has(0)
    keeper.flush_failed(begin(keeper), StorageError("/root/t/0", "I/O error", errno.EIO))
    torrent.stage.inventory.checks = 2
    flush = begin(keeper)
    keeper.flushed(flush, stats(flush) + [None] * len(flush.stale))
    assert flushed(keeper) == [0]


@pytest.mark.parametrize("what", ["moved", "moving", "checked", "removed"])
def test_a_flush_amid_other_things_claims_nothing(torrent, keeper, what):
    torrent.has(0)
    flush = begin(keeper)
    disk = torrent.stage.disk
    if what == "moved":
        disk.changes += 1
    elif what == "moving":
        disk.is_fenced = True
    elif what == "checked":
        torrent.stage.inventory.checks += 1
        keeper.observe(0.0, 0.0)
    else:
        keeper.is_forgotten = True
        torrent.stage.disk.changes += 1
    keeper.flushed(flush, stats(flush))
    assert flushed(keeper) == []
    assert written(keeper) == [0]
    disk.is_fenced = False
    assert "t/0" in begin(keeper).to_sync


def test_what_is_on_its_way_is_flushed_when_it_is_there(torrent, keeper):
    torrent.has(0)
    torrent.stage.disk.is_fenced = True
    assert begin(keeper) is None
    torrent.stage.disk.is_fenced = False
    assert begin(keeper).to_sync == ["t/0"]
