from __future__ import annotations

import errno

import pytest

from millstream.adapters.memory import MemoryFileSystem
from millstream.errors import ConfigError, StorageError, UnfinishedMoveError
from millstream.storage.placement import Placement
from millstream.storage.relocation import Relocation, deepest_first
from millstream.testing import run_virtual
from millstream.testing.content import layout_of
from millstream.testing.failing_files import FailingFiles, SimulatedCrash

OLD, NEW = "/old", "/new"
PARTS = ".0123.parts"
PATHS = ["d/a", "d/s/b", "d/s/t/Ünïcødé 🎵", "d/missing", "d/skipped", "d/empty"]
CONTENT = {
    "d/a": b"aaaa",
    "d/s/b": b"b" * 9000,
    "d/s/t/Ünïcødé 🎵": b"ccc",
    "d/empty": b"",
    PARTS: b"parts",
}


async def tree(files, root, path=""):
    """All files below a path, and the directories that are empty."""
    if await files.stat(root, "") is None:
        return {}
    found = {}
    for name in await files.list(root, path):
        below = f"{path}/{name}" if path else name
        stat = await files.stat(root, below)
        if not stat.is_directory:
            found[below] = await files.load(f"{root}/{below}", 1 << 20)
        else:
            found |= await tree(files, root, below) or {f"{below}/": None}
    return found


class Scene:
    def __init__(self, *, apart):
        self.disk = MemoryFileSystem()
        if apart:
            self.disk.set_apart(NEW)
        lengths = [len(CONTENT.get(path, b"x" * 20)) for path in PATHS]
        self.placement = Placement(layout_of(*zip(PATHS, lengths, strict=True)), OLD, PARTS)
        self.placement.put_in_parts([4])
        for path, data in CONTENT.items():
            self.disk.write_file(OLD, path, data)
        self.disk.write_file(OLD, "d/foreign", b"mine")
        self.move = Relocation.to_another_root(self.placement, OLD, NEW)

    async def check_moved(self):
        assert await tree(self.disk, NEW) == CONTENT
        assert await tree(self.disk, OLD) == {"d/foreign": b"mine"}

    async def check_unmoved(self):
        assert await tree(self.disk, OLD) == {**CONTENT, "d/foreign": b"mine"}
        assert await tree(self.disk, NEW) == {}


@pytest.fixture(params=[False, True], ids=["same disk", "other disk"])
def scene(request):
    return Scene(apart=request.param)


def test_a_torrent_moves(scene):
    async def story():
        told = []
        before = await scene.disk.stat(OLD, "d/s/b")
        await scene.move.check(scene.disk)
        await scene.check_unmoved()
        await scene.move.run(scene.disk, told.append)
        assert await tree(scene.disk, NEW) == CONTENT
        assert sum(told) == sum(map(len, CONTENT.values()))
        for _ in range(2):
            await scene.move.finish(scene.disk)
            await scene.check_moved()
        assert await scene.disk.stat(NEW, "d/s/b") == before

    run_virtual(story())


def test_what_another_torrent_uses_stays_where_it_was_copied_from():
    scene = Scene(apart=True)

    async def story():
        await scene.move.run(scene.disk)
        await scene.move.finish(scene.disk, keep={"d/s/b"})
        assert await tree(scene.disk, OLD) == {"d/foreign": b"mine", "d/s/b": CONTENT["d/s/b"]}

    run_virtual(story())


def test_what_came_to_the_old_place_later_stays(scene):
    async def story():
        await scene.move.run(scene.disk)
        for _ in range(5):  # the memory's clock counts changes
            scene.disk.write_file(OLD, "d/s/b", b"another one")
        await scene.move.finish(scene.disk)
        left = {"d/foreign": b"mine", "d/s/b": b"another one"}
        assert await tree(scene.disk, OLD) == left
        assert await tree(scene.disk, NEW) == CONTENT

    run_virtual(story())


@pytest.mark.parametrize("path", ["d/s/b", "d/missing", PARTS])
def test_nothing_in_the_way_is_touched(scene, path):
    scene.disk.write_file(NEW, path, b"foreign")
    scene.disk.write_file(NEW, "d/skipped", b"not of this torrent")

    async def story():
        for attempt in (scene.move.check(scene.disk), scene.move.run(scene.disk)):
            with pytest.raises(StorageError) as caught:
                await attempt
            assert caught.value.path == f"{NEW}/{path}"
            assert caught.value.errno == errno.EEXIST
        there = {path: b"foreign", "d/skipped": b"not of this torrent"}
        assert await tree(scene.disk, NEW) == there
        assert (await tree(scene.disk, OLD)).keys() == {*CONTENT, "d/foreign"}

    run_virtual(story())


def test_a_directory_in_the_way(scene):
    async def story():
        await scene.disk.make_directory(NEW, "d/a")
        for resuming in (False, True):
            with pytest.raises(StorageError, match="exists already"):
                await scene.move.run(scene.disk, resuming=resuming)

    run_virtual(story())


