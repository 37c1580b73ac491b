"""Peers that hold others up, in each way that there is: nobody waits for them."""

from __future__ import annotations

import asyncio
import random
from functools import cache
from typing import TypeAlias

import pytest

from millstream.adapters.memory import LinkProfile
from millstream.events import PeerBanned
from millstream.protocol import messages
from millstream.protocol.compact import PeerAddress
from millstream.testing.swarm import ALL, Member, SimulatedSwarm
from millstream.testing.virtual_time import run_virtual

from .scripted_peer import ScriptedPeer

KIB, MIB = 1 << 10, 1 << 20
LINE = LinkProfile(up=128 * KIB, down=1 * MIB, latency=0.02)
LEECHES = 12
OF_A_KIND = 3
BLOCK_LENGTH = 16 * KIB

Bad: TypeAlias = Member | ScriptedPeer


def flipped(content: bytes) -> bytes:
    """The content with one bad byte in every block."""
    bad = bytearray(content)
    for at in range(0, len(bad), BLOCK_LENGTH):
        bad[at] ^= 0xFF
    return bytes(bad)


async def liar(swarm: SimulatedSwarm, number: int) -> Bad:
    """Every block that it sends is corrupt."""
    lies = flipped(swarm.content)
    return await swarm.add(have=ALL, content=lies, trusted=True, profile=LINE, knows=[])


async def scripted(swarm: SimulatedSwarm, number: int, *, serves: bool) -> ScriptedPeer:
    peer = ScriptedPeer(
        swarm.network,
        f"10.9.0.{number}",
        swarm.metainfo.info_hash,
        greeting=messages.HAVE_ALL + messages.UNCHOKE,
        content=swarm.content if serves else None,
        piece_length=swarm.geometry.piece_length,
    )
    return await peer.listen()


async def snubbing(swarm: SimulatedSwarm, number: int) -> Bad:
    """Has everything, chokes nobody, and answers nothing."""
    return await scripted(swarm, number, serves=False)


async def slow_loris(swarm: SimulatedSwarm, number: int) -> Bad:
    """Answers everything, byte by byte: a block takes almost a minute."""
    peer = await scripted(swarm, number, serves=True)
    peer.host.link.profile = LinkProfile(up=300, latency=0.02)
    return peer


async def vanishing(swarm: SimulatedSwarm, number: int) -> Bad:
    """A good seed, and in the midst of it nothing comes any more, no end of the connection either."""
    member = await swarm.add(have=ALL, profile=LINE, knows=[])

    def vanish() -> None:
        assert member.torrent.peers()
        assert member.torrent.status().upload_rate
        member.host.offline = True

    asyncio.get_running_loop().call_later(8 + number, vanish)
    return member


KINDS = [liar, snubbing, slow_loris, vanishing]


async def finishing_times(rng: random.Random, kinds: list[str]) -> list[float]:
    """When the good leeches, who know everyone, had everything."""
    async with SimulatedSwarm(rng, length=4 * MIB, resolution=0.005) as swarm:
        known: list[PeerAddress] = []
        seed = await swarm.add(have=ALL, profile=LINE, knows=[])
        bad: list[Bad] = []
        liars: set[PeerAddress] = set()
        for make in KINDS:
            for _ in range(OF_A_KIND if make.__name__ in kinds else 0):
                bad.append(await make(swarm, len(bad) + 1))
                if make is liar:
                    liars.add(bad[-1].address)
        known = [seed.address, *(peer.address for peer in bad)]
        leeches = []
        for _ in range(LEECHES):
            leech = await swarm.add(profile=LINE, knows=[])
            leech_events = leech.torrent.events()
            for address in known:
                leech.torrent.add_peer(address)
            known.append(leech.address)
            leeches.append((leech, leech_events))
        await swarm.wait_complete(*(leech for leech, _ in leeches))
        for leech, events in leeches:
            await leech.engine.remove(leech.torrent)
            banned = {event.address async for event in events if isinstance(event, PeerBanned)}
            assert banned <= liars  # and nobody suffers for another's blocks
            assert len(banned) == len(liars)
        return sorted(leech.finished_at or 0.0 for leech, _ in leeches)


@cache
def last_without(seed: int) -> float:
    """When the last is finished in good company."""
    return run_virtual(lambda rng: finishing_times(rng, []), seed=seed)[-1]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", [make.__name__ for make in KINDS])
def test_nobody_is_held_up_by_some(kind: str, seed: int):
    times = run_virtual(lambda rng: finishing_times(rng, [kind]), seed=seed)
    assert times[-1] < 1.3 * last_without(seed)


@pytest.mark.parametrize("seed", range(3))
def test_nobody_is_held_up_by_all_of_them_at_once(seed: int):
    """A dozen of them and a dozen good peers."""
    every = [make.__name__ for make in KINDS]
    times = run_virtual(lambda rng: finishing_times(rng, every), seed=seed)
    assert times[-1] < 1.5 * last_without(seed)
