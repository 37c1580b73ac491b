"""Which files come, in which order, and where their bytes are meanwhile."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from millstream import TorrentState
from millstream.adapters.memory import LinkProfile
from millstream.core.file_priority import FilePriority
from millstream.errors import ConfigError, StorageError
from millstream.events import PieceVerified, TorrentCompleted
from millstream.storage.session_keys import partial_key
from millstream.testing.swarm import ALL, ROOT, SimulatedSwarm
from millstream.testing.virtual_time import run_virtual

from .machine import Machine, placement_of, right_pieces, until

SKIP, LOW = FilePriority.SKIP, FilePriority.LOW
NORMAL, HIGH = FilePriority.NORMAL, FilePriority.HIGH

PIECE = 64 << 10
LINE = LinkProfile(up=200_000, latency=0.01)
# In pieces: file 0 is in 0 and 1, 1 in 1 to 4, 2 in 4 and 5, 3 in 5 to 9, 4 in 9, 6 in 9 and 10.
SIZES = [100_000, 200_000, 70_000, 250_000, 3, 0, 100_000]


def content_of(swarm, index):
    begin = sum(SIZES[:index])
    return swarm.content[begin : begin + SIZES[index]]


def parts_of(machine):
    return machine.files.read_file(ROOT, f".{machine.swarm.metainfo.info_hash}.parts")


def pieces(torrent):
    return {piece for piece, state in enumerate(torrent.piece_states()) if state == 2}


def scene(story, seed, *, suffix="", line=LINE):
    async def run(rng):
        async with SimulatedSwarm(rng, files=SIZES) as swarm:
            seeder = await swarm.add(have=ALL, profile=line)
            await seeder.torrent.wait_checked()
            await story(swarm, Machine(swarm, suffix), seeder)

    run_virtual(run, seed=seed)


def test_skipped_files_are_not_there_and_their_share_of_pieces_is_in_the_parts_file():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address], select=[1, 4])
            await torrent.wait_complete()
            assert pieces(torrent) == {1, 2, 3, 4, 9}
            assert set(machine.tree()) == {
                "content/1",
                "content/4",
                f".{swarm.metainfo.info_hash}.parts",
            }
            for index in (1, 4):
                assert machine.tree()[f"content/{index}"] == content_of(swarm, index)
            right_pieces(torrent, swarm, machine.files)
            placement = placement_of(torrent)
            assert placement.in_parts == {0, 2, 3, 6}
            # What it has room for is what files have of their outer pieces, and no more.
            assert len(parts_of(machine)) <= placement.parts.length < 4 * 2 * PIECE
            status = torrent.status()
            assert status.wasted == 0
            assert status.downloaded == status.total_length == 5 * PIECE

    scene(story, 1)


def test_the_parts_file_is_never_written_whole():
    async def story(swarm, machine, seeder):
        written: list[tuple[int, int]] = []
        write = machine.files.write_at

        def note(root, path, offset, data, **options):
            if path.endswith(".parts"):
                written.append((offset, offset + len(data)))
            write(root, path, offset, data, **options)

        machine.files.write_at = note
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address], select=[1, 4])
            await torrent.wait_complete()
            await torrent.set_file_priorities({2: HIGH})
            await torrent.wait_complete()
            await torrent.set_file_priorities({6: LOW})
            await torrent.wait_complete()
        # No byte twice: what the files 0, 2, 3 and 6 have of pieces that came.
        for (_, end), (begin, _) in itertools.pairwise(sorted(written)):
            assert end <= begin
        assert sum(end - begin for begin, end in written) < 4 * 2 * PIECE

    scene(story, 2)


@pytest.mark.parametrize("when", ["complete", "running", "stopped"])
def test_a_skipped_file_that_is_wanted_after_all_keeps_what_came_of_it(when):
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address], select=[1, 4])
            if when == "running":
                await until(lambda: 4 in pieces(torrent) or 9 in pieces(torrent))
            else:
                await torrent.wait_complete()
            if when == "stopped":
                await torrent.stop()
            had = pieces(torrent)
            machine.hashed.clear()
            await torrent.set_file_priorities({2: NORMAL, 3: HIGH})
            assert had <= pieces(torrent)
            assert placement_of(torrent).in_parts == {0, 6}
            if when == "stopped":
                right_pieces(torrent, swarm, machine.files)
                await torrent.start()
            await torrent.wait_complete()
            assert pieces(torrent) == set(range(1, 10))
            for index in (1, 2, 3, 4):
                assert machine.tree()[f"content/{index}"] == content_of(swarm, index)
            right_pieces(torrent, swarm, machine.files)
            status = torrent.status()
            assert status.downloaded == 9 * PIECE
            assert machine.hashed == []
            await torrent.set_file_priorities({0: LOW, 6: LOW, 5: LOW})
            await torrent.wait_complete()
            assert torrent.state is TorrentState.SEEDING
            assert parts_of(machine) is None
            assert torrent.status().downloaded == len(swarm.content)
            assert set(machine.tree()) == {f"content/{index}" for index in range(7)}

    scene(story, 3)


def test_a_file_that_is_skipped_again_stays_as_it_is():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address])
            await until(lambda: len(pieces(torrent)) >= 3)
            await torrent.set_file_priorities({1: SKIP, 3: SKIP})
            await torrent.wait_complete()
            had = pieces(torrent)
            assert len(had) < swarm.geometry.piece_count
            assert placement_of(torrent).in_parts == frozenset()
            assert len(machine.tree()["content/3"]) == SIZES[3]
            right_pieces(torrent, swarm, machine.files)
            await torrent.set_file_priorities({1: NORMAL})
            await torrent.set_file_priorities({1: SKIP})
            await torrent.select_files(None)
            await torrent.wait_complete()
            assert b"".join(machine.tree()[f"content/{i}"] for i in range(7)) == swarm.content
            assert torrent.file_priorities() == [NORMAL] * 7

    scene(story, 4)


def test_what_is_in_the_parts_file_is_served():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address], select=[1, 4])
            await torrent.wait_complete()
            await seeder.torrent.stop()
            address = f"{engine._platform.network.address}:6881"
            leech = await swarm.add(knows=[], select=[0, 2])
            leech.watch.cancel()
            leech.watch = None
            leech.torrent.add_peer(address)
            await until(lambda: pieces(leech.torrent) == {1, 4})
            right_pieces(leech.torrent, swarm, leech.files)

    scene(story, 5)


def test_a_restart_knows_the_parts_file_and_reads_nothing_again():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address], select=[1])
            await torrent.wait_complete()
            assert pieces(torrent) == {1, 2, 3, 4}
        async with machine.again() as torrent:
            await torrent.set_file_priorities({4: HIGH, 6: SKIP})
            torrent.add_peer(seeder.address)
            await torrent.wait_complete()
        for _ in range(2):
            async with machine.again() as torrent:
                await torrent.wait_complete()
                assert torrent.file_priorities() == [SKIP, NORMAL, SKIP, SKIP, HIGH, SKIP, SKIP]
                assert pieces(torrent) == {1, 2, 3, 4, 9}
                assert machine.hashed == []
                right_pieces(torrent, swarm, machine.files)
        async with machine.again() as torrent:
            torrent.add_peer(seeder.address)
            await torrent.wait_complete()
            downloaded = torrent.status().downloaded
            await torrent.select_files(None)
            await torrent.wait_complete()
            assert machine.hashed == []
            assert torrent.status().downloaded - downloaded == len(swarm.content) - 5 * PIECE
            assert parts_of(machine) is None

    scene(story, 6)


def test_a_recheck_finds_what_is_in_the_parts_file():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address], select=[1, 4])
            await torrent.wait_complete()
            await torrent.recheck()
            await torrent.wait_complete()
            assert {1, 2, 3, 4, 9} <= set(machine.hashed)
            assert pieces(torrent) == {1, 2, 3, 4, 9}

    scene(story, 7)


def test_a_file_that_cannot_be_made_stays_skipped():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address], select=[1, 4])
            await torrent.wait_complete()
            machine.faults.arm(0)
            with pytest.raises(StorageError):
                await torrent.set_file_priorities({2: HIGH, 1: LOW})
            assert torrent.file_priorities()[:3] == [SKIP, LOW, SKIP]
            assert torrent.state is TorrentState.SEEDING
            right_pieces(torrent, swarm, machine.files)
            machine.faults.disarm()
            await torrent.set_file_priorities({2: HIGH})
            await torrent.wait_complete()
            assert machine.tree()["content/2"] == content_of(swarm, 2)
            with pytest.raises(ConfigError, match="no file 7"):
                await torrent.set_file_priorities({7: LOW})
            with pytest.raises(ConfigError, match="priority"):
                await torrent.set_file_priorities({0: 9})

    scene(story, 8)


def test_two_changes_at_a_time_both_hold():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address], select=[1])
            await torrent.wait_checked()
            await asyncio.gather(
                torrent.set_file_priorities({0: HIGH, 2: NORMAL}),
                torrent.set_file_priorities({2: SKIP, 3: LOW}),
                torrent.set_file_priorities({4: NORMAL}),
            )
            assert torrent.file_priorities() == [HIGH, NORMAL, SKIP, LOW, NORMAL, SKIP, SKIP]
            assert placement_of(torrent).in_parts == {2, 6}
            await torrent.wait_complete()
            right_pieces(torrent, swarm, machine.files)

    scene(story, 9)


def test_choosing_while_files_are_checked_does_not_begin_the_check_anew():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address], select=[1, 4])
            await torrent.wait_complete()
            machine.hashed.clear()
            await torrent.recheck()
            assert torrent.state is TorrentState.CHECKING
            await torrent.set_file_priorities({2: HIGH})
            assert torrent.state is TorrentState.CHECKING
            await torrent.wait_checked()
            assert len(machine.hashed) == len(set(machine.hashed))
            await until(lambda: placement_of(torrent).in_parts == {0, 3, 6})
            await torrent.wait_complete()
            assert machine.tree()["content/2"] == content_of(swarm, 2)

    scene(story, 10)


def test_files_come_in_the_order_of_their_priorities():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, start=False)
            await torrent.set_file_priorities({0: LOW, 1: NORMAL, 2: LOW, 3: HIGH, 6: SKIP})
            order = []
            torrent.listen(
                lambda event: order.append(event.piece) if isinstance(event, PieceVerified) else 0
            )
            await torrent.start()
            torrent.add_peer(seeder.address)
            await torrent.wait_complete()
            ranks = [0 if 5 <= piece <= 9 else 1 if 1 <= piece <= 4 else 2 for piece in order]
            # Up to the pieces that are on their way at the same time, and end as they end.
            late = sum(a > b for a, b in itertools.combinations(ranks, 2))
            assert sorted(order) == list(range(10))
            assert late <= 4
            assert ranks[0] == 0
            assert ranks[-1] == 2

    scene(story, 11, line=LinkProfile(up=50_000, latency=0.01))


def test_an_order_that_changes_while_it_runs():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, sequential=True)
            order = []
            torrent.listen(
                lambda event: order.append(event.piece) if isinstance(event, PieceVerified) else 0
            )
            torrent.add_peer(seeder.address)
            await until(lambda: len(order) >= 3)
            assert order[:3] == [0, 1, 2]
            await torrent.set_file_priorities({6: HIGH})
            before = len(order)
            await torrent.wait_complete()
            rest = order[before:]
            assert max(rest.index(9), rest.index(10)) < len(rest) - 2
            assert torrent.sequential

    scene(story, 12, line=LinkProfile(up=30_000, latency=0.01))


def test_sequential_is_switched_while_it_runs():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo)
            order = []
            torrent.listen(
                lambda event: order.append(event.piece) if isinstance(event, PieceVerified) else 0
            )
            torrent.sequential = True
            torrent.add_peer(seeder.address)
            await torrent.wait_complete()
            late = sum(a > b for a, b in itertools.combinations(order, 2))
            assert late <= 3
        async with machine.again() as torrent:
            assert torrent.sequential
            torrent.sequential = False
        async with machine.again() as torrent:
            assert not torrent.sequential

    scene(story, 13)


@pytest.mark.parametrize("late", [True, False])
def test_first_and_last_pieces_come_first(late):
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, select=[3], first_last=not late, start=False)
            if late:
                torrent.first_last_first = True
            order = []
            torrent.listen(
                lambda event: order.append(event.piece) if isinstance(event, PieceVerified) else 0
            )
            await torrent.start()
            torrent.add_peer(seeder.address)
            await torrent.wait_complete()
            assert set(order) == {5, 6, 7, 8, 9}
            assert set(order[:2]) == {5, 9}
        async with machine.again() as torrent:
            assert torrent.first_last_first

    scene(story, 14, line=LinkProfile(up=20_000, latency=0.01))


# The suffix of incomplete files.


def test_incomplete_files_have_a_suffix_until_they_are_complete():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, sequential=True)
            done = []
            torrent.listen(
                lambda event: (
                    done.append(set(machine.tree()))
                    if isinstance(event, TorrentCompleted)
                    else None
                )
            )
            torrent.add_peer(seeder.address)
            await until(lambda: 0 in pieces(torrent))
            assert {f"content/{index}.part" for index in (1, 2, 3, 6)} <= set(machine.tree())
            await until(lambda: {0, 1} <= pieces(torrent))
            await asyncio.sleep(0.5)
            assert machine.tree()["content/0"] == content_of(swarm, 0)
            assert torrent.file_paths()[0] == "content/0"
            await torrent.wait_complete()
            names = {f"content/{index}" for index in range(7)}
            assert set(machine.tree()) == names
            assert done == [names]
            assert b"".join(machine.tree()[f"content/{i}"] for i in range(7)) == swarm.content
            assert torrent.status().downloaded == len(swarm.content)

    scene(story, 20, suffix=".part", line=LinkProfile(up=50_000, latency=0.01))


def test_progress_ends_when_the_last_file_has_its_name():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address])
            machine.faults.delay = 1.0
            states = [status.state async for status in torrent.progress(interval=0.1)]
            assert states.count(TorrentState.SEEDING) >= 2
            assert states[-1] is TorrentState.SEEDING
            assert set(machine.tree()) == {f"content/{index}" for index in range(7)}

    scene(story, 23, suffix=".part")


def test_the_suffix_survives_a_restart_and_a_crash_at_any_moment():
    async def story(swarm, machine, seeder):
        left = []
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, sequential=True)
            torrent.add_peer(seeder.address)
            machine.faults.before_change = lambda: left.append(machine.copy())
            while torrent.state is not TorrentState.SEEDING:
                await asyncio.sleep(0.2)
                left.append(machine.copy())
            await torrent.wait_complete()
            left.append(machine.copy())
        assert len(left) > 20
        for copy in left:
            async with copy.boot() as engine:
                torrents = (await engine.restore_session()).torrents
                if not torrents:
                    continue  # it was not stored yet that there is one
                [torrent] = torrents
                await torrent.wait_checked()
                right_pieces(torrent, swarm, copy.files)
                torrent.add_peer(seeder.address)
                await torrent.wait_complete()
                assert set(copy.tree()) == {f"content/{index}" for index in range(7)}
                assert b"".join(copy.tree()[f"content/{i}"] for i in range(7)) == swarm.content

    scene(story, 21, suffix=".part", line=LinkProfile(up=100_000, latency=0.01))


def test_a_file_in_the_way_of_a_complete_one_leaves_it_its_suffix():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo)
            await torrent.wait_checked()
            machine.files.write_file(ROOT, "content/1", b"mine")
            torrent.add_peer(seeder.address)
            await torrent.wait_complete()
            await asyncio.sleep(1)
            assert torrent.state is TorrentState.SEEDING
            assert machine.tree()["content/1"] == b"mine"
            assert machine.tree()["content/1.part"] == content_of(swarm, 1)
            right_pieces(torrent, swarm, machine.files)
        async with machine.again() as torrent:
            await torrent.wait_complete()
            right_pieces(torrent, swarm, machine.files)
            assert machine.hashed == []

    scene(story, 22, suffix=".part")


def test_files_that_were_there_before_have_no_suffix():
    async def story(swarm, machine, seeder):
        for index in (0, 1, 2):
            machine.files.write_file(ROOT, f"content/{index}", content_of(swarm, index))
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo)
            await torrent.wait_checked()
            assert pieces(torrent) == set(range(5))
            assert torrent.file_paths()[2:4] == ["content/2", "content/3.part"]
            torrent.add_peer(seeder.address)
            await torrent.wait_complete()
            assert set(machine.tree()) == {f"content/{index}" for index in range(7)}

    scene(story, 23, suffix=".part")


def test_skipped_files_and_the_suffix():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address], select=[1, 4])
            await torrent.wait_complete()
            await torrent.set_file_priorities({3: HIGH})
            assert "content/3.part" in machine.tree()
            await torrent.wait_complete()
            assert machine.tree()["content/3"] == content_of(swarm, 3)
            await torrent.select_files(None)
            await torrent.wait_complete()
            assert set(machine.tree()) == {f"content/{index}" for index in range(7)}

    scene(story, 24, suffix=".part")


# What came of unfinished pieces.


def test_blocks_of_unfinished_pieces_survive_a_restart():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address])
            await until(lambda: torrent.status().downloaded > len(pieces(torrent)) * PIECE > PIECE)
            await torrent.stop()
            assert torrent.status().downloaded > len(pieces(torrent)) * PIECE
        key = partial_key(swarm.metainfo.info_hash)
        assert key in machine.store._values
        async with machine.boot() as engine:
            [torrent] = (await engine.restore_session()).torrents
            await engine.save_session()
        assert key in machine.store._values
        async with machine.again() as torrent:
            await torrent.start()
            torrent.add_peer(seeder.address)
            await torrent.wait_complete()
            assert torrent.status().downloaded == len(swarm.content)
        assert key not in machine.store._values

    scene(story, 30, line=LinkProfile(up=30_000, latency=0.01))


def test_a_stopped_torrent_is_stopped_after_a_recheck_which_a_stop_ends():
    async def story(swarm, machine, seeder):
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, peers=[seeder.address])
            await until(lambda: len(pieces(torrent)) >= 3)
            await torrent.stop()
            had = pieces(torrent)
            machine.hashed.clear()
            await torrent.recheck()
            assert torrent.state is TorrentState.CHECKING
            await torrent.wait_checked()
            assert torrent.state is TorrentState.STOPPED
            assert pieces(torrent) == had
            assert machine.hashed
            await torrent.recheck()
            await torrent.stop()
            assert torrent.state is TorrentState.STOPPED
            await torrent.recheck()
            await torrent.start()
            await torrent.wait_complete()
            assert torrent.status().downloaded == len(swarm.content)
        async with machine.again() as torrent:
            await torrent.stop()
        async with machine.again() as torrent:
            machine.hashed.clear()
            await torrent.recheck()
            await torrent.wait_checked()
            assert torrent.state is TorrentState.STOPPED
            assert sorted(machine.hashed) == list(range(swarm.geometry.piece_count))

    scene(story, 31, line=LinkProfile(up=60_000, latency=0.01))


@pytest.mark.parametrize("later", [False, True])
def test_a_skipped_file_that_is_somebody_elses_is_not_touched(later):
    """It has its share of a piece with its neighbour in the parts file, and is never deleted."""
    theirs = b"precious" * 8_000

    async def story(swarm, machine, seeder):
        machine.files.write_file(ROOT, "content/0", theirs)
        machine.files.write_file(ROOT, "content/2", theirs)
        async with machine.boot() as engine:
            torrent = await engine.add(swarm.metainfo, select=None if later else [1], start=False)
            await torrent.start()
            if later:
                await torrent.select_files([1])
            await torrent.wait_checked()
            torrent.add_peer(str(seeder.address))
            await torrent.wait_complete()
            assert machine.tree()["content/1"] == content_of(swarm, 1)
            assert machine.tree()["content/0"] == machine.tree()["content/2"] == theirs
            right_pieces(torrent, swarm, machine.files)
        async with machine.boot() as engine:
            await engine.restore_session()
            [torrent] = engine.torrents
            await torrent.wait_complete()
            right_pieces(torrent, swarm, machine.files)
            await torrent.set_file_priorities({2: NORMAL})
            torrent.add_peer(str(seeder.address))
            await torrent.wait_complete()
            assert machine.tree()["content/2"] == content_of(swarm, 2), "it was asked for"
            await engine.remove(torrent, delete_data=True)
            assert machine.tree() == {"content/0": theirs}

    scene(story, 31)
