"""A thousand peers that know nothing but a tracker: what each costs must stay little in a crowd.

The test prints what it took (`pytest -s` shows it) and judges no time but the swarm's own.
"""

from __future__ import annotations

import asyncio
import random
import resource
import time
from statistics import median

import pytest

from millstream.adapters.memory import LinkProfile
from millstream.core.config import SwarmConfig
from millstream.engine.config import NetworkConfig
from millstream.testing.swarm import ALL, SimulatedSwarm
from millstream.testing.virtual_time import run_virtual

KIB, MIB = 1 << 10, 1 << 20
PEERS, SEEDS = 1000, 3
CONNECTIONS = 12
UP_RATES = (32 * KIB, 64 * KIB, 128 * KIB)


async def thousand_peers(rng: random.Random) -> tuple[list[float], float]:
    """They come within ten seconds.

    Returns:
        When each had everything, in virtual seconds, and how many copies the seeds sent.
    """
    few = SwarmConfig(max_connections_per_torrent=CONNECTIONS)
    slowly = NetworkConfig(max_connect_rate=1)
    swarm = SimulatedSwarm(
        rng, length=256 * KIB, piece_length=32 * KIB, tracked=True, resolution=0.04
    )
    async with swarm:
        watch = asyncio.create_task(watch_limits(swarm))
        for _ in range(SEEDS):
            line = LinkProfile(up=MIB, down=4 * MIB, latency=0.01)
            await swarm.add(have=ALL, profile=line, swarm=few, network=slowly, want=30)
        for _ in range(PEERS):
            await asyncio.sleep(10 / PEERS)
            line = LinkProfile(up=rng.choice(UP_RATES), down=4 * MIB, latency=0.01)
            await swarm.add(profile=line, swarm=few, network=slowly, want=30)
        await swarm.wait_complete()
        assert not watch.done(), watch.exception()
        watch.cancel()
        sent = sum(seed.torrent.status().uploaded for seed in swarm.members[:SEEDS])
        times = [member.finished_at or 0.0 for member in swarm.members[SEEDS:]]
        return times, sent / len(swarm.content)


async def watch_limits(swarm: SimulatedSwarm) -> None:
    """Nobody ever has more connections than it may."""
    while True:
        for member in swarm.members:
            assert len(member.torrent._membership.links) <= CONNECTIONS
        await asyncio.sleep(1)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("uncollected")
def test_a_thousand_peers_finish():
    began = time.process_time()
    times, copies = run_virtual(thousand_peers, seed=1)
    seconds = time.process_time() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    # Printed, not judged: how fast it is depends on the machine.
    print(  # noqa: T201
        f"\n{PEERS} peers: the median took {median(times):.0f} and the last {max(times):.0f} "
        f"virtual seconds, the seeds sent {copies:.0f} copies; {seconds:.0f} s of processor time, "
        f"{memory} MiB"
    )
    # Together they give 75 KiB a second each: a copy for everyone takes 5 s at best.
    assert max(times) < 60
    assert max(times) < 3 * median(times)  # nobody was forgotten
    assert copies < PEERS / 5  # they had most of it from each other
