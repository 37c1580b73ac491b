"""Torrents that are moved, renamed and deleted while they run, fail half-way, or crash."""

from __future__ import annotations

import asyncio
import errno
import random

import pytest

from millstream import TorrentState
from millstream.adapters.memory import LinkProfile, MemoryWeb
from millstream.core.file_priority import FilePriority
from millstream.errors import (
    ConfigError,
    EngineClosedError,
    RootUnavailableError,
    StorageError,
    TorrentRemovedError,
    UnfinishedMoveError,
)
from millstream.events import FilesRenamed, PieceFailed, StateChanged, TorrentMoved
from millstream.protocol import bencode
from millstream.testing.swarm import ALL, ROOT, SimulatedSwarm
from millstream.testing.virtual_time import run_virtual

from .machine import Machine, placement_of, right_pieces, until
from .web_site import WebSite

PIECE = 64 << 10
LINE = LinkProfile(up=400_000, latency=0.01)
SIZES = [100_000, 200_000, 70_000, 150_000, 0, 30_000]
NAMES = {f"content/{index}" for index in range(len(SIZES))}
NEW = "elsewhere"


def scene(story, seed, *, suffix="", line=LINE, have=()):
    """Run a story with a seeder and a machine that has some of the content."""

    async def run(rng):
        async with SimulatedSwarm(rng, files=SIZES) as swarm:
            seeder = await swarm.add(have=ALL, profile=line)
            await seeder.torrent.wait_checked()
            machine = Machine(swarm, suffix)
            swarm._store(machine.files, have, swarm.content)
            await story(swarm, machine, seeder)

    run_virtual(run, seed=seed)


def pieces(torrent):
    return {piece for piece, state in enumerate(torrent.piece_states()) if state == 2}


def address_of(engine):
    return f"{engine._platform.network.address}:6881"


def whole(swarm, machine, root=ROOT):
    tree = machine.tree(root)
    return b"".join(tree[f"content/{i}"] for i in range(len(SIZES))) == swarm.content


def snapshots(machine):
    """What would be left if it were killed at any moment from now on."""
    left = []
    apply = machine.store.apply

    async def note(batch):
        left.append(machine.copy())
        await apply(batch)
        left.append(machine.copy())

    machine.store.apply = note
    machine.faults.before_change = lambda: left.append(machine.copy())
    return left


# A move.


@pytest.mark.parametrize("apart", [True, False])
def test_a_download_moves_and_ends_at_the_new_place(apart):
    async def story(swarm, machine, seeder):
        if apart:
            machine.files.set_apart(NEW)
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address])
            events = []
            torrent.listen(events.append)
            await until(lambda: len(pieces(torrent)) >= 3)
            machine.faults.delay = 0.3
            moving = asyncio.create_task(torrent.move(NEW))
            await until(lambda: torrent.status().moving is not None)
            shares = []
            while not moving.done():
                shares.append(torrent.status().moving)
                await asyncio.sleep(0.1)
            await moving
            assert [share for share in shares if share and 0 < share < 1]
            assert torrent.status().moving is None
            assert torrent.save_path == NEW
            await torrent.wait_complete()
            assert whole(swarm, machine, NEW)
            assert machine.tree() == {}
            assert machine.directories() == set()
            assert TorrentMoved(NEW) in events
            assert not [event for event in events if isinstance(event, PieceFailed)]
            assert torrent.status().downloaded == len(swarm.content)
        async with machine.again() as torrent:
            await torrent.wait_complete()
            assert machine.hashed == []
            assert torrent.save_path == NEW

    scene(story, 1, line=LinkProfile(up=100_000, latency=0.01))


def test_peers_are_served_while_files_are_copied():
    async def story(swarm, machine, seeder):
        machine.files.set_apart(NEW)
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo)
            await torrent.wait_complete()
            torrent.set_limits(download=None, upload=30_000)
            leech = await swarm.add(knows=[])
            failed = []
            leech.torrent.listen(
                lambda event: failed.append(event) if isinstance(event, PieceFailed) else None
            )
            leech.torrent.add_peer(address_of(engine))
            await until(lambda: pieces(leech.torrent))
            machine.faults.delay = 1.5
            before = len(pieces(leech.torrent))
            await torrent.move(NEW)
            assert len(pieces(leech.torrent)) > before + 2
            await swarm.wait_complete(leech)
            assert failed == []
            assert torrent.state is TorrentState.SEEDING
            assert machine.tree() == {}

    scene(story, 2, have=ALL)


