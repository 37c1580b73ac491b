"""Disks that fail in every way: the bytes of the original in the end, or a clear error; no false claim."""

from __future__ import annotations

import asyncio
import errno
from contextlib import asynccontextmanager

import pytest

from millstream import TorrentState
from millstream.adapters.memory import (
    LinkProfile,
    MemoryDiskQueue,
    MemoryFileSystem,
    MemorySessionStore,
)
from millstream.adapters.memory.clock import MemoryClock
from millstream.core.config import TransferConfig
from millstream.core.file_priority import FilePriority
from millstream.engine.config import EngineConfig, NetworkConfig
from millstream.engine.membership import Membership
from millstream.engine.session import TorrentSession
from millstream.errors import InternalError, NoSpaceError, RootUnavailableError, StorageError
from millstream.interfaces.disk import Hash, Read
from millstream.presets.memory import create_memory_engine
from millstream.protocol.metainfo import Metainfo
from millstream.storage.config import StorageConfig
from millstream.storage.resume import ResumeState
from millstream.storage.session_keys import state_key
from millstream.testing.content import multi_file_torrent
from millstream.testing.faulty_disk import FaultyDisk
from millstream.testing.swarm import ALL, PLAIN, PORT, ROOT, SimulatedSwarm
from millstream.testing.virtual_time import run_virtual

LINE = LinkProfile(up=1 << 20, latency=0.01)
PIECE = 64 << 10
ERRORS = [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES]


class Store(MemorySessionStore):
    """A session store whose disk may be full."""

    error = None

    async def apply(self, batch):
        if self.error is not None:
            raise StorageError("session", "no", self.error)
        await super().apply(batch)


class Machine:
    """A disk, a session and a clock; an engine for each run."""

    def __init__(self, swarm, files=None, store=None):
        self.swarm = swarm
        self.files, self.store = files or MemoryFileSystem(), store or Store()
        self.clock = MemoryClock()
        self.disk = None

    def boot(self, storage=None):
        network = self.swarm.network
        host = network.host(f"10.8.{len(network._hosts)}.1", LinkProfile())
        self.disk = FaultyDisk(MemoryDiskQueue(self.files))
        return create_memory_engine(
            EngineConfig(
                network=NetworkConfig(listen_hosts=(host.address,), listen_port=PORT),
                encryption=PLAIN,
                storage=storage or StorageConfig(),
                seed=len(network._hosts),
            ),
            network=host,
            files=self.files,
            save_path=ROOT,
            session=self.store,
            clock=self.clock,
            disk=self.disk,
        )

    def claims(self, metainfo):
        return ResumeState.decode(self.store._values[state_key(metainfo.info_hash)]).claims


class Content:
    """A torrent of some files, in a directory of its own."""

    def __init__(self, rng, name, lengths=(300_000, 500_000)):
        parts = [((str(n),), rng.randbytes(length)) for n, length in enumerate(lengths)]
        self.metainfo = Metainfo.parse(multi_file_torrent(name, parts, PIECE))
        self.files = {f"{name}/{path[0]}": data for path, data in parts}

    @property
    def content(self):
        return b"".join(self.files.values())

    def store(self, files, root):
        for path, data in self.files.items():
            files.write_file(root, path, data)

    def stored(self, files, root):
        parts = [files.read_file(root, path) for path in self.files]
        return None if None in parts else b"".join(parts)


def stored_of(machine, root=ROOT):
    """What the file of the swarm's torrent has."""
    return machine.files.read_file(root, machine.swarm.name)


def assert_honest(torrent, stored, content, claimed=0):
    """What it says it has, and what the session says it has for good, is there."""
    count = len(torrent.piece_states())
    for piece, state in enumerate(torrent.piece_states()):
        if state == 2 or claimed >> (count - 1 - piece) & 1:
            span = slice(piece * PIECE, (piece + 1) * PIECE)
            assert stored is not None
            assert stored[span] == content[span], piece


@asynccontextmanager
async def watched(look):
    """Look ten times a second."""

    async def watch():
        while True:
            await asyncio.sleep(0.1)
            look()

    task = asyncio.create_task(watch())
    yield
    look()
    if task.done():
        task.result()
    task.cancel()


async def until(condition, within=60.0):
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - in virtual time it costs nothing
            await asyncio.sleep(0.1)


