from __future__ import annotations

import errno

import pytest

from millstream.adapters.memory import MemoryFileSystem
from millstream.errors import StorageError
from millstream.interfaces.disk import Allocation
from millstream.interfaces.filesystem import FileSystem, RangeCopy, Transfer, Transferred
from millstream.testing import run_virtual
from millstream.testing.failing_files import FailingFiles, SimulatedCrash

ROOT = "/root"


def memory():
    files = MemoryFileSystem()
    for name in "abc":
        files.write_file(ROOT, name, name.encode())
    return files


def test_one_change_fails_and_later_ones_do_not():
    files: FileSystem = FailingFiles(memory(), 1, error=errno.ENOSPC)

    async def story():
        await files.make_directory(ROOT, "d")
        with pytest.raises(StorageError) as caught:
            await files.allocate(ROOT, "e", 1, Allocation.SPARSE)
        assert caught.value.errno == errno.ENOSPC
        assert await files.list(ROOT, "") == ["a", "b", "c", "d"]
        await files.transfer(ROOT, ROOT, [Transfer("a", "e", "via")], [])
        await files.truncate(ROOT, "e", 0)
        await files.delete(ROOT, "e")
        assert await files.sync(ROOT, ["e"]) == [None]
        assert await files.list(ROOT, "") == ["b", "c", "d"]
        assert files.changes == 6

    run_virtual(story())


def test_a_batch_fails_in_its_middle():
    files = FailingFiles(memory(), 1)

    async def story():
        done = []
        moves = [Transfer(name, name * 2, "via") for name in "abc"]
        with pytest.raises(StorageError, match="b"):
            await files.transfer(ROOT, ROOT, moves, done)
        assert done == [Transferred.MOVED]
        assert await files.list(ROOT, "") == ["aa", "b", "c"]
        await files.copy_ranges(ROOT, "b", [RangeCopy("d/e", 1, ()), RangeCopy("f", 1, ())])
        assert files.changes == 4

    run_virtual(story())


def test_what_tries_all_tries_all():
    files = FailingFiles(memory(), 0, failures=2)

    async def story():
        with pytest.raises(StorageError, match=r"^a:"):
            await files.delete_many(ROOT, ["a", "b", "c"])
        assert await files.list(ROOT, "") == ["a", "b"]
        await files.remove_empty_directories(ROOT, ["a"])

    run_virtual(story())


def test_after_a_crash_nothing_is_done():
    files = FailingFiles(memory(), 1, crash=True)

    async def story():
        await files.delete(ROOT, "a")
        assert await files.stat_many(ROOT, ["a"]) == [None]
        for attempt in (files.delete(ROOT, "b"), files.delete(ROOT, "c"), files.stat(ROOT, "a")):
            with pytest.raises(SimulatedCrash):
                await attempt
        for attempt in (
            files.load(f"{ROOT}/b", 1),
            files.list(ROOT, ""),
            files.identify(ROOT),
            files.same_disk(ROOT, ROOT),
            files.free_space(ROOT),
        ):
            with pytest.raises(SimulatedCrash):
                await attempt

    run_virtual(story())


def test_without_a_failure_it_is_the_other_one():
    inner = memory()
    files = FailingFiles(inner)

    async def story():
        assert files.root("x") == inner.root("x")
        assert await files.load(f"{ROOT}/a", 1) == b"a"
        assert await files.stat(ROOT, "a") == await inner.stat(ROOT, "a")
        assert await files.identify(ROOT) == await inner.identify(ROOT)
        assert await files.same_disk(ROOT, "/other")
        assert await files.free_space(ROOT) == await inner.free_space(ROOT)
        assert files.changes == 0

    run_virtual(story())
