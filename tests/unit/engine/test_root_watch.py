import asyncio
import errno
import random

import pytest

from millstream.adapters.memory import MemoryFileSystem
from millstream.engine.root_looks import LOOK_PATIENCE
from millstream.engine.root_state import RootState
from millstream.engine.root_watch import MAX_LOOKS_A_ROUND, RootWatch
from millstream.errors import ConfigError, RootUnavailableError
from millstream.protocol.infohash import InfoHash
from millstream.storage.config import StorageConfig
from millstream.storage.roots import StorageRootManager
from millstream.testing import in_virtual_time, run_virtual

from .beating import beat_for

USB = "/mnt/usb"
CONFIG = StorageConfig(check_interval=10, min_free_space=1 << 20)
PRESENT, ABSENT, CHANGED = RootState.PRESENT, RootState.ABSENT, RootState.CHANGED


class Disk(MemoryFileSystem):
    """Roots can be taken away and put back as they were, and some never answer."""

    def __init__(self, capacity=None):
        super().__init__(capacity)
        self.dead = set()
        self.looked = []
        self.answers = asyncio.Event()

    async def identify(self, root):
        self.looked.append(root)
        if root in self.dead:
            await self.answers.wait()
        return await super().identify(root)

    def unmount(self, root, *, leaving_directory=True):
        taken = self._roots.pop(root)
        if leaving_directory:
            self._make_directory(root, [])
        return taken

    def mount(self, root, taken):
        self._roots[root] = taken


class Scene:
    """A watch over one root or more, and what it told."""

    def __init__(self, files=None, roots=None):
        self.files = files or Disk()
        self.roots = roots or StorageRootManager(random.Random(1))
        self.news = []
        self.expected = {}
        self.unfinished = set()
        self.watch = RootWatch(self.roots, self.files, CONFIG, self)

    def use(self, path, *, makes=True):
        root = self.roots.add(path)
        self.roots.assign(InfoHash(len(self.roots.roots).to_bytes(20)), root.token)
        if makes:
            self.files._make_directory(path, [])
        return root.token

    def repoint(self, token, path):
        self.roots.repoint(token, path)
        self.watch.repointed(token)

    def root_lost(self, root, error):
        assert isinstance(error, RootUnavailableError)
        self.news.append(("lost", root.path))

    def root_found(self, root):
        self.news.append(("found", root.path))

    def root_full(self, root, error):
        self.news.append(("full", error.free))

    def root_roomy(self, root, free):
        self.news.append(("roomy", free))

    def files_expected(self, root, *, whole):
        return [
            path
            for path in self.expected.get(root.path, ())
            if not whole or path not in self.unfinished
        ]

    async def run(self, seconds):
        await beat_for(seconds, self.watch)


@in_virtual_time
class TestAnotherDirectoryInTheSameRun:
    async def test_one_with_its_files_is_the_disk_mounted_anew_and_both_is_told(self):
        """Files that are open are those of the old one."""
        scene = Scene()
        token = scene.use(USB)
        scene.expected[USB] = ["t/a"]
        scene.files.write_file(USB, "t/a", b"x")
        await scene.run(15)
        Disk.unmount(scene.files, USB)
        scene.files.write_file(USB, "t/a", b"x")
        await scene.run(15)
        assert scene.news == [("lost", USB), ("found", USB)]
        assert scene.watch.state(token) is PRESENT

    async def test_a_file_that_we_write_to_is_no_proof(self):
        """We may have made it there ourselves."""
        scene = Scene()
        token = scene.use(USB)
        scene.expected[USB] = ["t/a"]
        scene.unfinished = {"t/a"}
        scene.files.write_file(USB, "t/a", b"x")
        await scene.run(15)
        Disk.unmount(scene.files, USB)
        scene.files.write_file(USB, "t/a", b"x")
        await scene.run(15)
        assert scene.news == [("lost", USB)]
        assert scene.watch.state(token) is CHANGED

    async def test_a_look_that_was_a_moment_ago_holds(self):
        scene = Scene()
        token = scene.use(USB)
        await scene.watch.look(token)
        await asyncio.sleep(0.5)
        assert await scene.watch.look(token, within=1.0) is PRESENT
        assert len(scene.files.looked) == 1
        await asyncio.sleep(0.5)
        assert await scene.watch.look(token, within=1.0) is PRESENT
        assert len(scene.files.looked) == 2

    async def test_what_is_suspect_is_looked_at_at_once(self):
        scene = Scene()
        token = scene.use(USB)
        await scene.watch.look(token)
        scene.files.unmount(USB)
        for _ in range(5):
            scene.watch.suspect(token)
        await asyncio.sleep(0.1)
        assert scene.news == [("lost", USB)]
        assert len(scene.files.looked) == 2