def unwatched(member):
    member.watch.cancel()
    member.watch = None
    return member


# Writes.


@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize("number", ERRORS)
def test_a_write_fails(number, torn):
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            await swarm.add(have=ALL, profile=LINE)
            leech = unwatched(await swarm.add())
            torrent = leech.torrent
            leech.disk.fail(number, after=6, torn=torn)

            def look():
                assert_honest(torrent, leech.files.read_file(ROOT, swarm.name), swarm.content)

            async with watched(look):
                await until(lambda: torrent.state is TorrentState.ERROR)
                assert isinstance(torrent.error, StorageError)
                assert torrent.error.errno == number
                assert swarm.name in torrent.status().error
                had = torrent.status().pieces_have
                assert had >= 6
                assert torrent.peers() == []
                leech.disk.heal()
                if number == errno.ENOSPC:
                    # It cannot be seen whether there is room: it is tried again.
                    await asyncio.sleep(500)
                    assert torrent.state is TorrentState.ERROR
                    await until(lambda: torrent.state is TorrentState.SEEDING, 200)
                else:
                    await asyncio.sleep(500)
                    assert torrent.state is TorrentState.ERROR
                    await torrent.start()
                    await swarm.wait_complete(leech)
            assert swarm.stored(leech) == swarm.content
            assert leech.disk.failures >= 1

    run_virtual(story, seed=1)


@pytest.mark.parametrize("number", ERRORS)
def test_the_disk_refuses_to_make_the_files(number):
    async def story(rng):
        async with SimulatedSwarm(rng, files=[300_000, 400_000]) as swarm:
            seed = await swarm.add(have=ALL, profile=LINE)
            machine = Machine(swarm)
            async with machine.boot() as engine:
                machine.files.fail(None, number, reads=False)
                torrent = await engine.add(swarm.metainfo, peers=[seed.address])
                await until(lambda: torrent.state is TorrentState.ERROR)
                assert torrent.error.errno == number
                machine.files.heal()
                await torrent.start()
                await torrent.wait_complete()
                for n, path in enumerate(swarm._lengths):
                    data = machine.files.read_file(ROOT, path)
                    assert data == swarm.content[n * 300_000 :][: len(data)]

    run_virtual(story, seed=2)


def test_room_for_others_is_left_and_used_again():
    """A full disk stops what downloads there, and leaves what seeds alone; room lets them go on."""

    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=LINE)
            contents = [Content(rng, "seeded"), Content(rng, "more")]
            machine = Machine(swarm)
            contents[0].store(machine.files, ROOT)
            async with machine.boot(StorageConfig(min_free_space=1 << 20)) as engine:
                seeding = await engine.add(contents[0].metainfo)
                await seeding.wait_complete()
                torrent = await engine.add(swarm.metainfo, peers=[seed.address])
                await until(lambda: torrent.status().pieces_have > 4)
                machine.files.capacity = machine.files._used + (1 << 20) - 4096
                await until(lambda: torrent.state is TorrentState.ERROR)
                assert isinstance(torrent.error, NoSpaceError)
                assert seeding.state is TorrentState.SEEDING
                late = await engine.add(contents[1].metainfo)
                await until(lambda: late.state is TorrentState.ERROR)
                assert isinstance(late.error, NoSpaceError)
                had = torrent.status().pieces_have
                machine.files.capacity += 4 << 20
                await until(lambda: torrent.state is TorrentState.DOWNLOADING)
                assert torrent.status().pieces_have >= had
                await torrent.wait_complete()
                assert stored_of(machine) == swarm.content
                await until(lambda: late.state is TorrentState.DOWNLOADING)

    run_virtual(story, seed=3)


# Reads, checks, and the session.


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
def test_a_seed_cannot_read(number):
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=LINE)
            await seed.torrent.wait_checked()
            seed.disk.fail(number, kinds=(Read,), after=2)
            leech = await swarm.add()
            await until(lambda: seed.torrent.state is TorrentState.ERROR)
            assert seed.torrent.error.errno == number
            assert swarm.name in seed.torrent.status().error
            seed.disk.heal()
            await seed.torrent.start()
            leech.torrent.add_peer(seed.address)
            await swarm.wait_complete(leech)
            assert swarm.stored(seed) == swarm.content

    run_virtual(story, seed=4)


