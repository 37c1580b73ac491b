"""Engines that end, or are killed, and begin again on the same disk and session."""

from __future__ import annotations

import asyncio
import copy
import errno
import itertools
from dataclasses import replace

import pytest

from millstream import LimitsConfig, TorrentState
from millstream.adapters.memory import LinkProfile, MemoryFileSystem, MemorySessionStore
from millstream.engine.config import EngineConfig, NetworkConfig
from millstream.errors import EngineError, MalformedDataError, StorageError
from millstream.interfaces.disk import Hash
from millstream.presets.memory import create_memory_engine
from millstream.storage.resume import ResumeState
from millstream.storage.session_keys import INDEX_KEY, metainfo_key, peers_key, state_key
from millstream.testing.content import single_file_torrent
from millstream.testing.swarm import ALL, PLAIN, PORT, ROOT, SimulatedSwarm
from millstream.testing.virtual_time import run_virtual
from millstream.tracker.config import TrackerConfig

# The whole takes some ten seconds.
LINE = LinkProfile(up=200_000, latency=0.01)
PIECE = 64 << 10

_numbers = itertools.count()


class Machine:
    """Runs engine after engine on one disk and one session."""

    def __init__(self, swarm, files=None, store=None):
        self.swarm = swarm
        self.files = files or MemoryFileSystem()
        self.store = store or MemorySessionStore()
        self.runs = 0
        self._number = next(_numbers) % 250

    def boot(self):
        self.runs += 1
        host = self.swarm.network.host(f"10.9.{self._number}.{self.runs}", LinkProfile())
        config = EngineConfig(
            network=NetworkConfig(listen_hosts=(host.address,), listen_port=PORT),
            encryption=PLAIN,
            trackers=TrackerConfig(allow_local=True),
            seed=self.runs,
        )
        engine = create_memory_engine(
            config, network=host, files=self.files, save_path=ROOT, session=self.store
        )
        engine.hashed = []
        disk = engine._platform.disk
        submit = disk.submit_hash

        def note(job: Hash) -> None:
            engine.hashed.append(job.piece)
            submit(job)

        disk.submit_hash = note
        return engine

    def copy(self) -> Machine:
        """What would be left if it were killed now."""
        store = MemorySessionStore()
        store._values = dict(self.store._values)
        return Machine(self.swarm, copy.deepcopy(self.files), store)

    def state(self) -> ResumeState:
        return ResumeState.decode(self.store._values[state_key(self.swarm.metainfo.info_hash)])

    def stored(self) -> bytes:
        return b"".join(self.files.read_file(ROOT, path) for path in self.swarm._lengths)


async def until(condition) -> None:
    while not condition():  # noqa: ASYNC110 - time is virtual
        await asyncio.sleep(0.05)


async def half_way(machine, engine, seed):
    torrent = await engine.add(machine.swarm.metainfo, peers=[seed.address])
    await until(lambda: torrent.status().pieces_have >= machine.swarm.geometry.piece_count // 2)
    return torrent


def test_a_restart_half_way_goes_on_without_a_look_or_a_byte_twice():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=LINE)
            machine = Machine(swarm)
            async with machine.boot() as engine:
                torrent = await half_way(machine, engine, seed)
            status = torrent.status()
            before, downloaded = status.pieces_have, status.downloaded
            assert machine.state().claims.flushed.bit_count() == before
            async with machine.boot() as engine:
                restored = await engine.restore_session()
                [torrent] = restored.torrents
                assert not restored.failed
                await torrent.wait_checked()
                assert torrent.status().pieces_have == before
                assert torrent.status().downloaded == downloaded
                await torrent.wait_complete()
                assert engine.hashed == []
                fresh = torrent.status().downloaded - downloaded
                assert fresh <= (swarm.geometry.piece_count - before) * PIECE
            assert machine.stored() == swarm.content
            assert machine.state().completed_at is not None

    run_virtual(story, seed=1)