@in_virtual_time
class TestGoneAndBack:
    async def test_a_root_that_is_there_is_no_news(self):
        scene = Scene()
        token = scene.use(USB)
        await scene.run(100)
        assert scene.news == []
        assert scene.watch.state(token) is PRESENT
        assert scene.watch.error(token) is None
        assert scene.files.looked == [USB] * 10
        assert token in scene.roots.identities

    @pytest.mark.parametrize("leaving_directory", [False, True])
    def test_it_goes_and_comes_back_and_each_is_told_once(self, leaving_directory):
        run_virtual(self.it_goes_and_comes_back_and_each_is_told_once(leaving_directory))

    async def it_goes_and_comes_back_and_each_is_told_once(self, leaving_directory):
        scene = Scene()
        token = scene.use(USB)
        await scene.run(15)
        identity = scene.roots.identities[token]
        disk = scene.files.unmount(USB, leaving_directory=leaving_directory)
        await scene.run(35)
        assert scene.news == [("lost", USB)]
        assert scene.watch.state(token) is (CHANGED if leaving_directory else ABSENT)
        assert "the storage root 'usb' is not available" in str(scene.watch.error(token))
        assert "is the disk mounted?" in str(scene.watch.error(token))
        assert scene.roots.identities[token] == identity
        scene.files.mount(USB, disk)
        await scene.run(35)
        assert scene.news == [("lost", USB), ("found", USB)]
        assert scene.watch.state(token) is PRESENT
        assert scene.watch.error(token) is None

    async def test_it_comes_back_under_another_number_and_its_files_prove_it(self):
        scene = Scene()
        token = scene.use(USB)
        scene.expected[USB] = ["t/a", "t/b"]
        scene.files.write_file(USB, "t/b", b"x")
        await scene.run(15)
        scene.files.unmount(USB)
        await scene.run(15)
        scene.files.write_file(USB, "t/b", b"x")
        await scene.run(15)
        assert scene.news == [("lost", USB), ("found", USB)]
        assert scene.roots.identities[token] == await scene.files.identify(USB)

    async def test_an_error_of_the_disk_is_a_loss_and_says_why(self):
        scene = Scene()
        token = scene.use(USB)
        scene.files.fail("", errno.EIO)
        await scene.run(15)
        assert scene.news == [("lost", USB)]
        assert scene.watch.error(token).errno == errno.EIO
        assert "Input/output error" in str(scene.watch.error(token))
        scene.files.heal()
        await scene.run(15)
        assert scene.news == [("lost", USB), ("found", USB)]

    async def test_a_root_that_was_never_there_is_made_by_its_first_file(self):
        scene = Scene()
        token = scene.use("/new", makes=False)
        await scene.run(15)
        assert token not in scene.roots.identities
        scene.files.write_file("/new", "t/a", b"x")
        await scene.run(15)
        assert scene.news == []
        assert token in scene.roots.identities

    async def test_what_the_user_accepts_is_the_root(self):
        scene = Scene()
        token = scene.use(USB)
        scene.expected[USB] = ["t/a"]
        scene.roots.set_identity(token, "another")
        assert await scene.watch.look(token) is CHANGED
        assert await scene.watch.accept(token) is PRESENT
        await scene.run(25)
        assert scene.news == [("lost", USB), ("found", USB)]
        scene.files.unmount(USB)
        await scene.run(15)
        assert scene.watch.state(token) is CHANGED

    async def test_a_root_that_was_repointed_is_looked_at_anew(self):
        scene = Scene()
        token = scene.use(USB)
        await scene.run(15)
        scene.files.unmount(USB)
        await scene.run(15)
        scene.files._make_directory("/media", [])
        scene.repoint(token, "/media")
        await asyncio.sleep(0.01)
        assert scene.news == [("lost", USB), ("found", "/media")]

    async def test_the_same_directory_at_another_path_is_no_news(self):
        scene = Scene()
        token = scene.use(USB)
        scene.files.write_file(USB, "t/a", b"x")
        scene.expected["/media"] = ["t/a"]
        await scene.run(15)
        scene.files.mount("/media", scene.files.unmount(USB, leaving_directory=False))
        scene.repoint(token, "/media")
        await scene.run(15)
        assert scene.news == []
        assert scene.roots.identities[token] == await scene.files.identify("/media")

    async def test_other_files_at_another_path_are_looked_at_as_if_mounted_anew(self):
        """What was written since they were copied is only at the old place."""
        scene = Scene()
        token = scene.use(USB)
        scene.files.write_file(USB, "t/a", b"x")
        scene.files.write_file("/media", "t/a", b"x")
        scene.expected["/media"] = ["t/a"]
        await scene.run(15)
        scene.repoint(token, "/media")
        await asyncio.sleep(0.01)
        assert scene.news == [("lost", "/media"), ("found", "/media")]

    async def test_a_root_that_is_repointed_during_a_look_is_looked_at_again(self):
        scene = Scene()
        token = scene.use(USB)
        await scene.watch.look(token)
        scene.files.unmount(USB)
        scene.files.dead.add(USB)
        look = asyncio.create_task(scene.watch.look(token))
        await asyncio.sleep(0.01)
        scene.files._make_directory("/media", [])
        scene.repoint(token, "/media")
        scene.files.answers.set()
        assert await look is PRESENT
        assert scene.files.looked[-2:] == [USB, "/media"]

    async def test_a_look_before_it_was_repointed_holds_no_more(self):
        scene = Scene()
        token = scene.use(USB)
        await scene.watch.look(token)
        scene.repoint(token, "/gone")
        scene.expected["/gone"] = ["t/a"]
        assert await scene.watch.look(token, within=60) is ABSENT

    async def test_roots_without_torrents_are_left_alone(self):
        scene = Scene()
        token = scene.use(USB)
        await scene.run(15)
        for torrent in scene.roots.torrents_in(token):
            scene.roots.unassign(torrent)
        before = len(scene.files.looked)
        await scene.run(100)
        assert len(scene.files.looked) == before
        assert scene.watch._watched == {}