def test_room_is_looked_for_before_a_copy():
    scene = Scene(apart=True)
    scene.disk.write_at(OLD, PARTS, 1 << 20, b"a hole before this")
    used, page = 8, 4096

    async def story():
        scene.disk.capacity = (used + 1) * page
        with pytest.raises(StorageError, match="9007 bytes, and 4096 are free") as caught:
            await scene.move.check(scene.disk)
        assert caught.value.errno == errno.ENOSPC
        assert caught.value.path == NEW
        scene.disk.capacity = (used + 3) * page
        await scene.move.check(scene.disk)

    run_virtual(story())


def test_a_failure_at_any_moment_is_undone(scene):
    async def story():
        for moment in range(len(CONTENT)):
            files = FailingFiles(scene.disk, moment, error=errno.ENOSPC)
            with pytest.raises(StorageError) as caught:
                await scene.move.run(files)
            assert not isinstance(caught.value, UnfinishedMoveError)
            assert caught.value.errno == errno.ENOSPC
            await scene.check_unmoved()
        await scene.move.run(FailingFiles(scene.disk, len(CONTENT)))

    run_virtual(story())


def test_directories_that_were_there_before_stay_when_it_is_undone(scene):
    async def story():
        await scene.disk.make_directory(NEW, "d/s")
        with pytest.raises(StorageError):
            await scene.move.run(FailingFiles(scene.disk, 3))
        assert await tree(scene.disk, NEW) == {"d/s/": None}

    run_virtual(story())


@pytest.mark.parametrize("forward", [True, False])
def test_what_can_not_even_be_undone_can_be_later(scene, forward):
    async def story():
        with pytest.raises(UnfinishedMoveError, match="at the old place and at the new") as caught:
            await scene.move.run(FailingFiles(scene.disk, 2, failures=100))
        assert caught.value.errno == errno.EIO
        with pytest.raises(UnfinishedMoveError):
            await scene.move.undo(FailingFiles(scene.disk, 0, failures=100))
        if forward:
            await scene.move.run(scene.disk, resuming=True)
            await scene.move.finish(scene.disk)
            await scene.check_moved()
        else:
            await scene.move.undo(scene.disk)
            await scene.check_unmoved()

    run_virtual(story())


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("forward", [True, False])
def test_a_crash_at_any_moment_is_recovered_from(apart, forward):
    async def story():
        for moment in range(100):
            scene = Scene(apart=apart)
            files = FailingFiles(scene.disk, moment, crash=True)
            committed = False
            try:
                await scene.move.run(files)
                committed = True
                await scene.move.finish(files)
            except SimulatedCrash:
                pass
            else:
                assert moment > len(CONTENT)
                return
            # A start of the program later:
            again = Relocation.to_another_root(scene.placement, OLD, NEW)
            if not committed and not forward:
                await again.undo(scene.disk)
                await scene.check_unmoved()
                continue
            if not committed:
                await again.run(scene.disk, resuming=True)
            await again.finish(scene.disk)
            await scene.check_moved()
        raise AssertionError("it never came to an end")

    run_virtual(story())


def test_after_a_crash_a_foreign_file_is_not_taken_for_ours(scene):
    async def story():
        await scene.disk.make_directory(NEW, "")
        scene.disk.write_file(NEW, "d/a", b"foreign, and of another length")
        for attempt in (scene.move.run(scene.disk, resuming=True), scene.move.undo(scene.disk)):
            with pytest.raises(StorageError, match="exists already"):
                await attempt
        assert (await tree(scene.disk, OLD)).keys() == {*CONTENT, "d/foreign"}

    run_virtual(story())


def test_a_whole_copy_loses_its_hidden_name_though_it_has_the_other_already():
    """Native files are linked to the one before they are unlinked from the other."""
    scene = Scene(apart=True)
    [via] = [transfer.via for transfer in scene.move.transfers if transfer.to == "d/s/b"]

    async def story():
        for forward in (False, True):
            await scene.move.run(scene.disk)
            scene.disk.write_file(NEW, via, CONTENT["d/s/b"])
            if forward:
                await scene.move.run(scene.disk, resuming=True)
                await scene.move.finish(scene.disk)
                await scene.check_moved()
            else:
                await scene.move.undo(scene.disk)
                await scene.check_unmoved()

    run_virtual(story())


def test_half_a_copy_is_no_copy():
    scene = Scene(apart=True)
    [via] = [transfer.via for transfer in scene.move.transfers if transfer.to == "d/s/b"]

    async def story():
        for forward in (False, True):
            scene.disk.write_file(NEW, via, b"half")
            if forward:
                await scene.move.run(scene.disk, resuming=True)
                await scene.disk.delete(NEW, via)  # memory makes no copies on the way
                await scene.move.finish(scene.disk)
                await scene.check_moved()
            else:
                await scene.move.undo(scene.disk)
                await scene.check_unmoved()

    run_virtual(story())


# Names


def place(*paths, root=OLD):
    return Placement(layout_of(*[(path, 5) for path in paths]), root, PARTS)