@pytest.mark.parametrize("apart", [True, False])
def test_a_file_in_the_way_refuses_the_move(apart):
    async def story(swarm, machine, seeder):
        if apart:
            machine.files.set_apart(NEW)
        machine.files.write_file(NEW, "content/3", b"mine")
        async with machine.seeding() as torrent:
            with pytest.raises(StorageError, match="elsewhere/content/3") as caught:
                await torrent.move(NEW)
            assert caught.value.errno == errno.EEXIST
            assert torrent.save_path == ROOT
            assert whole(swarm, machine)
            assert machine.tree(NEW) == {"content/3": b"mine"}
            assert torrent.state is TorrentState.SEEDING
            with pytest.raises(ConfigError, match="no storage root"):
                await torrent.move(root="0123")
            with pytest.raises(ConfigError, match="either"):
                await torrent.move()
            await torrent.move(ROOT)

    scene(story, 3, have=ALL)


def test_a_disk_that_is_not_there_is_not_moved_from_or_to():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo)
            await torrent.wait_complete()
            other = await swarm_of_one(engine, machine)
            root = machine.files._roots.pop(ROOT)
            with pytest.raises(RootUnavailableError):
                await torrent.move(NEW)
            with pytest.raises(RootUnavailableError):
                await torrent.rename_file(0, "content/zero")
            assert torrent.state is TorrentState.ERROR
            machine.files._roots[ROOT] = root
            await engine._housekeeping.look_at_roots()
            await until(lambda: torrent.state is TorrentState.SEEDING)
            await torrent.rename_file(0, "content/zero")
            machine.files._roots.pop("usb")
            with pytest.raises(RootUnavailableError):
                await torrent.move("usb")
            assert torrent.state is TorrentState.SEEDING
            right_pieces(torrent, swarm, machine.files)
            assert other.state is TorrentState.ERROR

    async def swarm_of_one(engine, machine):
        """Another torrent, at a place of its own."""
        async with SimulatedSwarm(random.Random(1), length=1000) as swarm:
            machine.files.write_file("usb", "content.bin", swarm.content)
            other = await engine.add(swarm.metainfo, save_path="usb")
            await other.wait_complete()
            await engine._housekeeping.look_at_roots()
            return other

    scene(story, 4, have=ALL)


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("failures", [1, 3, 1000])
def test_whatever_fails_all_is_as_before_or_goes_on_later(apart, failures):
    async def story(swarm, machine, seeder):
        if apart:
            machine.files.set_apart(NEW)
        async with machine.seeding() as torrent:
            here, there = ROOT, NEW
            done = broken = 0
            for number in range(60):
                machine.faults.arm(number, failures=failures)
                try:
                    await torrent.move(there)
                except UnfinishedMoveError:
                    broken += 1
                    machine.faults.disarm()
                    assert torrent.state is TorrentState.ERROR
                    await torrent.start()
                    await torrent.wait_complete()
                    assert torrent.save_path == there
                    here, there = there, here
                except StorageError:
                    machine.faults.disarm()
                    assert torrent.save_path == here
                    assert machine.tree(there) == {}
                    assert torrent.state is TorrentState.SEEDING
                    continue
                else:
                    was_last = machine.faults.changes <= number
                    machine.faults.disarm()
                    done += 1
                    assert torrent.save_path == there
                    if machine.tree(here):
                        # What could not be deleted is deleted before the next move.
                        machine.faults.disarm()
                        await torrent.move(there)
                    here, there = there, here
                    if was_last:
                        break
                finally:
                    machine.faults.disarm()
                right_pieces(torrent, swarm, machine.files)
                assert whole(swarm, machine, here)
                assert machine.tree(there) == {}
                assert pieces(torrent) == set(range(swarm.geometry.piece_count))
            assert done
            assert broken or failures == 1
            assert torrent.status().downloaded == 0

    scene(story, 5, have=ALL)


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("half", [True, False])
def test_a_crash_at_any_moment_of_a_move(apart, half):
    async def story(swarm, machine, seeder):
        if apart:
            machine.files.set_apart(NEW)
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo)
            await torrent.wait_checked()
            await asyncio.sleep(40)
            had = pieces(torrent)
            left = snapshots(machine)
            await torrent.move(NEW)
            left.append(machine.copy())
        ends = set()
        for copy in left:
            async with copy.boot() as engine:
                restored = await engine.restore_session()
                assert not restored.failed
                [torrent] = restored.torrents
                await torrent.wait_checked()
                ends.add(torrent.save_path)
                assert pieces(torrent) == had
                right_pieces(torrent, swarm, copy.files)
                here = torrent.save_path
                there = NEW if here == ROOT else ROOT
                assert copy.tree(there) == {}
                assert copy.directories(there) == set()
                assert copy.hashed == []
                torrent.add_peer(seeder.address)
                await torrent.wait_complete()
                assert whole(swarm, copy, here)
        assert ends == {ROOT, NEW}
        assert len(left) > 8

    scene(story, 6, have=[0, 1, 2, 5] if half else ALL)


