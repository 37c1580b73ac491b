"""The only seed leaves as soon as there is a second copy in the swarm, and nothing is lost."""

from __future__ import annotations

import asyncio
import random

import pytest

from millstream.adapters.memory import LinkProfile
from millstream.engine.status import PieceState
from millstream.testing.swarm import ALL, Member, SimulatedSwarm
from millstream.testing.virtual_time import run_virtual

KIB, MIB = 1 << 10, 1 << 20
PEERS = 20


def least_copies(members: list[Member]) -> int:
    """How many of them have the piece that the fewest have."""
    maps = [member.torrent.piece_states() for member in members]
    return min(
        sum(state == PieceState.HAVE for state in states) for states in zip(*maps, strict=True)
    )


async def the_seed_leaves(rng: random.Random, copies: float, *, super_seeding: bool) -> None:
    async with SimulatedSwarm(
        rng, length=4 * MIB, piece_length=16 * KIB, resolution=0.005
    ) as swarm:
        seed = await swarm.add(have=ALL, profile=LinkProfile(up=128 * KIB, latency=0.02))
        await seed.torrent.wait_complete()
        seed.torrent.super_seeding = super_seeding
        line = LinkProfile(up=64 * KIB, down=512 * KIB, latency=0.02)
        leeches = [await swarm.add(profile=line) for _ in range(PEERS)]
        while seed.torrent.status().uploaded < copies * len(swarm.content):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.1)
        assert all(member.finished_at is None for member in leeches)
        await seed.torrent.stop()
        left_at = asyncio.get_running_loop().time()
        await asyncio.sleep(2)  # what was written to the disk last
        least = least_copies(leeches)
        assert least >= 1
        while not all(member.finished_at for member in leeches):
            assert least_copies(leeches) >= least
            least = least_copies(leeches)
            await asyncio.sleep(2)
        await swarm.wait_complete(*leeches)
        # They lack about half of it, and each gives as much as it takes.
        lasted = asyncio.get_running_loop().time() - left_at
        assert lasted < 1.5 * len(swarm.content) / (64 * KIB)


@pytest.mark.parametrize("seed", range(3))
def test_two_copies_sent_are_enough(seed: int):
    """Peers that choose at the same time choose the same piece now and then; hence not one."""
    run_virtual(lambda rng: the_seed_leaves(rng, 2.0, super_seeding=False), seed=seed)


@pytest.mark.parametrize("seed", range(3))
def test_a_super_seed_sends_hardly_more_than_one_copy(seed: int):
    run_virtual(lambda rng: the_seed_leaves(rng, 1.1, super_seeding=True), seed=seed)


def test_in_order_it_would_have_been_lost():
    """The same with leeches that fetch one piece after the other: the end is with the seed alone."""

    async def story(rng: random.Random) -> int:
        async with SimulatedSwarm(rng, piece_length=16 * KIB, resolution=0.005) as swarm:
            seed = await swarm.add(have=ALL, profile=LinkProfile(up=128 * KIB, latency=0.02))
            line = LinkProfile(up=64 * KIB, down=512 * KIB, latency=0.02)
            leeches = [await swarm.add(profile=line, sequential=True) for _ in range(PEERS)]
            while seed.torrent.status().uploaded < 2 * len(swarm.content):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.1)
            await seed.torrent.stop()
            await asyncio.sleep(2)
            return least_copies(leeches)

    assert run_virtual(story, seed=0) == 0
