"""What changes a torrent's files, serves them or fetches from web seeds is made when it is needed."""

from __future__ import annotations

import asyncio

import pytest

from millstream import TorrentState
from millstream.core.file_priority import FilePriority
from millstream.engine.no_web_seeds import NO_WEB_SEEDS
from millstream.engine.session import TorrentSession
from millstream.engine.torrent import Torrent
from millstream.errors import EngineClosedError
from millstream.testing.swarm import ALL, ROOT, SimulatedSwarm
from millstream.testing.virtual_time import run_virtual

from .machine import Machine

SIZES = [100_000, 0, 200_000]


def session(torrent: Torrent) -> TorrentSession:
    found = torrent._membership.stage
    assert isinstance(found, TorrentSession)
    return found


def made(torrent: Torrent) -> set[str]:
    """What it has made of what is made late."""
    late = {"_reader", "_rearranging", "_changed"}
    return {name for name in late if getattr(session(torrent), name) is not None}


def scene(story, *, suffix=""):
    async def run(rng):
        async with SimulatedSwarm(rng, files=SIZES) as swarm:
            seeder = await swarm.add(have=ALL)
            await seeder.torrent.wait_checked()
            await story(swarm, Machine(swarm, suffix), seeder)

    run_virtual(run)


def test_who_seeds_or_downloads_makes_nothing_to_rearrange_files():
    async def story(swarm, machine, seeder):
        assert made(seeder.torrent) == set()
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address])
            await torrent.wait_complete()
            assert torrent.status().moving is None
            assert torrent.moved_bytes is None
            assert set(torrent.file_priorities()) == {FilePriority.NORMAL}
            assert not torrent.first_last_first
            await torrent.stop()
            await torrent.recheck()
            await torrent.wait_checked()
            await torrent.start()
            assert made(torrent) <= {"_changed"}
            assert session(torrent).web_seeds is NO_WEB_SEEDS
        assert "_rearranging" not in made(torrent)
        assert made(seeder.torrent) == {"_reader"}

    scene(story)


def test_in_the_next_run_neither():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address])
            await torrent.wait_complete()
        async with machine.again() as torrent:
            await torrent.wait_complete()
            assert made(torrent) == set()
            assert machine.hashed == []

    scene(story)


def test_files_are_renamed_and_skipped_late():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address])
            await torrent.wait_complete()
            assert "_rearranging" not in made(torrent)
            await torrent.rename_file(2, "content/other")
            assert "_rearranging" in made(torrent)
            await torrent.set_file_priorities({0: FilePriority.HIGH})
            torrent.first_last_first = True
        async with machine.again() as torrent:
            await torrent.wait_complete()
            assert machine.hashed == []
            assert torrent.file_paths()[2] == "content/other"
            assert torrent.file_priorities()[0] is FilePriority.HIGH
            assert torrent.first_last_first

    scene(story)


def test_a_choice_made_when_it_was_added_is_changed_late():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(
                swarm.metainfo, peers=[seeder.address], first_last=True, start=False
            )
            assert made(torrent) == set()
            await torrent.set_file_priorities({2: FilePriority.LOW})
            assert torrent.first_last_first
            assert torrent.file_priorities()[2] is FilePriority.LOW

    scene(story)


@pytest.mark.parametrize("suffix", ["", ".part"])
def test_a_suffix_needs_it_until_all_files_have_their_names(suffix):
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address])
            await torrent.wait_complete()
            assert ("_rearranging" in made(torrent)) == bool(suffix)
            assert set(machine.tree()) == {f"content/{number}" for number in range(3)}
        async with machine.again() as torrent:
            await torrent.wait_complete()
            assert "_rearranging" not in made(torrent)

    scene(story, suffix=suffix)


def test_who_left_is_never_rearranged():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address])
            await torrent.wait_complete()
            await engine.remove(torrent)
            before = machine.tree()
            assert "_rearranging" not in made(torrent)
            with pytest.raises(EngineClosedError):
                await torrent.rename_file(2, "content/other")
            with pytest.raises(EngineClosedError):
                await torrent.move(f"{ROOT}2")
            session(torrent).check()
            assert torrent.state is TorrentState.STOPPED
            assert machine.tree() == before

    scene(story)


def test_who_leaves_is_never_rearranged():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address])
            await torrent.wait_complete()
            leaving = asyncio.ensure_future(engine.remove(torrent))
            await asyncio.sleep(0)
            assert session(torrent).is_leaving
            with pytest.raises(EngineClosedError):
                await torrent.rename_file(2, "content/other")
            await leaving

    scene(story)
