import asyncio
import errno
import random

import pytest

from millstream.adapters.memory import MemoryFileSystem
from millstream.engine.file_watch import (
    LOOK_PATIENCE,
    MAX_STATS_A_BEAT,
    ExpectedFile,
    FileWatch,
    expected_files,
)
from millstream.protocol.bitfield import piece_set
from millstream.protocol.infohash import InfoHash
from millstream.testing import in_virtual_time, run_virtual
from millstream.testing.content import layout_of

from .beating import beat_for

ROOT = "/r"


class TestExpectedFiles:
    # Pieces of 10: a 0-2 (2 shared with b), b 2-4, nothing, pad, d 5.
    LAYOUT = layout_of(("t/a", 25), ("t/b", 20), ("t/empty", 0), (None, 5), ("t/d", 10))

    def expected(self, *pieces, path_of=None):
        have = piece_set(pieces, 6)
        found = expected_files(
            self.LAYOUT, have, 6, path_of or (lambda number: self.LAYOUT.files[number].path)
        )
        return [(file.path, file.least, file.is_whole) for file in found]

    def test_nothing_is_expected_without_pieces(self):
        assert self.expected() == []

    def test_a_file_reaches_to_its_last_verified_byte(self):
        assert self.expected(0) == [("t/a", 10, False)]
        assert self.expected(1) == [("t/a", 20, False)]
        assert self.expected(2) == [("t/a", 25, False), ("t/b", 5, False)]
        assert self.expected(3) == [("t/b", 15, False)]
        assert self.expected(5) == [("t/d", 10, True)]

    def test_what_is_complete_is_whole(self):
        assert self.expected(0, 1, 2) == [("t/a", 25, True), ("t/b", 5, False)]
        assert self.expected(*range(6)) == [("t/a", 25, True), ("t/b", 20, True), ("t/d", 10, True)]

    def test_a_file_is_where_it_is_said_to_be(self):
        found = self.expected(*range(6), path_of={0: "x/a.part", 1: None, 4: "d"}.get)
        assert found == [("x/a.part", 25, True), ("d", 10, True)]

    @pytest.mark.parametrize("seed", range(20))
    def test_it_is_what_the_extents_say(self, seed):
        rng = random.Random(seed)
        files, offset = [], 0
        for number in range(rng.randrange(1, 9)):
            length = rng.choice([0, 1, 5, 10, 25, rng.randrange(60)])
            files.append((f"t/{number}", length))
            offset += length
        count = -(-offset // 10)
        pieces = [piece for piece in range(count) if rng.random() < 0.4]
        layout = layout_of(*files)
        ends, bytes_in = {}, {}
        for piece in pieces:
            for extent in layout.piece_extents(piece):
                ends[extent.path] = extent.offset + extent.length
                bytes_in[extent.path] = bytes_in.get(extent.path, 0) + extent.length
        found = expected_files(
            layout, piece_set(pieces, count), count, lambda number: f"t/{number}"
        )
        assert {file.path: file.least for file in found} == ends
        for file in found:
            assert file.is_whole == (bytes_in[file.path] == layout.lengths[file.number])


class Torrent:
    """A `WatchedTorrent` with files of 100 bytes, all of them whole."""

    file_root = ROOT

    def __init__(self, files, count=3, name=b"t"):
        self.info_hash = InfoHash(name * 20)
        self.expected = [
            ExpectedFile(number, f"{name.decode()}/{number}", 100, True) for number in range(count)
        ]
        for file in self.expected:
            files.write_file(ROOT, file.path, bytes(100))
        self.told = []
        self.root_is_there = True
        self.asked = 0
        self.on_ask = lambda: None

    def expected_files(self):
        return list(self.expected)

    async def is_root_there(self):
        self.asked += 1
        self.on_ask()
        return self.root_is_there

    def files_changed(self, numbers):
        self.told.append(list(numbers))

    def recheck(self):
        """What was told is no longer verified."""
        gone = {number for numbers in self.told for number in numbers}
        self.expected = [file for file in self.expected if file.number not in gone]


class Scene:
    def __init__(self, count=3, files=None):
        self.files = files or MemoryFileSystem()
        self.torrent = Torrent(self.files, count)
        self.active = [self.torrent]
        self.watch = FileWatch(self.files, 60.0, lambda: self.active)

    async def run(self, seconds):
        await beat_for(seconds, self.watch)


@in_virtual_time
class TestFileWatch:
    async def test_files_as_they_must_be_are_no_news(self):
        scene = Scene()
        await scene.run(300)
        assert (scene.torrent.told, scene.torrent.asked) == ([], 0)

    async def test_a_deleted_file_is_told_once(self):
        scene = Scene()
        await scene.run(70)
        await scene.files.delete(ROOT, "t/1")
        await scene.run(300)
        assert scene.torrent.told == [[1]]

    @pytest.mark.parametrize("length", [0, 99])
    def test_a_cut_file_is_told(self, length):
        run_virtual(self.a_cut_file_is_told(length))

    async def a_cut_file_is_told(self, length):
        scene = Scene()
        await scene.files.truncate(ROOT, "t/2", length)
        await scene.run(70)
        assert scene.torrent.told == [[2]]

    async def test_what_is_incomplete_may_change_and_grow_but_not_end_too_early(self):
        scene = Scene()
        scene.torrent.expected = [ExpectedFile(0, "t/0", 50, False)]
        await scene.run(70)
        scene.files.write_file(ROOT, "t/0", bytes(100))
        await scene.run(70)
        scene.files.write_file(ROOT, "t/0", bytes(200))
        await scene.run(70)
        assert scene.torrent.told == []
        # What was verified is still within; but we cut no file.
        await scene.files.truncate(ROOT, "t/0", 199)
        await scene.run(70)
        assert scene.torrent.told == [[0]]
        await scene.files.truncate(ROOT, "t/0", 49)
        await scene.run(70)
        assert scene.torrent.told == [[0], [0]]

    async def test_a_replaced_file_is_told_and_told_again(self):
        scene = Scene()
        await scene.run(70)
        scene.files.write_file(ROOT, "t/0", b"x" * 100)
        await scene.run(200)
        assert scene.torrent.told == [[0]]
        scene.files.write_file(ROOT, "t/0", b"y" * 100)
        await scene.run(200)
        assert scene.torrent.told == [[0], [0]]

    async def test_a_directory_is_no_file(self):
        scene = Scene()
        await scene.files.delete(ROOT, "t/0")
        await scene.files.make_directory(ROOT, "t/0")
        await scene.run(70)
        assert scene.torrent.told == [[0]]

    async def test_what_came_back_and_goes_again_is_told_again(self):
        scene = Scene()
        expected = list(scene.torrent.expected)
        await scene.files.delete(ROOT, "t/1")
        await scene.run(70)
        scene.torrent.recheck()
        await scene.run(70)
        scene.files.write_file(ROOT, "t/1", bytes(100))
        scene.torrent.expected = expected
        await scene.files.delete(ROOT, "t/1")
        await scene.run(70)
        assert scene.torrent.told == [[1], [1]]

    async def test_a_file_that_is_moved_meanwhile_is_fine(self):
        scene = Scene()

        def rename():
            scene.files.write_file(ROOT, "t/new", bytes(100))
            scene.torrent.expected[0] = scene.torrent.expected[0]._replace(path="t/new")

        await scene.run(70)
        await scene.files.delete(ROOT, "t/0")
        scene.torrent.on_ask = rename
        await scene.run(200)
        assert scene.torrent.told == []

    async def test_a_disk_that_is_gone_is_not_its_files(self):
        scene = Scene()
        await scene.run(70)
        for file in scene.torrent.expected:
            await scene.files.delete(ROOT, file.path)
        scene.torrent.root_is_there = False
        await scene.run(200)
        assert scene.torrent.asked
        assert scene.torrent.told == []

    async def test_what_cannot_be_looked_at_is_left_to_the_readers(self):
        scene = Scene()
        other = Torrent(scene.files, name=b"u")
        scene.active.append(other)
        scene.files.fail("t/0", errno.EIO)
        await scene.files.delete(ROOT, "u/1")
        await scene.run(70)
        assert (scene.torrent.told, other.told) == ([], [[1]])

    async def test_an_idle_torrent_is_left_alone_and_forgotten(self):
        scene = Scene()
        await scene.run(70)
        scene.active = []
        await scene.run(70)
        assert scene.watch._memories == {}

    async def test_many_files_are_no_burst(self):
        class Counting(MemoryFileSystem):
            calls = ()

            async def stat_many(self, root, paths):
                self.calls = (*self.calls, len(paths))
                return await super().stat_many(root, paths)

        files = Counting()
        scene = Scene(MAX_STATS_A_BEAT * 2 + 5, files)
        await files.delete(ROOT, f"t/{MAX_STATS_A_BEAT * 2 + 1}")
        await scene.run(50)
        assert files.calls == (MAX_STATS_A_BEAT, MAX_STATS_A_BEAT, 5, 1)
        assert scene.torrent.told == [[MAX_STATS_A_BEAT * 2 + 1]]

    async def test_a_look_that_does_not_end_is_given_up_and_others_go_on(self):
        class Stuck(MemoryFileSystem):
            stuck, busy = "t/", 0

            async def stat_many(self, root, paths):
                if paths[0].startswith(self.stuck):
                    self.busy += 1
                    try:
                        await asyncio.Event().wait()
                    finally:
                        self.busy -= 1
                return await super().stat_many(root, paths)

        files = Stuck()
        scene = Scene(3, files)
        other = Torrent(files, name=b"u")
        await files.delete(ROOT, "u/1")
        scene.active.insert(0, other)  # the last comes first
        await scene.run(LOOK_PATIENCE - 2)
        assert files.busy == 1
        assert other.told == []
        await scene.run(10)
        assert files.busy == 0
        assert other.told == [[1]]
        await scene.run(30)
        assert files.busy == 1
        await scene.watch.close()
        assert files.busy == 0
        await scene.run(200)
        assert files.busy == 0
