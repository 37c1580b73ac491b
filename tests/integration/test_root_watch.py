"""Roots on a real disk that go and come back: a directory that is moved away stands for the disk."""

from __future__ import annotations

import asyncio
import random

import pytest

from millstream.adapters.native.filesystem import NativeFileSystem
from millstream.engine.root_state import RootState
from millstream.engine.root_watch import RootWatch
from millstream.protocol.infohash import InfoHash
from millstream.storage.config import StorageConfig
from millstream.storage.roots import StorageRootManager
from millstream.storage.roots_record import RootsRecord


class Observer:
    def __init__(self):
        self.news = []

    def root_lost(self, root, error):
        self.news.append(f"lost: {error.cause}")

    def root_found(self, root):
        self.news.append("found")

    def root_full(self, root, error):
        self.news.append("full")

    def root_roomy(self, root, free):
        self.news.append("roomy")

    def files_expected(self, root, *, whole):
        return ["t/a"]


@pytest.fixture
def disk(tmp_path):
    disk = tmp_path / "disk"
    (disk / "t").mkdir(parents=True)
    (disk / "t" / "a").write_bytes(b"x")
    return disk


def make(disk, least=0):
    files, observer = NativeFileSystem(), Observer()
    roots = StorageRootManager(random.Random(1), files.root)
    token = roots.add(disk, "Films").token
    roots.assign(InfoHash(bytes(20)), token)
    watch = RootWatch(roots, files, StorageConfig(min_free_space=least), observer)
    return watch, roots, token, observer


async def test_it_goes_leaves_a_mount_point_and_comes_back(disk, tmp_path):
    watch, roots, token, observer = make(disk)
    assert await watch.look(token) is RootState.PRESENT
    assert watch.free(token) > 0
    disk.rename(tmp_path / "away")
    assert await watch.look(token) is RootState.ABSENT
    disk.mkdir()
    assert await watch.look(token) is RootState.CHANGED
    disk.rmdir()
    (tmp_path / "away").rename(disk)
    assert await watch.look(token) is RootState.PRESENT
    assert [line.partition(":")[0] for line in observer.news] == ["lost", "found"]
    assert "'Films' is not available" in observer.news[0]
    # The next run remembers it.
    record = RootsRecord.decode(RootsRecord().updated(roots).encode())
    disk.rename(tmp_path / "away")
    disk.mkdir()
    again, roots, _, _ = make(tmp_path / "other")
    record.restore(roots)
    roots.assign(InfoHash(bytes([1] * 20)), token)
    assert await again.look(token) is RootState.CHANGED
    await watch.close()
    await again.close()


async def test_a_file_at_its_place_is_no_root(disk, tmp_path):
    watch, _, token, _ = make(disk)
    await watch.look(token)
    disk.rename(tmp_path / "away")
    disk.write_bytes(b"")
    assert await watch.look(token) is RootState.ABSENT
    await watch.close()


async def test_a_beat_looks_at_it_and_at_its_room(disk):
    watch, _, token, observer = make(disk, least=1 << 60)
    watch.beat(0.0)
    for _ in range(500):
        await asyncio.sleep(0.01)
        if observer.news:
            break
    assert observer.news == ["full"]
    assert watch.full(token).free == watch.free(token)
    await watch.close()
