from __future__ import annotations

import errno

import pytest

from millstream.adapters.memory import MemoryFileSystem
from millstream.errors import StorageError
from millstream.storage.deletion import delete_data
from millstream.storage.placement import Placement
from millstream.testing import run_virtual
from millstream.testing.content import layout_of
from millstream.testing.failing_files import FailingFiles

ROOT, PARTS = "/root", ".0123.parts"


def scene(*paths, foreign=()):
    placement = Placement(layout_of(*[(path, 5) for path in paths]), ROOT, PARTS)
    files = MemoryFileSystem()
    for path in (*placement.paths, PARTS, *foreign):
        files.write_file(ROOT, path, b"x")
    return placement, files


async def left(files, path=""):
    found = []
    for name in await files.list(ROOT, path):
        below = f"{path}/{name}" if path else name
        is_directory = (await files.stat(ROOT, below)).is_directory
        found += await left(files, below) or [below + "/"] if is_directory else [below]
    return found


def test_everything_goes_but_the_root():
    placement, files = scene("d/a", "d/s/t/b", "d/s/t/Ünïcødé 🎵")

    async def story():
        for _ in range(2):
            await delete_data(files, placement)
            assert await files.list(ROOT, "") == []

    run_virtual(story())


def test_a_single_file():
    placement, files = scene("film.mkv", foreign=["other.mkv"])
    run_virtual(delete_data(files, placement))
    assert run_virtual(left(files)) == ["other.mkv"]


def test_foreign_files_and_directories_stay():
    placement, files = scene("d/a", "d/s/b", "d/t/c", foreign=["d/t/mine", "d/u/mine"])

    async def story():
        await files.make_directory(ROOT, "d/empty")
        await delete_data(files, placement)
        assert await left(files) == ["d/empty/", "d/t/mine", "d/u/mine"]

    run_virtual(story())


def test_only_what_the_torrent_owns_and_nobody_else_uses():
    placement, files = scene("d/a", "d/b", "d/c")
    run_virtual(delete_data(files, placement, owned={0, 1}, keep={"d/b"}))
    assert run_virtual(left(files)) == ["d/b", "d/c"]


def test_a_file_in_the_place_of_a_skipped_one_stays():
    placement, files = scene("d/a", "d/b")
    placement.put_in_parts([1])
    run_virtual(delete_data(files, placement))
    assert run_virtual(left(files)) == ["d/b"]


def test_files_go_under_the_names_that_they_have():
    placement, files = scene("d/a", "d/b", "d/c")
    placement.rename(0, "e/a")
    placement.add_suffix([0, 1, 2], ".part")

    async def story():
        await files.delete(ROOT, "d/a")
        for path in ("e/a.part", "d/c.part"):
            files.write_file(ROOT, path, b"x")
        await delete_data(files, placement)
        # b lost its suffix, and nobody said so; next to c.part, c is somebody's.
        assert await left(files) == ["d/c"]

    run_virtual(story())


def test_a_failure_does_not_keep_the_rest():
    async def story():
        for moment in range(4):
            placement, files = scene("d/a", "e/b", "f/c")
            failing = FailingFiles(files, moment, error=errno.EACCES)
            with pytest.raises(StorageError) as caught:
                await delete_data(failing, placement)
            assert caught.value.errno == errno.EACCES
            assert len(await left(files)) == 1
            await delete_data(files, placement)
            assert await left(files) == []

    run_virtual(story())


def test_a_directory_in_the_place_of_a_file_stays():
    placement, files = scene("d/a", "d/b")

    async def story():
        await files.delete(ROOT, "d/a")
        await files.make_directory(ROOT, "d/a")
        with pytest.raises(StorageError, match="d/a"):
            await delete_data(files, placement)
        assert await left(files) == ["d/a/"]

    run_virtual(story())