@pytest.mark.parametrize("after", [0.3, 2.0, 4.5, 7.77])
def test_one_that_is_killed_loses_a_second_and_claims_nothing_wrong(after):
    async def story(rng):
        async with SimulatedSwarm(rng, files=[300_000, 5, 900_000, 0, 600_000]) as swarm:
            seed = await swarm.add(have=ALL, profile=LINE)
            machine = Machine(swarm)
            async with machine.boot() as engine:
                torrent = await engine.add(swarm.metainfo, peers=[seed.address])
                await torrent.wait_checked()
                await asyncio.sleep(after)
                left, had = machine.copy(), torrent.status().pieces_have
            async with left.boot() as engine:
                [torrent] = (await engine.restore_session()).torrents
                await torrent.wait_checked()
                have = torrent.status().pieces_have
                assert had - 200_000 / PIECE - 1 <= have <= had
                for piece, is_there in enumerate(torrent.piece_states()):
                    if is_there:
                        at = piece * PIECE
                        assert left.stored()[at : at + PIECE] == swarm.content[at : at + PIECE]
                await torrent.wait_complete()
            assert left.stored() == swarm.content

    run_virtual(story, seed=2)


def test_what_was_flushed_is_not_read_again_after_a_kill():
    async def story(rng):
        line = LinkProfile(up=25_000, latency=0.01)  # it takes 84 seconds
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=line)
            machine = Machine(swarm)
            async with machine.boot() as engine:
                torrent = await engine.add(swarm.metainfo, peers=[seed.address])
                await asyncio.sleep(45)
                left, had = machine.copy(), torrent.status().pieces_have
            claims = left.state().claims
            assert 0 < claims.flushed.bit_count() < had
            assert claims.running
            async with left.boot() as engine:
                [torrent] = (await engine.restore_session()).torrents
                await torrent.wait_checked()
                assert torrent.status().pieces_have >= had - 1
                assert len(engine.hashed) == claims.written.bit_count()

    run_virtual(story, seed=3)


@pytest.mark.parametrize("keeps_times", [True, False])
@pytest.mark.parametrize("after", [20, 37, 40, 70])
def test_a_power_cut_that_takes_what_was_not_flushed(after, keeps_times):
    """The worst there is: data is lost, and sizes and times say otherwise."""

    async def story(rng):
        line = LinkProfile(up=25_000, latency=0.01)
        async with SimulatedSwarm(rng, files=[700_000, 3, 800_000, 500_000]) as swarm:
            seed = await swarm.add(have=ALL, profile=line)
            machine = Machine(swarm)
            sync, safe = machine.files.sync, {}

            async def flush(root, paths):
                contents = [machine.files.read_file(root, path) for path in paths]
                await asyncio.sleep(2.5)  # meanwhile other pieces are written
                stats = await sync(root, paths)
                for path, content, stat in zip(paths, contents, stats, strict=True):
                    safe[path] = content, stat.mtime
                return stats

            machine.files.sync = flush
            async with machine.boot() as engine:
                torrent = await engine.add(swarm.metainfo, peers=[seed.address])
                await asyncio.sleep(after)
                left, had = machine.copy(), torrent.status().pieces_have
                kept = dict(safe)
                del left.files.sync
            for path, length in swarm._lengths.items():
                content, mtime = kept.get(path, (bytes(length), 0.0))
                file = left.files._open(ROOT, path, create=True)
                file.data[:] = content
                if not keeps_times:
                    file.mtime = mtime
            async with left.boot() as engine:
                [torrent] = (await engine.restore_session()).torrents
                await torrent.wait_checked()
                assert torrent.status().pieces_have < had
                assert (torrent.status().pieces_have > 0) == (after > 33)
                for piece, is_there in enumerate(torrent.piece_states()):
                    if is_there:
                        at = piece * PIECE
                        assert left.stored()[at : at + PIECE] == swarm.content[at : at + PIECE]
                await torrent.wait_complete()
            assert left.stored() == swarm.content

    run_virtual(story, seed=15)