def test_who_gives_up_waiting_has_the_move_taken_back():
    async def story(swarm, machine, seeder):
        machine.files.set_apart(NEW)
        async with machine.seeding() as torrent:
            machine.faults.delay = 1.0
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(torrent.move(NEW), 2.5)
            assert machine.tree(NEW) == {}
            assert torrent.save_path == ROOT
            moving = asyncio.create_task(torrent.move(NEW))
            await asyncio.sleep(3.5)
            for _ in range(3):
                moving.cancel()
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                await moving
            assert machine.tree(NEW) == {}
            assert whole(swarm, machine)
            right_pieces(torrent, swarm, machine.files)
            first, second = (asyncio.create_task(torrent.move(root)) for root in (NEW, "third"))
            await asyncio.sleep(1.5)
            second.cancel()
            await first
            with pytest.raises(asyncio.CancelledError):
                await second
            assert torrent.save_path == NEW
            assert whole(swarm, machine, NEW)

    scene(story, 7, have=ALL)


@pytest.mark.parametrize("after", [0.5, 2.5, 5.9, 6.1, 7.0])
def test_an_engine_that_closes_takes_the_move_back(after):
    async def story(swarm, machine, seeder):
        machine.files.set_apart(NEW)
        async with machine.seeding() as torrent:
            machine.faults.delay = 1.0
            moving = asyncio.create_task(torrent.move(NEW))
            renaming = asyncio.create_task(torrent.rename_folder("content", "other"))
            await asyncio.sleep(after)
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 2
        results = await asyncio.gather(moving, renaming, return_exceptions=True)
        machine.faults.delay = 0.0
        async with machine.again() as torrent:
            await torrent.wait_complete()
            assert (torrent.save_path == NEW) == (results[0] is None)
            assert results[0] is None or isinstance(results[0], EngineClosedError)
            assert isinstance(results[1], EngineClosedError)
            assert whole(swarm, machine, torrent.save_path)
            assert machine.tree(NEW if torrent.save_path == ROOT else ROOT) == {}
            assert machine.hashed == []

    scene(story, 8, have=ALL)


def test_stop_and_start_do_not_wait_for_a_move():
    async def story(swarm, machine, seeder):
        machine.files.set_apart(NEW)
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address])
            await until(lambda: len(pieces(torrent)) >= 2)
            machine.faults.delay = 5.0
            moving = asyncio.create_task(torrent.move(NEW))
            await asyncio.sleep(6)
            await asyncio.wait_for(torrent.stop(), 1)
            assert torrent.state is TorrentState.STOPPED
            assert not moving.done()
            await asyncio.wait_for(torrent.start(), 1)
            assert not moving.done()
            torrent.add_peer(seeder.address)
            await torrent.stop()
            await moving
            assert torrent.state is TorrentState.STOPPED
            assert torrent.save_path == NEW
            right_pieces(torrent, swarm, machine.files)
            machine.faults.delay = 0.0
            await torrent.start()
            torrent.add_peer(seeder.address)
            await torrent.wait_complete()
            assert whole(swarm, machine, NEW)

    scene(story, 9, line=LinkProfile(up=60_000, latency=0.01))


