"""How the members of a swarm find each other, within their limits at every moment."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from millstream.adapters.memory import LinkProfile
from millstream.core.config import SwarmConfig
from millstream.engine.config import NetworkConfig
from millstream.events import PeerBanned, PeerConnected
from millstream.testing.swarm import ALL, Member, SimulatedSwarm
from millstream.testing.virtual_time import run_virtual

KIB, MIB = 1 << 10, 1 << 20
LINE = LinkProfile(up=64 * KIB, down=1 * MIB, latency=0.02)
PEERS = 40
LIMITS = NetworkConfig(max_connections=10, max_half_open=3, max_connect_rate=4)
PER_TORRENT = 8


def at_every_moment(check: Callable[[], None]) -> None:
    """Call after every iteration of the loop."""
    loop: Any = asyncio.get_running_loop()
    run_once = loop._run_once

    def checked() -> None:
        run_once()
        check()

    loop._run_once = checked


class Limited:
    """Members that must not have too many connections, and what was the most there ever were."""

    def __init__(self, swarm: SimulatedSwarm) -> None:
        self.swarm = swarm
        self.most = self.most_half_open = 0
        at_every_moment(self.check)

    def check(self) -> None:
        for member in self.swarm.members:
            links = member.engine._links
            half_open = len(links.connector._attempts)
            connections = links.connector.connection_count(member.torrent._membership)
            assert half_open <= LIMITS.max_half_open
            assert len(links) + half_open <= LIMITS.max_connections
            assert connections <= PER_TORRENT
            self.most = max(self.most, connections)
            self.most_half_open = max(self.most_half_open, half_open)


async def crowd(swarm: SimulatedSwarm, know: Callable[[], list[Member] | None], pex: bool) -> None:
    settings = SwarmConfig(max_connections_per_torrent=PER_TORRENT, pex=pex)
    for number in range(PEERS):
        await swarm.add(
            have=ALL if number == 0 else (),
            profile=LINE,
            knows=know(),
            network=LIMITS,
            swarm=settings,
            want=20,
        )
        await asyncio.sleep(0.5)


@pytest.mark.parametrize("seed", range(3))
def test_forty_peers_who_know_a_tracker_only(seed: int):
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, tracked=True, resolution=0.005) as swarm:
            limited = Limited(swarm)
            await crowd(swarm, lambda: None, pex=False)
            await swarm.wait_complete()
            assert (limited.most, limited.most_half_open) == (PER_TORRENT, LIMITS.max_half_open)
            seed = swarm.members[0].torrent.status()
            assert seed.uploaded < 10 * len(swarm.content)  # they served each other

    run_virtual(story, seed=seed)


@pytest.mark.parametrize("seed", range(3))
def test_forty_peers_who_know_the_first_only(seed: int):
    """The first has room for eight; of it and of each other they hear by PEX alone."""

    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, resolution=0.005) as swarm:
            limited = Limited(swarm)
            await crowd(swarm, lambda: swarm.members[:1], pex=True)
            await swarm.wait_complete()
            assert limited.most == PER_TORRENT

    run_virtual(story, seed=seed)


@pytest.mark.parametrize("seed", range(3))
def test_who_lied_stays_banned_though_everyone_names_it(seed: int):
    """It alone claims to have the last piece, comes to everyone, and is named by tracker and PEX."""

    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, tracked=True, resolution=0.005) as swarm:
            last = swarm.geometry.piece_count - 1
            lies = bytes(byte ^ 0xFF for byte in swarm.content)
            liar = await swarm.add(have=ALL, content=lies, trusted=True, profile=LINE)
            await swarm.add(have=range(last), profile=LINE)
            leeches = [await swarm.add(profile=LINE) for _ in range(8)]
            events = [member.torrent.events() for member in leeches]
            for _ in range(20):
                await asyncio.sleep(60)
                for member in swarm.members:
                    member.torrent.reannounce()
            for member, stream in zip(leeches, events, strict=True):
                assert liar.address not in [peer.address for peer in member.torrent.peers()]
                assert member.torrent.status().pieces_have == last
                await member.engine.remove(member.torrent)
                seen = [event async for event in stream]
                bans = [at for at, event in enumerate(seen) if isinstance(event, PeerBanned)]
                assert [seen[at].address.host for at in bans] == [liar.address.host]
                assert not [
                    event
                    for event in seen[bans[0] :]
                    if isinstance(event, PeerConnected) and event.address.host == liar.address.host
                ]
            assert not liar.torrent.peers()

    run_virtual(story, seed=seed)
