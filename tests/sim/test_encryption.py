"""Engines of every policy meet: who talks to whom, and how."""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest

from millstream.adapters.memory import LinkProfile
from millstream.engine.config import Encryption, EncryptionConfig, PayloadEncryption
from millstream.testing.swarm import ALL, Member, SimulatedSwarm
from millstream.testing.virtual_time import run_virtual

PREFER, REQUIRE, DISABLE = Encryption
FAR = LinkProfile(up=4e6, down=4e6, latency=0.03, loss=0.001)
LENGTH = 5 * 65536 + 777


def links(member: Member) -> list:
    return list(member.engine._links)


@pytest.mark.parametrize(("accepts", "connects"), list(itertools.product(Encryption, repeat=2)))
def test_every_pair_of_policies(accepts: Encryption, connects: Encryption) -> None:
    reachable = {accepts, connects} != {REQUIRE, DISABLE}
    encrypted = DISABLE not in {accepts, connects}

    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, length=LENGTH) as swarm:
            seed = await swarm.add(
                have=ALL, profile=FAR, encryption=EncryptionConfig(policy=accepts)
            )
            leech = await swarm.add(profile=FAR, encryption=EncryptionConfig(policy=connects))
            if reachable:
                await swarm.wait_complete(leech)
                opened = [link for member in (seed, leech) for link in links(member) if link.peer]
                assert [link.is_encrypted for link in opened] == [encrypted, encrypted]
                with_rc4 = [link._receiver is not None for link in opened]
                assert with_rc4 == [encrypted and REQUIRE in {accepts, connects}] * 2
            else:
                await asyncio.sleep(600)
                assert leech.torrent.status().pieces_have == 0
                assert not [link for link in links(seed) + links(leech) if link.peer]

    run_virtual(story, seed=4)


LEVELS = {
    (PayloadEncryption.RC4, PayloadEncryption.RC4): True,
    (PayloadEncryption.RC4, PayloadEncryption.BOTH): True,
    (PayloadEncryption.BOTH, PayloadEncryption.RC4): True,
    (PayloadEncryption.PLAINTEXT, PayloadEncryption.BOTH): False,
    (PayloadEncryption.BOTH, PayloadEncryption.PLAINTEXT): False,
    (PayloadEncryption.BOTH, PayloadEncryption.BOTH): False,
    (PayloadEncryption.RC4, PayloadEncryption.PLAINTEXT): None,
    (PayloadEncryption.PLAINTEXT, PayloadEncryption.RC4): None,
}


@pytest.mark.parametrize(("levels", "rc4"), list(LEVELS.items()))
def test_payload_levels_where_encryption_is_required(
    levels: tuple[PayloadEncryption, PayloadEncryption], rc4: bool | None
) -> None:
    accepts, connects = (EncryptionConfig(policy=REQUIRE, payload=level) for level in levels)

    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, length=LENGTH) as swarm:
            seed = await swarm.add(have=ALL, encryption=accepts)
            leech = await swarm.add(encryption=connects)
            if rc4 is None:
                await asyncio.sleep(60)
                assert leech.torrent.status().pieces_have == 0
            else:
                await swarm.wait_complete(leech)
                opened = [link for member in (seed, leech) for link in links(member) if link.peer]
                assert [link._receiver is not None for link in opened] == [rc4, rc4]

    run_virtual(story, seed=5)


def test_who_prefers_rc4_gets_it_from_those_who_allow_it():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, length=LENGTH) as swarm:
            seed = await swarm.add(have=ALL, encryption=EncryptionConfig(prefer_rc4=True))
            leech = await swarm.add(encryption=EncryptionConfig())
            await swarm.wait_complete(leech)
            assert [link._sender is not None for link in links(seed)] == [True]

    run_virtual(story, seed=6)


def test_a_mixed_swarm():
    """Everyone finishes who can reach someone that can reach the seed."""

    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, length=LENGTH) as swarm:
            await swarm.add(have=ALL, profile=FAR, encryption=EncryptionConfig(policy=REQUIRE))
            for policy in (PREFER, DISABLE, REQUIRE, DISABLE, PREFER, REQUIRE):
                await swarm.add(profile=FAR, encryption=EncryptionConfig(policy=policy))
            await swarm.wait_complete()

    run_virtual(story, seed=7)