def test_only_the_pieces_of_a_changed_file_are_read_again():
    async def story(rng):
        async with SimulatedSwarm(rng, files=[4 * PIECE, 4 * PIECE, 4 * PIECE]) as swarm:
            seed = await swarm.add(have=ALL, profile=LINE)
            machine = Machine(swarm)
            async with machine.boot() as engine:
                torrent = await engine.add(swarm.metainfo, peers=[seed.address])
                await torrent.wait_complete()
            path = list(swarm._lengths)[1]
            machine.files.write_at(ROOT, path, PIECE + 7, b"not what was there")
            async with machine.boot() as engine:
                [torrent] = (await engine.restore_session()).torrents
                await torrent.wait_checked()
                assert sorted(engine.hashed) == [4, 5, 6, 7]
                assert torrent.state is TorrentState.DOWNLOADING
                assert torrent.status().pieces_have == 11
                await torrent.wait_complete()
            assert machine.stored() == swarm.content
            async with machine.boot() as engine:
                [torrent] = (await engine.restore_session()).torrents
                await torrent.wait_complete()
                assert engine.hashed == []

    run_virtual(story, seed=4)


@pytest.mark.parametrize("change", ["delete", "truncate"])
def test_a_file_that_is_gone_or_short_is_fetched_again(change):
    async def story(rng):
        async with SimulatedSwarm(rng, files=[2 * PIECE, 3 * PIECE + 9, 2 * PIECE]) as swarm:
            seed = await swarm.add(have=ALL, profile=LINE)
            machine = Machine(swarm)
            async with machine.boot() as engine:
                await (await engine.add(swarm.metainfo, peers=[seed.address])).wait_complete()
            path = list(swarm._lengths)[1]
            if change == "delete":
                await machine.files.delete(ROOT, path)
            else:
                await machine.files.truncate(ROOT, path, PIECE)
            async with machine.boot() as engine:
                [torrent] = (await engine.restore_session()).torrents
                await torrent.wait_checked()
                expected = {0, 1, 6, 7} if change == "delete" else {0, 1, 2, 6, 7}
                states = torrent.piece_states()
                assert {piece for piece, there in enumerate(states) if there} == expected
                await torrent.wait_complete()
            assert machine.stored() == swarm.content

    run_virtual(story, seed=5)


def test_what_the_user_said_is_remembered():
    async def story(rng):
        async with SimulatedSwarm(rng, files=[PIECE] * 6) as swarm:
            machine = Machine(swarm)
            async with machine.boot() as engine:
                torrent = await engine.add(
                    swarm.metainfo,
                    save_path="elsewhere",
                    peers=["10.1.2.3:1"],
                    trackers=["http://10.1.2.4/announce"],
                    select=[0, 1, 5],
                    sequential=True,
                    start=False,
                )
                torrent.set_limits(download=50_000, upload=60_000)
            for _ in range(2):
                async with machine.boot() as engine:
                    [torrent] = (await engine.restore_session()).torrents
                    assert torrent.state is TorrentState.STOPPED
                    assert torrent.save_path == "elsewhere"
                    assert torrent.limits == (50_000, 60_000)
                    assert torrent.metainfo == swarm.metainfo
                    assert "http://10.1.2.4/announce" in [each.url for each in torrent.trackers()]
                    session = torrent._session
                    assert [bool(each) for each in torrent.file_priorities()] == [
                        index in {0, 1, 5} for index in range(len(torrent.file_priorities()))
                    ]
                    assert session.machine.need.sequential
                    assert [str(each.address) for each in torrent._membership.swarm] == [
                        "10.1.2.3:1"
                    ]
            async with machine.boot() as engine:
                [torrent] = (await engine.restore_session()).torrents
                await torrent.start()
                await torrent.select_files(None)
            async with machine.boot() as engine:
                [torrent] = (await engine.restore_session()).torrents
                await torrent.wait_checked()
                assert torrent.state is TorrentState.DOWNLOADING
                assert all(torrent.file_priorities())
                await torrent.stop()
            async with machine.boot() as engine:
                [torrent] = (await engine.restore_session()).torrents
                assert torrent.state is TorrentState.STOPPED

    run_virtual(story, seed=6)


