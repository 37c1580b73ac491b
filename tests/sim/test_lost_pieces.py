"""Pieces that are lost and fetched again are flushed again before anybody believes in them."""

from __future__ import annotations

import asyncio

import pytest

from millstream import TorrentState
from millstream.adapters.memory import LinkProfile
from millstream.core.piece_set import members
from millstream.testing.swarm import ALL, ROOT, SimulatedSwarm
from millstream.testing.virtual_time import run_virtual

from .test_resume import PIECE, Machine

# What is cut off comes back within a tenth of a second, between two saves.
FAST = LinkProfile(up=50_000_000, latency=0.001)


class Medium:
    """What a power cut would leave of a machine's files, and whether what is stored claims more."""

    def __init__(self, machine):
        self.machine = machine
        self.content = {}
        self.claimed, self.false_claims = [], []
        self._sync, self._apply = machine.files.sync, machine.store.apply
        machine.files.sync, machine.store.apply = self.sync, self.apply

    async def sync(self, root, paths):
        contents = [self.machine.files.read_file(root, path) for path in paths]
        await asyncio.sleep(0.7)  # other pieces come and go meanwhile
        self.content.update(zip(paths, contents, strict=True))
        return await self._sync(root, paths)

    async def apply(self, batch):
        await self._apply(batch)
        content, [path] = self.machine.swarm.content, self.machine.swarm._lengths
        claims = self.machine.state().claims
        if claims is None:
            return
        flushed = list(members(claims.flushed, claims.piece_count))
        for piece in flushed:
            of_piece = slice(piece * PIECE, (piece + 1) * PIECE)
            if self.content[path][of_piece] != content[of_piece]:
                self.false_claims.append(piece)
        self.claimed.append(len(flushed))


async def until(condition):
    while not condition():  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("after", [0.05, 1.0, 2.0, 2.5, 3.0, 3.1, 3.2, 5.0])
def test_what_was_cut_off_is_claimed_when_it_was_flushed_anew(after):
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=FAST)
            machine = Machine(swarm)
            medium = Medium(machine)
            async with machine.boot() as engine:
                torrent = await engine.add(swarm.metainfo, peers=[seed.address])
                await torrent.wait_complete()
                await asyncio.sleep(after)
                [path] = swarm._lengths
                await machine.files.truncate(ROOT, path, 3 * PIECE)
                if path in medium.content:
                    medium.content[path] = medium.content[path][: 3 * PIECE]
                session = engine._members[torrent.info_hash].stage
                session.inventory.look_again([0], lambda: session.machine.need.have)
                await until(lambda: torrent.state is TorrentState.DOWNLOADING)
                await torrent.wait_complete()
                await asyncio.sleep(40)
            assert machine.stored() == swarm.content
            assert medium.false_claims == []
            assert medium.claimed[-1] == swarm.geometry.piece_count

    run_virtual(story, seed=3)