def test_a_move_during_a_check_and_a_check_during_a_move():
    async def story(swarm, machine, seeder):
        machine.files.set_apart(NEW)
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo)
            assert torrent.state is TorrentState.CHECKING
            await torrent.move(NEW)
            assert torrent.state is TorrentState.CHECKING
            await torrent.wait_complete()
            assert pieces(torrent) == set(range(swarm.geometry.piece_count))
            machine.faults.delay = 0.5
            moving = asyncio.create_task(torrent.move(ROOT))
            await asyncio.sleep(1)
            await torrent.recheck()
            assert torrent.state is TorrentState.CHECKING
            await moving
            await torrent.wait_complete()
            assert pieces(torrent) == set(range(swarm.geometry.piece_count))
            await torrent.stop()
            await torrent.recheck()
            moving = asyncio.create_task(torrent.move(NEW))
            await asyncio.sleep(1)
            await torrent.stop()
            await moving
            assert torrent.state is TorrentState.STOPPED
            assert whole(swarm, machine, NEW)

    scene(story, 10, have=ALL)


def test_moves_and_other_changes_one_after_the_other():
    async def story(swarm, machine, seeder):
        machine.files.set_apart(NEW)
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address], select=[1])
            await torrent.wait_checked()
            machine.faults.delay = 0.2
            await asyncio.gather(
                torrent.move(NEW),
                torrent.move("third"),
                torrent.rename_file(1, "content/one"),
                torrent.select_files(None),
                torrent.move(NEW),
                torrent.rename_folder("content", "folder"),
            )
            await torrent.wait_complete()
            assert torrent.save_path == NEW
            tree = machine.tree(NEW)
            assert set(tree) == {f"folder/{name}" for name in ("0", "one", "2", "3", "4", "5")}
            assert machine.tree("third") == machine.tree() == {}
            right_pieces(torrent, swarm, machine.files)

    scene(story, 11)


def test_what_is_left_of_a_torrent_whose_files_somebody_deleted_moves():
    async def story(swarm, machine, seeder):
        async with machine.seeding() as torrent:
            for index in range(len(SIZES) - 1):
                await machine.files.delete(ROOT, f"content/{index}")
            await torrent.move(NEW)
            await torrent.recheck()
            await torrent.wait_checked()
            assert pieces(torrent) == {8}
            await machine.files.delete(NEW, f"content/{len(SIZES) - 1}")
            await torrent.move("third")
            await torrent.recheck()
            torrent.add_peer(seeder.address)
            await torrent.wait_complete()
            assert whole(swarm, machine, "third")

    scene(story, 14, have=ALL)


def test_an_engine_that_closes_while_it_goes_on_with_a_move_goes_on_the_next_time():
    async def story(swarm, machine, seeder):
        machine.files.set_apart(NEW)
        async with machine.seeding() as torrent:
            machine.faults.delay = 1.0
            moving = asyncio.create_task(torrent.move(NEW))
            await asyncio.sleep(3.5)
            left = machine.copy()
            moving.cancel()
        for after in (0.5, 2.5):
            async with left.boot() as engine:
                left.faults.delay = 1.0
                [torrent] = (await engine.restore_session()).torrents
                await asyncio.sleep(after)
                assert torrent.state is TorrentState.CHECKING
                assert torrent.status().moving is not None
        async with left.boot() as engine:
            left.faults.delay = 1.0
            [torrent] = (await engine.restore_session()).torrents
            await asyncio.sleep(1.5)
            await torrent.stop()
            left.faults.delay = 0.0
            await torrent.start()
            await torrent.wait_complete()
            assert torrent.save_path == NEW
            assert whole(swarm, left, NEW)
            assert left.tree() == {}

    scene(story, 15, have=ALL)


def test_files_that_another_torrent_uses_stay_where_they_were_copied_from():
    async def story(swarm, machine, seeder):
        machine.files.set_apart(NEW)
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo)
            twin = await engine.add(swarm._make_torrent(PIECE, {b"private": 1}))
            await twin.wait_complete()
            await torrent.wait_complete()
            await torrent.move(NEW)
            assert whole(swarm, machine)
            assert whole(swarm, machine, NEW)
            await twin.recheck()
            await twin.wait_complete()
            assert len(pieces(twin)) == swarm.geometry.piece_count

    scene(story, 16, have=ALL)


