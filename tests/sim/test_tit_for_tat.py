"""Who gives gets (BEP 3, "Choking"), and whoever has nothing to give is helped to begin."""

from __future__ import annotations

import asyncio
import random
from statistics import mean, median, quantiles

import pytest

from millstream.adapters.memory import LinkProfile
from millstream.core.config import SwarmConfig, TransferConfig
from millstream.engine.config import NetworkConfig
from millstream.events import PieceVerified
from millstream.testing.swarm import ALL, Member, SimulatedSwarm
from millstream.testing.virtual_time import run_virtual

KIB, MIB = 1 << 10, 1 << 20
FREE_RIDER = TransferConfig(upload_slots=0)

# Bytes a second that each class gives. Nobody gives less than what the optimistic slots of all the
# others come to, or it would do no better than a free rider.
RATES = {"fast": 64 * KIB, "middle": 56 * KIB, "slow": 48 * KIB, "free": 0}
PEERS = 200
FREE_RIDERS = 10


def some_pieces(rng: random.Random, swarm: SimulatedSwarm, share: float) -> list[int]:
    count = swarm.geometry.piece_count
    return rng.sample(range(count), int(count * share))


def rank_correlation(pairs: list[tuple[float, float]]) -> float:
    """Spearman's, with the mean rank for equals."""

    def ranks(values: list[float]) -> list[float]:
        ordered = sorted(values)
        return [ordered.index(value) + (ordered.count(value) - 1) / 2 for value in values]

    first, second = (ranks(list(column)) for column in zip(*pairs, strict=True))
    middle = (len(pairs) - 1) / 2
    covariance = sum((a - middle) * (b - middle) for a, b in zip(first, second, strict=True))
    spread = [sum((rank - middle) ** 2 for rank in column) for column in (first, second)]
    return float(covariance / (spread[0] * spread[1]) ** 0.5)


async def leave_when_complete(member: Member) -> None:
    """Whoever stays as a seed serves all alike, free riders too."""
    await member.torrent.wait_complete()
    await asyncio.sleep(1)
    await member.torrent.stop()


async def two_hundred_peers(rng: random.Random) -> dict[str, list[float]]:
    """When the members of each class had everything.

    Everyone comes with a tenth of the pieces: what is looked at is a swarm in which everyone has
    something to trade, not how the first copy spreads. And they meet slowly, or the first twenty
    would know nobody but each other.
    """
    classes: dict[str, list[Member]] = {kind: [] for kind in RATES}
    few = SwarmConfig(max_connections_per_torrent=20)
    async with SimulatedSwarm(rng, length=4 * MIB, tracked=True, resolution=0.02) as swarm:
        await swarm.add(have=ALL, swarm=few, profile=LinkProfile(up=128 * KIB, latency=0.01))
        for number in range(PEERS):
            is_free = number % (PEERS // FREE_RIDERS) == 10
            kind = "free" if is_free else ("fast", "middle", "slow")[number % 3]
            member = await swarm.add(
                have=some_pieces(rng, swarm, 0.1),
                profile=LinkProfile(up=RATES[kind] or 64 * KIB, down=2 * MIB, latency=0.02),
                transfer=FREE_RIDER if is_free else TransferConfig(upload_slots=4),
                swarm=few,
                network=NetworkConfig(max_connect_rate=5),
            )
            classes[kind].append(member)
            await asyncio.sleep(5 / PEERS)
        async with asyncio.TaskGroup() as leaving:
            for member in swarm.members[1:]:
                leaving.create_task(leave_when_complete(member))
        for member in swarm.members:
            assert swarm.stored(member) == swarm.content
        return {
            kind: [member.finished_at or 0.0 for member in members]
            for kind, members in classes.items()
        }


@pytest.mark.slow
@pytest.mark.usefixtures("uncollected")
def test_who_gives_more_is_finished_sooner_and_free_riders_come_last():
    finished = run_virtual(two_hundred_peers, seed=2)
    means = {kind: mean(times) for kind, times in finished.items()}
    assert means["fast"] < means["middle"] < means["slow"] < means["free"], means
    contributors = [time for kind in RATES if RATES[kind] for time in finished[kind]]
    assert median(finished["free"]) > quantiles(contributors)[2]
    given_and_time = [
        (float(RATES[kind]), time) for kind, times in finished.items() for time in times
    ]
    assert rank_correlation(given_and_time) < -0.3


async def a_newcomer_among_busy_leeches(
    rng: random.Random, transfer: TransferConfig
) -> tuple[float, float]:
    """Seconds until the newcomer's first piece, and until the median leech had everything.

    No seed: whoever uploads to the newcomer gets nothing for it.
    """
    async with SimulatedSwarm(rng, length=4 * MIB, resolution=0.005) as swarm:
        line = LinkProfile(up=48 * KIB, down=2 * MIB, latency=0.02)
        leeches = [
            await swarm.add(have=some_pieces(rng, swarm, 0.4), profile=line, transfer=transfer)
            for _ in range(20)
        ]
        await asyncio.sleep(25)  # everyone has found its partners
        assert all(member.finished_at is None for member in leeches)
        newcomer = await swarm.add(profile=line, transfer=transfer)
        came_at = asyncio.get_running_loop().time()
        async for event in newcomer.torrent.events():
            if isinstance(event, PieceVerified):
                break
        waited = asyncio.get_running_loop().time() - came_at
        await swarm.wait_complete()
        return waited, median(member.finished_at or 0.0 for member in leeches) - came_at


@pytest.mark.parametrize("seed", range(3))
def test_an_optimistic_unchoke_lets_a_newcomer_begin(seed: int):
    transfer = TransferConfig(upload_slots=4, allowed_fast_set=0)
    waited, others = run_virtual(
        lambda rng: a_newcomer_among_busy_leeches(rng, transfer), seed=seed
    )
    # Twenty peers draw once in half a minute, and a newcomer is likely to be drawn.
    assert waited < 30
    assert others > waited  # and they were not idle


@pytest.mark.parametrize("seed", range(3))
def test_allowed_fast_pieces_let_a_newcomer_begin_at_once(seed: int):
    transfer = TransferConfig(upload_slots=4)
    waited, _ = run_virtual(lambda rng: a_newcomer_among_busy_leeches(rng, transfer), seed=seed)
    assert waited < 10