def test_pieces_that_cannot_be_read_in_a_check_are_fetched():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=LINE)
            machine = Machine(swarm)
            machine.files.write_file(ROOT, swarm.name, swarm.content)
            async with machine.boot() as engine:
                machine.disk.fail(errno.EIO, kinds=(Hash,), after=10, times=3)
                torrent = await engine.add(swarm.metainfo)
                await torrent.wait_checked()
                assert torrent.status().pieces_have == swarm.geometry.piece_count - 3
                torrent.add_peer(seed.address)
                await torrent.wait_complete()
                assert torrent.status().downloaded == 3 * PIECE
            assert stored_of(machine) == swarm.content

    run_virtual(story, seed=5)


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
def test_the_disk_cannot_be_looked_at_in_the_next_run(number):
    """Nothing is fetched again: when it can be, what was there is there."""

    async def story(rng):
        line = LinkProfile(up=20_000, latency=0.01)
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=line)
            machine = Machine(swarm)
            async with machine.boot() as engine:
                torrent = await engine.add(swarm.metainfo, peers=[seed.address])
                await asyncio.sleep(40)
                had = torrent.status().pieces_have
                assert 4 < had < swarm.geometry.piece_count
            machine.files.fail(None, number)
            async with machine.boot() as engine:
                [torrent] = (await engine.restore_session()).torrents
                assert torrent.state is TorrentState.ERROR
                assert isinstance(torrent.error, RootUnavailableError)
                assert torrent.error.errno == number
                await asyncio.sleep(100)
                assert torrent.state is TorrentState.ERROR
                machine.files.heal()
                await until(lambda: torrent.state is TorrentState.DOWNLOADING)
                assert torrent.status().pieces_have >= had
                assert_honest(torrent, stored_of(machine), swarm.content)
                torrent.add_peer(seed.address)
                await torrent.wait_complete()
            assert stored_of(machine) == swarm.content

    run_virtual(story, seed=6)


@pytest.mark.parametrize("number", ERRORS)
def test_the_session_cannot_be_saved(number):
    """The downloads go on, the session has an older truth, and the newer one as soon as it can."""

    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=LinkProfile(up=40_000, latency=0.01))
            machine = Machine(swarm)

            def look():
                claims = machine.claims(swarm.metainfo)
                flushed = claims.flushed if claims else 0
                assert_honest(torrent, stored_of(machine), swarm.content, flushed)

            async with machine.boot() as engine:
                torrent = await engine.add(swarm.metainfo, peers=[seed.address])
                await asyncio.sleep(5)
                async with watched(look):
                    machine.store.error = number
                    await torrent.wait_complete()
                    with pytest.raises(StorageError):
                        await engine.save_session()
                    assert machine.claims(swarm.metainfo).flushed == 0
                    machine.store.error = None
                    await asyncio.sleep(70)
                    count = swarm.geometry.piece_count
                    assert machine.claims(swarm.metainfo).flushed.bit_count() == count
            async with machine.boot() as engine:
                [torrent] = (await engine.restore_session()).torrents
                await torrent.wait_complete()
            assert stored_of(machine) == swarm.content

    run_virtual(story, seed=7)


# A slow disk.


def test_a_disk_that_takes_a_second_for_each_piece():
    """The peers are held, not dropped; what waits in memory is bounded; it ends."""

    async def story(rng):
        room = 1 << 20
        async with SimulatedSwarm(rng, length=12 << 20) as swarm:
            for _ in range(3):
                await swarm.add(have=ALL, profile=LinkProfile(up=50e6, latency=0.001))
            leech = await swarm.add(
                max_queued_bytes=room, transfer=TransferConfig(max_unwritten_bytes=4 << 20)
            )
            leech.disk.seconds_per_write = 1.0
            pool = leech.engine._shared.pool
            most = 0
            peers = set()

            def look():
                nonlocal most
                most = max(most, pool.reserved_bytes)
                if leech.torrent.state is TorrentState.DOWNLOADING and leech.torrent.peers():
                    peers.add(len(leech.torrent.peers()))

            async with watched(look):
                begin = asyncio.get_running_loop().time()
                await swarm.wait_complete(leech)
                took = asyncio.get_running_loop().time() - begin
            assert peers == {3}
            assert most <= 5 << 20
            # The last pieces were on their way when it was full.
            assert leech.disk.most_queued <= room + (1 << 20)
            assert swarm.geometry.piece_count <= took < 1.2 * swarm.geometry.piece_count
            assert leech.torrent.status().wasted == 0

    run_virtual(story, seed=8)