@in_virtual_time
class TestLooking:
    async def test_it_says_what_is_there_now(self):
        scene = Scene()
        token = scene.use(USB)
        assert await scene.watch.look(token) is PRESENT
        scene.files.unmount(USB)
        assert await scene.watch.look(token) is CHANGED
        assert scene.news == [("lost", USB)]
        with pytest.raises(ConfigError, match="nope"):
            await scene.watch.look("nope")
        with pytest.raises(ConfigError, match="nope"):
            await scene.watch.accept("nope")

    @pytest.mark.parametrize(
        ("remembered", "expected", "state"),
        [
            ("this", ["t/gone"], PRESENT),
            ("other", ["t/a"], PRESENT),
            ("other", ["t/gone"], CHANGED),
            ("other", [], PRESENT),
            (None, ["t/gone"], CHANGED),
            (None, [], PRESENT),
        ],
    )
    def test_at_the_start_the_last_run_is_believed(self, remembered, expected, state):
        run_virtual(self.at_the_start_the_last_run_is_believed(remembered, expected, state))

    async def at_the_start_the_last_run_is_believed(self, remembered, expected, state):
        scene = Scene()
        token = scene.use(USB)
        scene.files.write_file(USB, "t/a", b"x")
        identity = await scene.files.identify(USB) if remembered == "this" else remembered
        scene.roots.set_identity(token, identity)
        scene.expected[USB] = expected
        assert await scene.watch.look(token) is state
        assert scene.watch.state(token) is state

    async def test_many_at_once_are_all_answered(self):
        scene = Scene()
        tokens = [scene.use(f"/{number}") for number in range(200)]
        states = await asyncio.gather(*(scene.watch.look(token) for token in tokens))
        assert states == [PRESENT] * 200

    async def test_of_many_roots_all_have_their_turn(self):
        scene = Scene()
        for number in range(MAX_LOOKS_A_ROUND * 2 + 1):
            scene.use(f"/{number}")
        await scene.run(10)
        assert len(scene.files.looked) == MAX_LOOKS_A_ROUND
        await scene.run(20)
        assert len(set(scene.files.looked)) == MAX_LOOKS_A_ROUND * 2 + 1
        await scene.watch.close()


