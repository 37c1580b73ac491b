"""Peers that lie, snub, crawl or vanish: nobody stalls for them."""

from __future__ import annotations

import asyncio
import random

import pytest

from millstream.adapters.memory import LinkProfile
from millstream.protocol import messages
from millstream.testing.swarm import ALL, Member, SimulatedSwarm
from millstream.testing.virtual_time import run_virtual

from .scripted_peer import ScriptedPeer

KIB, MIB = 1 << 10, 1 << 20
LINE = LinkProfile(up=128 * KIB, down=MIB, latency=0.02)
LEECHES, BAD = 12, 3
BLOCK = 16 * KIB


def with_every_block_changed(content: bytes) -> bytes:
    changed = bytearray(content)
    for at in range(0, len(content), BLOCK):
        changed[at] ^= 0xFF
    return bytes(changed)


async def scripted(swarm: SimulatedSwarm, number: int, *, up: int, answers: bool) -> ScriptedPeer:
    """A peer that has everything, never chokes, and answers slowly or not at all."""
    peer = ScriptedPeer(
        swarm.network,
        f"10.9.0.{number + 1}",
        swarm.metainfo.info_hash,
        greeting=messages.HAVE_ALL + messages.UNCHOKE,
        content=swarm.content if answers else None,
        piece_length=swarm.geometry.piece_length,
    )
    peer.host.link.profile = LinkProfile(up=up, latency=0.02)
    return await peer.listen()


async def add_bad_peers(
    swarm: SimulatedSwarm, kind: str
) -> tuple[list[Member], list[ScriptedPeer]]:
    members: list[Member] = []
    peers: list[ScriptedPeer] = []
    for number in range(BAD):
        if kind == "liars":
            content = with_every_block_changed(swarm.content)
            members.append(
                await swarm.add(have=ALL, content=content, trusted=True, profile=LINE, knows=[])
            )
        elif kind == "vanishing":
            members.append(await swarm.add(have=ALL, profile=LINE, knows=[]))
        elif kind == "snubbing":
            peers.append(await scripted(swarm, number, up=128 * KIB, answers=False))
        elif kind == "slow loris":
            peers.append(await scripted(swarm, number, up=300, answers=True))
    return members, peers


async def finishing_times(rng: random.Random, kind: str) -> list[float]:
    """When each of the leeches had everything, with one good seed and some bad peers."""
    async with SimulatedSwarm(rng, length=4 * MIB, resolution=0.005) as swarm:
        good = await swarm.add(have=ALL, profile=LINE, knows=[])
        bad, scripts = await add_bad_peers(swarm, kind)
        known = [good.address, *(member.address for member in bad), *(p.address for p in scripts)]
        leeches: list[Member] = []
        for _ in range(LEECHES):
            member = await swarm.add(profile=LINE, knows=[])
            for address in known:
                member.torrent.add_peer(address)
            known.append(member.address)
            leeches.append(member)
        if kind == "vanishing":
            await asyncio.sleep(8)
            for member in bad:
                member.host.offline = True
        await swarm.wait_complete(*leeches)
        for member in leeches:
            assert swarm.stored(member) == swarm.content
            waste = member.torrent.status().wasted / len(swarm.content)
            assert waste < 0.3, f"{waste:.0%} of the content was fetched in vain"
        if kind == "liars":
            for member in leeches:
                gone = {peer.address for peer in member.torrent.peers()}
                assert not gone & {liar.address for liar in bad}, "a liar is still connected"
        return sorted(member.finished_at or 0.0 for member in leeches)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", ["liars", "snubbing", "slow loris", "vanishing"])
def test_nobody_stalls(kind: str, seed: int):
    alone = run_virtual(lambda rng: finishing_times(rng, "none"), seed=seed)
    beside = run_virtual(lambda rng: finishing_times(rng, kind), seed=seed)
    # Without them it takes close to a minute; what they cost is a fraction of that.
    assert beside[-1] < 1.3 * alone[-1], f"last finished at {beside[-1]:.1f}, not {alone[-1]:.1f} s"