def test_files_that_somebody_deletes_while_they_are_renamed():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo)
            await torrent.wait_complete()
            leech = await swarm.add(knows=[])
            await machine.files.delete(ROOT, "content/1")
            leech.torrent.add_peer(address_of(engine))
            await until(lambda: torrent.state is TorrentState.DOWNLOADING)
            await torrent.rename_folder("content", "other")
            await until(lambda: not torrent._session.disk.arranging.locked())
            right_pieces(torrent, swarm, machine.files)
            assert pieces(torrent) >= {0, 5, 6, 7, 8} - {1, 2, 3, 4}
            torrent.add_peer(seeder.address)
            await torrent.wait_complete()
            await swarm.wait_complete(leech)

    scene(story, 17, have=ALL)


def test_web_seeds_go_on_where_the_files_are():
    async def story(swarm, machine, seeder):
        machine.files.set_apart(NEW)
        machine.web = MemoryWeb()
        files = {f"/{path}": swarm.content[at : at + size] for path, at, size in places(swarm)}
        WebSite(machine.web, files, rate=40_000)
        torrent_file = bencode.decode(swarm._make_torrent(PIECE, {}))
        torrent_file[b"url-list"] = b"http://web.test/"
        async with machine.boot() as engine:
            torrent = await engine.add(bencode.encode(torrent_file))
            await until(lambda: pieces(torrent))
            machine.faults.delay = 0.4
            for root in (NEW, ROOT, NEW):
                await torrent.move(root)
                await asyncio.sleep(1)
            await torrent.wait_complete()
            assert whole(swarm, machine, NEW)
            assert torrent.status().wasted == 0

    def places(swarm):
        at = 0
        for path, size in swarm._lengths.items():
            yield path, at, size
            at += size

    scene(story, 18)


def test_the_parts_file_moves_as_well():
    async def story(swarm, machine, seeder):
        machine.files.set_apart(NEW)
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address], select=[1])
            await torrent.wait_complete()
            had = pieces(torrent)
            await torrent.move(NEW)
            right_pieces(torrent, swarm, machine.files)
            await torrent.recheck()
            await torrent.wait_complete()
            assert pieces(torrent) == had
            assert machine.tree() == {}

    scene(story, 12)


def test_a_root_that_is_told_to_be_elsewhere_is_followed():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo)
            await torrent.wait_complete()
            leech, states = await swarm.add(knows=[]), []
            torrent.listen(lambda event: isinstance(event, StateChanged) and states.append(event))
            machine.files._roots["mounted"] = machine.files._roots.pop(ROOT)
            engine.roots.repoint(torrent.root.token, "mounted")
            assert torrent.save_path == "mounted"
            await asyncio.sleep(0.1)
            leech.torrent.add_peer(address_of(engine))
            await swarm.wait_complete(leech)
            right_pieces(torrent, swarm, machine.files)
            assert states == []
            await torrent.recheck()
            machine.files._roots["again"] = machine.files._roots.pop("mounted")
            engine.roots.repoint(torrent.root.token, "again")
            await torrent.wait_complete()
            assert pieces(torrent) == set(range(swarm.geometry.piece_count))

    scene(story, 13, have=ALL)


def test_a_root_that_was_gone_is_found_as_soon_as_it_is_told_to_be_elsewhere():
    async def story(swarm, machine, seeder):
        async with machine.seeding() as torrent:
            roots = torrent._membership.roots
            machine.files._roots["mounted"] = machine.files._roots.pop(ROOT)
            await until(lambda: isinstance(torrent.error, RootUnavailableError))
            roots.repoint(torrent.root.token, "nowhere")
            await asyncio.sleep(0.01)
            assert torrent.state is TorrentState.ERROR
            roots.repoint(torrent.root.token, "mounted")
            await asyncio.sleep(0.01)
            assert torrent.error is None
            await torrent.wait_complete()
            right_pieces(torrent, swarm, machine.files)

    scene(story, 14, have=ALL)