def written(placement):
    files = MemoryFileSystem()
    for path in placement.paths:
        files.write_file(placement.root, path, path.encode())
    return files


def test_files_are_renamed():
    placement = place("d/a", "d/s/b", "d/c")
    files = written(placement)

    async def story():
        paths = {0: "e/a", 1: "e/s/b"}
        renaming = Relocation.renaming(placement, paths)
        await renaming.check(files)
        await renaming.run(files)
        placement.rename_many(paths)
        for _ in range(2):
            await renaming.finish(files)
            assert await tree(files, OLD) == {"e/a": b"d/a", "e/s/b": b"d/s/b", "d/c": b"d/c"}
        assert await files.stat_many(OLD, placement.paths) != [None] * 3

    run_virtual(story())


def test_the_top_folder_is_renamed_into_itself():
    placement = place("d/a", "d/s/b")
    files = written(placement)

    async def story():
        renaming = Relocation.renaming(placement, {0: "d/d/a", 1: "d/d/s/b"})
        await renaming.run(files)
        await renaming.finish(files)
        assert await tree(files, OLD) == {"d/d/a": b"d/a", "d/d/s/b": b"d/s/b"}

    run_virtual(story())


def test_a_rename_does_not_replace_a_foreign_file():
    placement = place("d/a", "d/b")
    files = written(placement)
    files.write_file(OLD, "d/c", b"mine")

    async def story():
        renaming = Relocation.renaming(placement, {0: "d/x", 1: "d/c"})
        for attempt in (renaming.check(files), renaming.run(files)):
            with pytest.raises(StorageError, match=r"/old/d/c: exists already"):
                await attempt
        assert await tree(files, OLD) == {"d/a": b"d/a", "d/b": b"d/b", "d/c": b"mine"}

    run_virtual(story())


def test_only_the_case_of_a_name_changes():
    placement = place("d/a", "d/b")
    files = written(placement)

    async def story():
        renaming = Relocation.renaming(placement, {0: "d/A"})
        await renaming.check(files)
        await renaming.run(files)
        await renaming.finish(files)
        assert await tree(files, OLD) == {"d/A": b"d/a", "d/b": b"d/b"}

    run_virtual(story())


def test_a_file_system_that_ignores_case():
    class CaseBlind(MemoryFileSystem):
        async def stat(self, root, path):
            names = {name.lower(): name for name in await self.list(root, "d")}
            spelled = names.get(path.removeprefix("d/").lower())
            return await super().stat(root, f"d/{spelled}") if spelled else None

        async def delete_many(self, root, paths):
            assert not list(paths), "it is the file itself"

    placement = place("d/a")
    files = CaseBlind()
    files.write_file(OLD, "d/a", b"x")

    async def story():
        renaming = Relocation.renaming(placement, {0: "d/A"})
        await renaming.check(files)
        await renaming.run(files)
        await renaming.finish(files)
        assert await files.list(OLD, "d") == ["A"]

    run_virtual(story())


def test_names_that_only_become_free():
    placement = place("d/a", "d/b")
    with pytest.raises(ConfigError, match="two steps"):
        Relocation.renaming(placement, {0: "d/b", 1: "d/c"})
    with pytest.raises(ConfigError, match="taken"):
        Relocation.renaming(placement, {0: "d/b"})


def test_only_what_lies_in_files_is_renamed():
    placement = place("d/a", "d/b", "d/c")
    placement.add_suffix([1], ".part")
    placement.put_in_parts([2])
    renaming = Relocation.renaming(placement, {0: "d/a", 1: "e/b", 2: "e/c"})
    assert [transfer[:2] for transfer in renaming.transfers] == [("d/b.part", "e/b.part")]


def test_a_suffix_is_taken_off():
    placement = place("d/a", "d/b", "d/c")
    placement.add_suffix([0, 1], ".part")
    files = written(placement)

    async def story():
        relocation = Relocation.without_suffix(placement, [0, 2])
        await relocation.run(files)
        placement.drop_suffix([0, 2])
        await relocation.finish(files)
        there = {"d/a": b"d/a.part", "d/b.part": b"d/b.part", "d/c": b"d/c"}
        assert await tree(files, OLD) == there

    run_virtual(story())


def test_a_crash_while_renaming():
    async def story():
        for moment in range(3):
            placement = place("d/a", "d/s/b", "d/c")
            files = written(placement)
            paths = {0: "e/a", 1: "e/s/b", 2: "e/c"}
            with pytest.raises(SimulatedCrash):
                await Relocation.renaming(placement, paths).run(
                    FailingFiles(files, moment, crash=True)
                )
            again = Relocation.renaming(placement, paths)
            await again.run(files, resuming=True)
            await again.finish(files)
            assert await tree(files, OLD) == {"e/a": b"d/a", "e/s/b": b"d/s/b", "e/c": b"d/c"}

    run_virtual(story())


def test_directories_come_deepest_first():
    assert deepest_first(["x", "a/b/c/d", "a/e", "f/g"]) == ["a/b/c", "a/b", "a", "f"]