# Files that somebody changes.


@pytest.mark.parametrize("how", ["deleted", "cut", "replaced", "zeroed"])
@pytest.mark.parametrize("notices", ["a peer", "the watch"])
def test_a_file_is_changed_under_a_seed(how, notices):
    """A peer's read notices what is gone; what merely has other bytes only the watch can notice."""

    async def story(rng):
        async with SimulatedSwarm(rng, files=[11 * PIECE, 900_000]) as swarm:
            seed = await swarm.add(have=ALL, profile=LINE)
            other = await swarm.add(have=ALL, profile=LINE, knows=[])
            # A peer that stays, and wants the other file for now.
            peer = await swarm.add(select=[0], knows=[seed])
            peer.engine.set_limits(download=2000, upload=None)
            await asyncio.sleep(70)
            path = f"{swarm.name}/1"
            if how == "deleted":
                await seed.files.delete(ROOT, path)
            elif how == "cut":
                await seed.files.truncate(ROOT, path, 100_000)
            else:
                data = rng.randbytes(900_000) if how == "replaced" else bytes(900_000)
                seed.files.write_file(ROOT, path, data)
            if notices == "a peer" and how in {"deleted", "cut"}:
                await peer.torrent.set_file_priorities({1: FilePriority.HIGH})
                peer.engine.set_limits(download=None, upload=None)
                await until(lambda: seed.torrent.state is TorrentState.DOWNLOADING, 15)
            else:
                await until(lambda: seed.torrent.state is TorrentState.DOWNLOADING, 130)
            await until(lambda: seed.torrent.status().pieces_have <= 13)
            if notices == "the watch":
                # The peer is here still, and was told (BEP 54).
                [link] = peer.engine._members[peer.torrent.info_hash].links.values()
                had = seed.torrent.status().pieces_have
                await until(lambda: link.peer.pieces.bit_count() == had, 120)
            assert_honest(seed.torrent, swarm.stored(seed), swarm.content)
            assert seed.torrent.error is None
            seed.torrent.add_peer(other.address)
            await until(lambda: seed.torrent.state is TorrentState.SEEDING)
            assert swarm.stored(seed) == swarm.content

    run_virtual(story, seed=9)


@pytest.mark.parametrize("how", ["deleted", "cut"])
def test_a_file_is_changed_under_a_download(how):
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            await swarm.add(have=ALL, profile=LinkProfile(up=20_000, latency=0.01))
            leech = await swarm.add()
            await until(lambda: leech.torrent.status().pieces_have > 12)
            if how == "deleted":
                await leech.files.delete(ROOT, swarm.name)
            else:
                await leech.files.truncate(ROOT, swarm.name, 2 * PIECE)
            await swarm.wait_complete(leech)
            assert leech.torrent.error is None

    run_virtual(story, seed=10)


# A root that goes.