# Other names.


def test_files_and_folders_get_other_names_while_peers_are_served():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo)
            await torrent.wait_complete()
            torrent.set_limits(download=None, upload=100_000)
            events = []
            torrent.listen(events.append)
            leech = await swarm.add(knows=[])
            leech.torrent.add_peer(address_of(engine))
            await until(lambda: pieces(leech.torrent))
            await torrent.rename_file(1, "content/deep/down/one")
            await torrent.rename_folder("content", "other")
            assert torrent.file_paths()[:3] == ["other/0", "other/deep/down/one", "other/2"]
            assert torrent.content_path == f"{ROOT}/other"
            assert FilesRenamed({1: "content/deep/down/one"}) in events
            await swarm.wait_complete(leech)
            with pytest.raises(ConfigError):
                await torrent.rename_file(0, "../out")
            with pytest.raises(ConfigError):
                await torrent.rename_file(0, "other/2")
            with pytest.raises(ConfigError, match="no folder"):
                await torrent.rename_folder("content", "x")
            machine.files.write_file(ROOT, "other/there", b"mine")
            with pytest.raises(StorageError) as caught:
                await torrent.rename_file(0, "other/there")
            assert caught.value.errno == errno.EEXIST
            assert torrent.file_paths()[0] == "other/0"
            right_pieces(torrent, swarm, machine.files)
            assert "content" not in machine.directories()
        async with machine.again() as torrent:
            await torrent.wait_complete()
            assert machine.hashed == []
            assert torrent.file_paths()[1] == "other/deep/down/one"
            await torrent.rename_folder("other", "content")
            await torrent.rename_file(1, "beside")
            assert torrent.content_path == ROOT  # there is no other directory that has all of it
            await torrent.rename_file(1, "content/1")
            assert placement_of(torrent).renames == {}

    scene(story, 20, have=ALL)


@pytest.mark.parametrize("failures", [1, 1000])
def test_a_rename_that_fails_leaves_the_names_as_they_were(failures):
    async def story(swarm, machine, seeder):
        async with machine.seeding() as torrent:
            before = machine.tree()
            for number in range(20):
                machine.faults.arm(number, failures=failures)
                try:
                    await torrent.rename_folder("content", "other")
                except UnfinishedMoveError:
                    machine.faults.disarm()
                    await torrent.start()
                    await torrent.wait_complete()
                    assert torrent.file_paths()[0] == "other/0"
                    await torrent.rename_folder("other", "content")
                except StorageError:
                    machine.faults.disarm()
                    assert machine.tree() == before
                    assert torrent.file_paths()[0] == "content/0"
                else:
                    machine.faults.disarm()
                    await torrent.rename_folder("other", "content")
                right_pieces(torrent, swarm, machine.files)
                assert torrent.state is TorrentState.SEEDING

    scene(story, 21, have=ALL)


def test_a_crash_at_any_moment_of_a_rename():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo)
            await torrent.wait_checked()
            await asyncio.sleep(40)
            had = pieces(torrent)
            left = snapshots(machine)
            await torrent.rename_folder("content", "other")
            await torrent.rename_file(0, "content/0")
            left.append(machine.copy())
        for copy in left:
            async with copy.again() as torrent:
                await torrent.wait_checked()
                assert pieces(torrent) == had
                right_pieces(torrent, swarm, copy.files)
                assert set(copy.tree()) == set(torrent.file_paths())
                assert copy.hashed == []
                torrent.add_peer(seeder.address)
                await torrent.wait_complete()
                assert b"".join(copy.tree()[path] for path in torrent.file_paths()) == (
                    swarm.content
                )
        assert len(left) > 10

    scene(story, 22, have=[0, 1, 2, 5])


def test_a_crash_at_any_moment_of_a_choice():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address], select=[1])
            await torrent.wait_complete()
            await engine.save_session()
            had = pieces(torrent)
            await seeder.torrent.stop()
            left = snapshots(machine)
            await torrent.select_files(None)
            await asyncio.sleep(2)
            await torrent.set_file_priorities({0: FilePriority.SKIP})
            await asyncio.sleep(2)
            left.append(machine.copy())
        await seeder.torrent.start()
        for copy in left:
            async with copy.again() as torrent:
                await torrent.wait_checked()
                assert pieces(torrent) == had
                right_pieces(torrent, swarm, copy.files)
                await torrent.select_files(None)
                torrent.add_peer(seeder.address)
                await torrent.wait_complete()
                assert whole(swarm, copy)
                assert set(copy.tree()) == NAMES

    scene(story, 23)