@in_virtual_time
class TestNoAnswer:
    async def test_a_dead_disk_is_lost_and_hinders_no_other(self):
        scene = Scene()
        dead, usb = scene.use("/nfs"), scene.use(USB)
        scene.files.dead.add("/nfs")
        await scene.run(LOOK_PATIENCE + 15)
        assert scene.news == [("lost", "/nfs")]
        assert "does not answer" in str(scene.watch.error(dead))
        disk = scene.files.unmount(USB)
        await scene.run(15)
        scene.files.mount(USB, disk)
        await scene.run(15)
        assert scene.news[1:] == [("lost", USB), ("found", USB)]
        assert scene.watch.state(usb) is PRESENT
        assert scene.files.looked.count("/nfs") == 1
        scene.files.answers.set()
        await scene.run(15)
        assert scene.news[3:] == [("found", "/nfs")]
        assert scene.watch.state(dead) is PRESENT

    async def test_who_looks_waits_no_longer_than_that(self):
        scene = Scene()
        token = scene.use("/nfs")
        scene.files.dead.add("/nfs")
        assert await scene.watch.look(token) is ABSENT
        assert asyncio.get_running_loop().time() == LOOK_PATIENCE
        assert scene.news == [("lost", "/nfs")]
        await scene.watch.close()

    async def test_after_the_close_nothing_is_told_or_begun(self):
        scene = Scene()
        token = scene.use("/nfs")
        scene.files.dead.add("/nfs")
        await scene.run(15)
        await scene.watch.close()
        scene.watch.beat(1e6)
        await scene.run(100)
        assert await scene.watch.look(token) is PRESENT
        assert scene.news == []
        assert scene.files.looked == ["/nfs"]


@in_virtual_time
class TestRoom:
    async def test_full_and_roomy_are_told_once_each(self):
        scene = Scene(Disk(capacity=3 << 20))
        token = scene.use(USB)
        await scene.run(15)
        assert scene.news == []
        assert scene.watch.free(token) == 3 << 20
        scene.files.write_file(USB, "big", bytes(5 << 19))
        await scene.run(35)
        assert scene.news == [("full", 1 << 19)]
        assert scene.watch.full(token).needed == 2 << 20
        scene.files.write_file(USB, "big", bytes(3 << 19))  # more than the limit, less than twice
        await scene.run(35)
        assert len(scene.news) == 1
        await scene.files.delete(USB, "big")
        await scene.run(35)
        assert scene.news[1:] == [("roomy", 3 << 20)]
        assert scene.watch.full(token) is None

    async def test_a_write_that_found_no_room_is_believed(self):
        scene = Scene(Disk(capacity=64 << 20))
        token = scene.use(USB)
        await scene.run(15)
        scene.watch.no_room(token)
        scene.watch.no_room(token)
        scene.watch.no_room("nope")
        await scene.run(500)
        assert scene.news == [("full", 64 << 20)]
        await scene.run(200)
        assert scene.news[1:] == [("roomy", 64 << 20)]

    async def test_a_root_that_is_lost_is_not_measured(self):
        scene = Scene(Disk(capacity=1 << 20))
        token = scene.use(USB)
        await scene.run(15)
        scene.files.unmount(USB)
        scene.files.capacity = 0
        await scene.run(15)
        assert scene.news == [("lost", USB)]
        assert scene.watch.free(token) == 1 << 20

    async def test_a_figure_that_cannot_be_had_is_no_loss(self):
        class NoFigure(Disk):
            async def free_space(self, root):
                await super().free_space("nowhere")
                raise RootUnavailableError("x", root, "no figure")

        scene = Scene(NoFigure())
        token = scene.use(USB)
        await scene.run(15)
        assert scene.news == []
        assert scene.watch.free(token) is None