@pytest.mark.parametrize("mount_point", [False, True])
@pytest.mark.parametrize("restart", [False, True])
def test_a_disk_goes_and_comes_back(mount_point, restart):
    """Three torrents on it wait, two elsewhere go on; nothing is put where it used to be."""

    async def story(rng):
        line = LinkProfile(up=20_000, latency=0.01)
        async with SimulatedSwarm(rng) as swarm:
            near = await swarm.add(have=ALL, profile=line)
            machine, seeds = Machine(swarm), Machine(swarm)
            here = [Content(rng, f"film {n}") for n in range(3)]
            for content in here:
                content.store(seeds.files, ROOT)
            here[0].store(machine.files, "disk")
            async with seeds.boot() as giving:
                giving.set_limits(download=None, upload=40_000)
                for content in here:
                    await (await giving.add(content.metainfo)).wait_complete()
                address = f"{giving._platform.network.address}:{PORT}"
                engine = await machine.boot().__aenter__()
                root = engine.roots.add("disk", "Films")
                torrents = [
                    await engine.add(content.metainfo, root=root.token, peers=[address])
                    for content in here
                ]
                elsewhere = await engine.add(swarm.metainfo, peers=[near.address])
                await until(lambda: torrents[1].status().pieces_have > 3)
                had = [torrent.status().pieces_have for torrent in torrents]
                stopped = await engine.add(
                    Content(rng, "no").metainfo, root=root.token, start=False
                )

                machine.files.unmount("disk", mount_point=mount_point)
                await until(lambda: all(t.state is TorrentState.ERROR for t in torrents), 15)
                assert elsewhere.state is TorrentState.DOWNLOADING
                assert stopped.state is TorrentState.STOPPED
                for torrent in torrents:
                    assert isinstance(torrent.error, RootUnavailableError)
                    assert "'Films' is not available" in torrent.status().error
                    assert torrent.peers() == []
                # The user's start is no way around.
                await torrents[1].start()
                assert isinstance(torrents[1].error, RootUnavailableError)
                await torrents[2].recheck()
                await until(lambda: torrents[2].state is TorrentState.ERROR)
                if restart:
                    await engine.close()
                    engine = await machine.boot().__aenter__()
                    found = (await engine.restore_session()).torrents
                    torrents, elsewhere, stopped = found[:3], found[3], found[4]
                    assert all(isinstance(t.error, RootUnavailableError) for t in torrents)
                    for torrent in torrents:
                        torrent.add_peer(address)
                    elsewhere.add_peer(near.address)
                await asyncio.sleep(100)
                there = machine.files._roots.get("disk")
                assert (there is not None) == mount_point
                assert there is None or not there.entries
                for torrent in torrents:
                    assert isinstance(torrent.error, RootUnavailableError)
                await elsewhere.wait_complete()

                machine.files.mount("disk")
                await until(lambda: all(t.error is None for t in torrents), 15)
                await asyncio.gather(*(torrent.wait_checked() for torrent in torrents))
                for torrent, before, content in zip(torrents, had, here, strict=True):
                    assert torrent.status().pieces_have >= before
                    stored = content.stored(machine.files, "disk")
                    assert_honest(torrent, stored, content.content)
                    torrent.add_peer(address)
                await asyncio.gather(*(torrent.wait_complete() for torrent in torrents))
                for content in here:
                    assert content.stored(machine.files, "disk") == content.content
                assert stopped.state is TorrentState.STOPPED
                assert stored_of(machine) == swarm.content
                await engine.close()

    run_virtual(story, seed=11)


def test_a_disk_that_was_replaced_is_accepted():
    """It has nothing, and all is fetched anew, once the user says so."""

    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=LINE)
            machine = Machine(swarm)
            machine.files.write_file("disk", swarm.name, swarm.content)
            async with machine.boot() as engine:
                torrent = await engine.add(swarm.metainfo, save_path="disk")
                await torrent.wait_complete()
                token = engine.roots.root_of(torrent.info_hash).token
                await asyncio.sleep(20)
                machine.files.unmount("disk", mount_point=True)
                await until(lambda: torrent.state is TorrentState.ERROR, 15)
                await asyncio.sleep(60)
                assert torrent.state is TorrentState.ERROR
                await engine.accept_root(token)
                await until(lambda: torrent.state is TorrentState.DOWNLOADING)
                assert torrent.status().pieces_have == 0
                torrent.add_peer(seed.address)
                await torrent.wait_complete()
                assert stored_of(machine, "disk") == swarm.content
                await asyncio.sleep(60)
                assert torrent.state is TorrentState.SEEDING

    run_virtual(story, seed=12)