# Deleting.


@pytest.mark.parametrize("delete", [True, False])
def test_a_torrent_goes_with_its_data_or_without(delete):
    async def story(swarm, machine, seeder):
        machine.files.write_file(ROOT, "content/foreign", b"mine")
        machine.files.write_file(ROOT, "content/3", b"mine, and of no use")
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address], select=[0, 1])
            await torrent.wait_complete()
            await torrent.rename_file(1, "apart/from/the/rest")
            before = machine.tree()
            await engine.remove(torrent, delete_data=delete)
            if delete:
                assert machine.tree() == {
                    "content/foreign": b"mine",
                    "content/3": before["content/3"],
                }
                assert machine.directories() == {"content"}
            else:
                assert machine.tree() == before
            assert await machine.store.keys("torrent:") == []

    scene(story, 30)


def test_files_of_another_torrent_stay():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo)
            await torrent.wait_complete()
            other = SimulatedSwarm(swarm.rng, files=SIZES, extra={b"private": 1})
            other._lengths = swarm._lengths
            other.content = swarm.content
            twin = await engine.add(other._make_torrent(PIECE, {b"private": 1}))
            assert twin.info_hash != torrent.info_hash
            await twin.wait_complete()
            await engine.remove(torrent, delete_data=True)
            assert whole(swarm, machine)
            await engine.remove(twin, delete_data=True)
            assert machine.tree() == {}

    scene(story, 31, have=ALL)


@pytest.mark.parametrize("suffix", ["", ".part"])
def test_incomplete_files_and_the_parts_file_are_deleted_and_nothing_unknown(suffix):
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address], select=[1, 3])
            await until(lambda: len(pieces(torrent)) >= 3)
            await engine.remove(torrent, delete_data=True)
            assert machine.tree() == {}
            assert machine.directories() == set()
            machine.files.write_file(ROOT, "content/1", b"mine")
            torrent = await engine.add(swarm.metainfo, start=False)
            await engine.remove(torrent, delete_data=True)
            assert machine.tree() == {"content/1": b"mine"}

    scene(story, 32, suffix=suffix, line=LinkProfile(up=60_000, latency=0.01))


def test_a_torrent_that_is_removed_while_it_moves():
    async def story(swarm, machine, seeder):
        machine.files.set_apart(NEW)
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo)
            await torrent.wait_complete()
            machine.faults.delay = 1.0
            moving = asyncio.create_task(torrent.move(NEW))
            await asyncio.sleep(2.5)
            waiting = [
                asyncio.create_task(torrent.rename_folder("content", "other")),
                asyncio.create_task(torrent.select_files([0])),
            ]
            await engine.remove(torrent, delete_data=True)
            for each in (moving, *waiting, torrent.move(NEW)):
                with pytest.raises(TorrentRemovedError, match="it was removed"):
                    await each
            assert machine.tree() == machine.tree(NEW) == {}

    scene(story, 33, have=ALL)


@pytest.mark.parametrize("failures", [1, 1000])
def test_files_at_two_places_are_deleted_at_both(failures):
    async def story(swarm, machine, seeder):
        machine.files.set_apart(NEW)
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo)
            await torrent.wait_complete()
            # Without a store in between: some are copied, then nothing works any more.
            machine.faults.arm(3, failures=1000)
            with pytest.raises(UnfinishedMoveError):
                await torrent.move(NEW)
            machine.faults.arm(2 if failures == 1 else 0, failures=failures)
            if failures > 1:
                with pytest.raises(StorageError):
                    await engine.remove(torrent, delete_data=True)
                return
            machine.faults.disarm()
            assert machine.tree(NEW)
            await engine.remove(torrent, delete_data=True)
            assert machine.tree() == machine.tree(NEW) == {}

    scene(story, 34, have=ALL)