def test_a_stopped_one_shows_what_it_has_and_checks_when_it_starts():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=LINE)
            machine = Machine(swarm)
            async with machine.boot() as engine:
                torrent = await half_way(machine, engine, seed)
                await torrent.stop()
                have = torrent.status().pieces_have
            for _ in range(2):
                async with machine.boot() as engine:
                    [torrent] = (await engine.restore_session()).torrents
                    assert torrent.state is TorrentState.STOPPED
                    assert torrent.status().pieces_have == have
            async with machine.boot() as engine:
                [torrent] = (await engine.restore_session()).torrents
                await torrent.start()
                await torrent.wait_complete()
                assert engine.hashed == []

    run_virtual(story, seed=7)


def test_a_magnet_without_metadata_comes_back_and_goes_on():
    async def story(rng):
        async with SimulatedSwarm(rng, files=[PIECE] * 4) as swarm:
            machine = Machine(swarm)
            async with machine.boot() as engine:
                torrent = await engine.add(swarm.magnet(), select=[1, 2], start=False)
                await engine.save_session()
            async with machine.boot() as engine:
                [torrent] = (await engine.restore_session()).torrents
                assert not torrent.has_metadata
                assert torrent.state is TorrentState.STOPPED
                await torrent.start()
            seed = await swarm.add(have=ALL, profile=LINE)
            async with machine.boot() as engine:
                [torrent] = (await engine.restore_session()).torrents
                assert torrent.state is TorrentState.FETCHING_METADATA
                torrent.add_peer(seed.address)
                await torrent.wait_complete()
                assert [i for i, each in enumerate(torrent.file_priorities()) if each] == [1, 2]
            async with machine.boot() as engine:
                [torrent] = (await engine.restore_session()).torrents
                assert torrent.has_metadata
                await torrent.wait_complete()
                assert engine.hashed == []

    run_virtual(story, seed=8)


def test_a_magnet_comes_back_with_the_peers_that_its_link_named():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=LINE)
            link = replace(swarm.magnet(), peers=(seed.address,))
            machine = Machine(swarm)
            async with machine.boot() as engine:
                await engine.add(link, start=False)
                await engine.save_session()
            async with machine.boot() as engine:
                [torrent] = (await engine.restore_session()).torrents
                await torrent.start()
                await torrent.wait_complete()

    run_virtual(story)


def test_a_removed_one_is_forgotten_and_its_order_kept():
    async def story(rng):
        async with (
            SimulatedSwarm(rng) as first,
            SimulatedSwarm(rng) as second,
            SimulatedSwarm(rng) as third,
        ):
            machine = Machine(first)
            async with machine.boot() as engine:
                for swarm in (third, first, second):
                    await engine.add(swarm.metainfo, start=False)
            async with machine.boot() as engine:
                restored = (await engine.restore_session()).torrents
                assert [each.metainfo for each in restored] == [
                    third.metainfo,
                    first.metainfo,
                    second.metainfo,
                ]
                assert (await engine.restore_session()).torrents == ()
                await engine.remove(restored[1])
            assert not await machine.store.keys(f"torrent:{first.metainfo.info_hash}")
            async with machine.boot() as engine:
                await engine.add(first.metainfo, start=False)
                restored = (await engine.restore_session()).torrents
                assert [each.metainfo for each in restored] == [third.metainfo, second.metainfo]
            await machine.store.set(INDEX_KEY, b"nonsense")
            async with machine.boot() as engine:
                assert len((await engine.restore_session()).torrents) == 3

    run_virtual(story, seed=9)