def test_what_a_disk_lost_when_it_was_pulled_is_fetched_again():
    """Its cache was not written: pieces that were verified are not there when it is back."""

    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            await swarm.add(have=ALL, profile=LinkProfile(up=20_000, latency=0.01))
            machine = Machine(swarm)
            async with machine.boot() as engine:
                seed = swarm.members[0]
                torrent = await engine.add(
                    swarm.metainfo, save_path="disk", peers=[seed.address], sequential=True
                )
                # What came first is flushed by now.
                await asyncio.sleep(50)
                # Nothing is written in the moment when it goes.
                await seed.torrent.stop()
                await asyncio.sleep(1)
                had = torrent.status().pieces_have
                machine.files.unmount("disk")
                await until(lambda: torrent.state is TorrentState.ERROR, 15)
                await seed.torrent.start()
                flushed = machine.claims(swarm.metainfo).flushed.bit_count()
                assert 0 < flushed < had - 2
                file = machine.files._unmounted["disk"].entries[swarm.name]
                at = (had - 2) * PIECE
                file.data[at : at + PIECE] = bytes(PIECE)
                machine.files.mount("disk")
                await until(lambda: torrent.state is TorrentState.DOWNLOADING)
                assert_honest(torrent, stored_of(machine, "disk"), swarm.content)
                assert torrent.status().pieces_have == had - 1
                torrent.add_peer(seed.address)
                await torrent.wait_complete()
                assert stored_of(machine, "disk") == swarm.content

    run_virtual(story, seed=13)


# Clocks.


@pytest.mark.parametrize("kind", ["slept", "stalled"])
def test_the_machine_sleeps(kind):
    """Trackers are asked at once, and the download goes on."""

    async def story(rng):
        line = LinkProfile(up=30_000, latency=0.01)
        async with SimulatedSwarm(rng, tracked=True) as swarm:
            await swarm.add(have=ALL, profile=line)
            leech = await swarm.add()
            await until(lambda: leech.torrent.status().pieces_have > 3)
            await asyncio.sleep(30)
            loop = asyncio.get_running_loop()
            asked = len(swarm.tracker.announces)
            before = leech.torrent.status().pieces_have
            eight_hours = 8 * 3600.0
            leech.engine._platform.clock.jump(eight_hours)
            if kind == "stalled":
                loop._now += eight_hours
            await asyncio.sleep(1)
            await until(lambda: len(swarm.tracker.announces) > asked, 60)
            await swarm.wait_complete(leech)
            assert leech.torrent.status().pieces_have > before
            assert leech.torrent.error is None
            assert len(swarm.tracker.announces) <= asked + 6

    run_virtual(story, seed=14)


# A mistake of ours.


@pytest.mark.parametrize("phase", ["gather", "process", "request", "output", "rests_until"])
def test_a_torrent_that_breaks_hinders_no_other(phase, monkeypatch):
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=LinkProfile(up=200_000, latency=0.01))
            content = Content(rng, "broken")
            machine = Machine(swarm)
            async with machine.boot() as engine:
                broken = await engine.add(content.metainfo)
                await broken.wait_checked()
                torrent = await engine.add(swarm.metainfo, peers=[seed.address])
                await until(lambda: torrent.status().pieces_have > 2)
                member = engine._members[broken.info_hash]

                works = getattr(Membership, phase)

                def fail(self, *args):
                    if self is member:
                        raise ZeroDivisionError("a mistake")
                    return works(self, *args)

                monkeypatch.setattr(Membership, phase, fail)
                member.wake()
                if phase == "gather":
                    results = []
                    engine._tick.deliver(member, results)
                await until(lambda: broken.state is TorrentState.ERROR)
                assert isinstance(broken.error, InternalError)
                assert "a mistake" in broken.status().error
                await torrent.wait_complete()
                assert stored_of(machine) == swarm.content
                monkeypatch.undo()
                await broken.start()
                assert broken.state is TorrentState.DOWNLOADING

    run_virtual(story, seed=15)


def test_a_result_of_the_disk_that_breaks_a_torrent_leaves_nothing_waiting(monkeypatch):
    """What came with it is taken, too; so it can be stopped, and started again."""

    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=LINE)
            machine = Machine(swarm)
            async with machine.boot() as engine:
                torrent = await engine.add(swarm.metainfo)
                await torrent.wait_checked()
                session = engine._members[torrent.info_hash].stage
                assert isinstance(session, TorrentSession)
                calls = 0

                def fail(*_):
                    nonlocal calls
                    calls += 1
                    raise ZeroDivisionError("a mistake")

                # It has slots, so its class is patched.
                monkeypatch.setattr(type(session.machine), "piece_written", fail)
                torrent.add_peer(seed.address)
                await until(lambda: torrent.state is TorrentState.ERROR)
                monkeypatch.undo()
                await asyncio.sleep(1)
                await torrent.start()
                await torrent.wait_complete()
                assert calls > 0
                assert stored_of(machine) == swarm.content

    run_virtual(story, seed=16)
