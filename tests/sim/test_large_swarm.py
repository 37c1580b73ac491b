"""A thousand peers that know nothing but a tracker."""

from __future__ import annotations

import asyncio
import random
import resource
import time

import pytest

from millstream.adapters.memory import LinkProfile
from millstream.core.config import SwarmConfig
from millstream.engine.config import NetworkConfig
from millstream.testing.swarm import ALL, SimulatedSwarm
from millstream.testing.virtual_time import run_virtual

KIB, MIB = 1 << 10, 1 << 20
PEERS, SEEDS = 1000, 3
CONNECTIONS = 10
UP_RATES = (32 * KIB, 64 * KIB, 128 * KIB)


async def thousand_peers(rng: random.Random) -> float:
    """They come within ten seconds; returns when the last had everything, virtual seconds."""
    few = SwarmConfig(max_connections_per_torrent=CONNECTIONS)
    slowly = NetworkConfig(max_connect_rate=4)
    swarm = SimulatedSwarm(
        rng, length=256 * KIB, piece_length=32 * KIB, tracked=True, resolution=0.04
    )
    async with swarm:
        watch = asyncio.create_task(watch_limits(swarm))
        for _ in range(SEEDS):
            line = LinkProfile(up=MIB, down=4 * MIB, latency=0.01)
            await swarm.add(have=ALL, profile=line, swarm=few, network=slowly)
        for _ in range(PEERS):
            await asyncio.sleep(10 / PEERS)
            line = LinkProfile(up=rng.choice(UP_RATES), down=4 * MIB, latency=0.01)
            await swarm.add(profile=line, swarm=few, network=slowly)
        await swarm.wait_complete()
        assert not watch.done(), watch.exception()
        watch.cancel()
        for member in swarm.members[:: PEERS // 20]:
            assert swarm.stored(member) == swarm.content
        return max(member.finished_at or 0.0 for member in swarm.members)


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
    began = time.perf_counter()
    last = run_virtual(thousand_peers, seed=1)
    seconds = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    # Printed, not judged: how fast it is depends on the machine.
    print(f"\n{PEERS} peers: {last:.0f} virtual seconds in {seconds:.0f} s, {memory} MiB")  # noqa: T201
    # Together they give 75 KiB a second each: a copy for everyone takes 4 s at best.
    assert last < 60