def test_a_broken_record_hinders_no_other():
    async def story(rng):
        async with (
            SimulatedSwarm(rng) as first,
            SimulatedSwarm(rng) as second,
            SimulatedSwarm(rng) as third,
        ):
            machine = Machine(second)
            async with machine.boot() as engine:
                for swarm in (first, second, third):
                    await engine.add(swarm.metainfo, start=False)
            hashes = [swarm.metainfo.info_hash for swarm in (first, second, third)]
            await machine.store.set(state_key(hashes[0]), b"\xff broken")
            await machine.store.set(metainfo_key(hashes[2]), b"broken")
            await machine.store.set(peers_key(hashes[1]), b"broken")
            values = dict(machine.store._values)
            for _ in range(2):
                async with machine.boot() as engine:
                    restored = await engine.restore_session()
                    assert [each.info_hash for each in restored.torrents] == [hashes[1]]
                    assert set(restored.failed) == {hashes[0], hashes[2]}
                    assert all(
                        isinstance(error, MalformedDataError) for error in restored.failed.values()
                    )
            for key in (state_key(hashes[0]), metainfo_key(hashes[2]), state_key(hashes[2])):
                assert machine.store._values[key] == values[key]

    run_virtual(story, seed=10)


def test_without_a_session_nothing_is_stored():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL)
            leech = await swarm.add()
            await swarm.wait_complete(leech)
            with pytest.raises(EngineError, match="without a session"):
                await seed.engine.restore_session()
            await seed.engine.save_session()

    run_virtual(story, seed=11)


def test_a_store_that_fails_is_tried_again_and_holds_nothing_up():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=LINE)
            machine = Machine(swarm)
            apply, failures = machine.store.apply, []

            async def fail(batch):
                failures.append(batch)
                raise StorageError("session", "no room", errno.ENOSPC)

            async with machine.boot() as engine:
                machine.store.apply = fail
                torrent = await engine.add(swarm.metainfo, peers=[seed.address])
                await torrent.wait_complete()
                assert 0 < len(failures) < 5
                with pytest.raises(StorageError):
                    await engine.save_session()
                machine.store.apply = apply
                await asyncio.sleep(31)
                assert machine.state().claims.flushed.bit_count() == swarm.geometry.piece_count

    run_virtual(story, seed=12)


def test_pieces_whose_flush_failed_are_read_again():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=LINE)
            machine = Machine(swarm)
            sync, failed = machine.files.sync, []

            async def fail(root, paths):
                if not failed:
                    failed.append(paths)
                    raise StorageError(paths[0], "input/output error", errno.EIO)
                return await sync(root, paths)

            machine.files.sync = fail
            async with machine.boot() as engine:
                torrent = await engine.add(swarm.metainfo, peers=[seed.address])
                await torrent.wait_complete()
                await asyncio.sleep(120)
            assert failed
            claims = machine.state().claims
            assert claims.flushed == 0
            assert claims.written.bit_count() == swarm.geometry.piece_count
            async with machine.boot() as engine:
                [torrent] = (await engine.restore_session()).torrents
                await torrent.wait_complete()
                assert len(engine.hashed) == swarm.geometry.piece_count
            assert machine.state().claims.flushed.bit_count() == swarm.geometry.piece_count

    run_virtual(story, seed=13)


def test_a_torrent_whose_files_are_there_is_stored_once():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            machine = Machine(swarm)
            machine.files.write_file(ROOT, swarm.name, swarm.content)
            key, saves, apply = state_key(swarm.metainfo.info_hash), [], machine.store.apply

            async def note(batch):
                saves.append(key in batch)
                await apply(batch)

            machine.store.apply = note
            async with machine.boot() as engine:
                # The first of all is saved at once, before anybody looked.
                other = single_file_torrent("other", rng.randbytes(PIECE), PIECE)
                await engine.add(other, seed_mode=True)
                await asyncio.sleep(0.5)
                await engine.add(swarm.metainfo, seed_mode=True)
                await asyncio.sleep(5)
                assert saves.count(True) == 1
                assert machine.state().claims.flushed.bit_count() == swarm.geometry.piece_count

    run_virtual(story, seed=20)


@pytest.mark.parametrize("others", [0, 3])
def test_a_slow_disk_keeps_no_torrent_out_of_the_store(others):
    """Also if it is one of several that come while the disk is busy."""

    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            machine = Machine(swarm)
            machine.files.write_file(ROOT, swarm.name, swarm.content)
            sync = machine.files.sync

            async def slow(root, paths):
                await asyncio.sleep(20)
                return await sync(root, paths)

            machine.files.sync = slow
            async with machine.boot() as engine:
                for number in range(others):
                    other = single_file_torrent(f"other {number}", rng.randbytes(PIECE), PIECE)
                    await engine.add(other, seed_mode=True)
                    await asyncio.sleep(0.3)
                await engine.add(swarm.metainfo, seed_mode=True)
                await asyncio.sleep(1)
                claims = machine.state().claims
                assert claims is None or not claims.flushed
                await asyncio.sleep(25 * (1 + others))
                assert machine.state().claims.flushed.bit_count() == swarm.geometry.piece_count

    run_virtual(story, seed=21)


def test_totals_are_saved_by_the_minute_and_saves_are_few():
    async def story(rng):
        line = LinkProfile(up=25_000, latency=0.01)
        async with SimulatedSwarm(rng) as swarm:
            machine = Machine(swarm)
            machine.files.write_file(ROOT, swarm.name, swarm.content)
            apply, saves = machine.store.apply, []

            async def note(batch):
                saves.append(asyncio.get_running_loop().time())
                await apply(batch)

            machine.store.apply = note
            async with machine.boot() as engine:
                torrent = await engine.add(swarm.metainfo)
                await torrent.wait_complete()
                engine._platform.network._profile = line
                torrent.set_limits(download=None, upload=20_000)
                leech = await swarm.add(knows=[])
                leech.torrent.add_peer(f"{engine._platform.network.address}:{PORT}")
                await asyncio.sleep(59)
                assert 0 < len(saves) < 10
                await asyncio.sleep(3)
                assert machine.state().uploaded > 500_000
                await swarm.wait_complete(leech)
                assert all(b - a >= 1 for a, b in itertools.pairwise(saves))

    run_virtual(story, seed=14)


def test_the_totals_of_a_peer_that_came_and_went_are_saved():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            machine = Machine(swarm)
            machine.files.write_file(ROOT, swarm.name, swarm.content)
            async with machine.boot() as engine:
                torrent = await engine.add(swarm.metainfo)
                await torrent.wait_complete()
                await asyncio.sleep(2)
                leech = await swarm.add(knows=[])
                leech.torrent.add_peer(f"{engine._platform.network.address}:{PORT}")
                await swarm.wait_complete(leech)
                await until(lambda: not torrent.peers())
                await asyncio.sleep(2)
                assert machine.state().uploaded == torrent.status().uploaded > 0

    run_virtual(story, seed=14)


def test_limits_that_were_set_hold_unless_the_settings_changed_since():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            machine = Machine(swarm)
            async with machine.boot() as engine:
                engine.set_limits(download=50_000, upload=None)
            async with machine.boot() as engine:
                assert engine.limits == (50_000, None)
                config = replace(engine.config, limits=LimitsConfig(download=70_000))
                engine.configure(config)
                assert engine.limits == (70_000, None)
                engine.set_limits(download=None, upload=60_000)
            async with machine.boot() as engine:
                assert engine.limits == (None, None)  # it was said over other settings

    run_virtual(story, seed=1)
