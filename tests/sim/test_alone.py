"""A torrent that has been alone meets somebody: what only others need is made when they come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from millstream.adapters.memory import LinkProfile
from millstream.core.config import SwarmConfig
from millstream.core.limits_config import LimitsConfig
from millstream.core.peer import Peer
from millstream.core.swarm import PeerSource
from millstream.engine import events
from millstream.engine.membership import Membership
from millstream.engine.torrent import Torrent
from millstream.errors import ConfigError
from millstream.protocol.compact import PeerAddress
from millstream.rpc.torrent_view import torrent_view
from millstream.testing import run_virtual
from millstream.testing.swarm import ALL, Member, SimulatedSwarm

HOUR = 3600.0
MADE_LATE = ("_admission", "_extensions", "_hub", "_limits", "_swarm", "_transfer")
PRIVATE = {b"private": 1}
STRANGER = PeerAddress("203.0.113.9", 6881)


def membership(member: Member) -> Membership:
    return member.torrent._membership


def made(member: Member) -> Iterator[str]:
    """What it has made of what is made late."""
    return (name for name in MADE_LATE if getattr(membership(member), name) is not None)


async def alone(swarm: SimulatedSwarm, seconds: float = HOUR) -> Member:
    """A seed to which nobody comes for a while."""
    seed = await swarm.add(have=ALL)
    await swarm.wait_complete(seed)
    membership(seed)._hub = None  # who listened to its check listens no more
    await asyncio.sleep(seconds)
    return seed


def look_at(torrent: Torrent) -> None:
    """See all that can be seen of it."""
    torrent_view(torrent)
    torrent.why_idle()
    torrent.piece_states()
    torrent.availability()
    torrent.peers()
    torrent.web_seeds()
    torrent.file_priorities()
    str(torrent.magnet)
    assert not torrent.super_seeding
    assert not torrent.sequential


def test_a_torrent_that_is_alone_has_nothing_for_others():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await alone(swarm)
            look_at(seed.torrent)
            assert seed.torrent.limits == (None, None)
            assert seed.torrent.trackers() == []
            seed.torrent.reannounce()
            await seed.torrent.stop()
            await seed.torrent.start()
            assert not list(made(seed))
            leech = await swarm.add()
            await swarm.wait_complete(leech)
            assert set(made(seed)) == {*MADE_LATE} - {"_hub"}

    run_virtual(story)


@pytest.mark.parametrize("extra", [{}, PRIVATE], ids=["public", "private"])
def test_who_comes_late_gets_the_metadata(extra):
    async def story(rng):
        async with SimulatedSwarm(rng, extra=extra) as swarm:
            await alone(swarm)
            leech = await swarm.add(magnet=True)
            await swarm.wait_complete(leech)

    run_virtual(story)


def test_of_a_private_torrent_who_comes_late_hears_no_peers():
    async def story(rng):
        async with SimulatedSwarm(rng, extra=PRIVATE) as swarm:
            seed = await alone(swarm)
            leech = await swarm.add()
            await leech.torrent.wait_complete()
            exchange = membership(seed).extensions.exchange
            assert exchange.pex is None
            assert "ut_pex" not in exchange.our_messages()

    run_virtual(story)


@pytest.mark.parametrize(
    "limit",
    [
        lambda seed: seed.engine.set_limits(download=None, upload=20_000),
        lambda seed: seed.torrent.set_limits(download=None, upload=20_000),
    ],
    ids=["engine", "torrent"],
)
def test_a_limit_set_while_it_is_alone_holds(limit: Callable[[Member], None]):
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await alone(swarm, 10)
            limit(seed)
            assert seed.torrent.limits == (
                (None, 20_000) if seed.engine.limits == (None, None) else (None, None)
            )
            leech = await swarm.add()
            await asyncio.sleep(20)
            before = leech.torrent.status().downloaded
            await asyncio.sleep(20)
            assert leech.torrent.status().downloaded - before == pytest.approx(400_000, rel=0.1)

    run_virtual(story)


def test_a_limit_is_lifted_before_anybody_comes():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await alone(swarm, 10)
            seed.engine.set_limits(download=None, upload=2000)
            seed.engine.set_limits(download=None, upload=None)
            leech = await swarm.add()
            async with asyncio.timeout(60):
                await swarm.wait_complete(leech)

    run_virtual(story)


def test_each_torrent_begins_with_its_own_limits():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await alone(swarm, 10)
            before = seed.torrent
            seed.engine._limits.configure(LimitsConfig(torrent_download=5000, torrent_upload=7000))
            other = SimulatedSwarm(rng)
            after = await seed.engine.add(other.metainfo)
            # Who was there before keeps what it had, though that is made now.
            await swarm.add()
            await asyncio.sleep(10)
            assert (before.limits, after.limits) == ((None, None), (5000, 7000))

    run_virtual(story)


def test_who_was_banned_before_it_came_stays_out():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await alone(swarm)
            told = seed.torrent.events()
            banned = PeerAddress("10.0.0.1", 6881)
            membership(seed).ban(banned, "test")
            leech = await swarm.add()
            assert leech.address == banned
            await asyncio.sleep(100)
            assert not seed.torrent.peers()
            assert not leech.torrent.peers()
            assert await anext(told) == events.PeerBanned(banned, "test")

    run_virtual(story)


def test_peers_are_learnt_late():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            leech = await swarm.add()
            await asyncio.sleep(HOUR)
            assert membership(leech).known_peers == 0
            assert not list(membership(leech).swarm)
            seed = await swarm.add(have=ALL, knows=())
            membership(leech).add_peers([seed.address], PeerSource.PEX)
            assert membership(leech).known_peers == 1
            await swarm.wait_complete(leech)

    run_virtual(story)


def test_a_tracker_tells_our_address_before_there_are_peers():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await alone(swarm)
            membership(seed).external_ip_told("198.51.100.7")
            ours = PeerAddress("198.51.100.7", seed.engine.listen_port)
            membership(seed).add_peers([ours, STRANGER], PeerSource.TRACKER)
            assert [peer.address for peer in membership(seed).swarm] == [STRANGER]

    run_virtual(story)


def test_whoever_listens_hears_what_happens_from_then_on():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await alone(swarm)
            heard: list[events.Event] = []
            listener = heard.append
            seed.torrent.listen(listener)
            leech = await swarm.add()
            await swarm.wait_complete(leech)
            await asyncio.sleep(1)
            seed.torrent.unlisten(listener)
            await seed.torrent.stop()
            assert [type(event) for event in heard] == [
                events.PeerConnected,
                events.PeerDisconnected,
            ]

    run_virtual(story)


def test_who_listens_to_a_torrent_that_left_hears_of_its_end():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await alone(swarm)
            await seed.engine.remove(seed.torrent)
            assert [event async for event in seed.torrent.events()] == []

    run_virtual(story)


def test_nothing_limits_a_torrent_that_left():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await alone(swarm, 10)
            leech = await swarm.add()
            await swarm.wait_complete(leech)
            assert len(seed.engine._limits._torrents) == 1
            await seed.engine.remove(seed.torrent)
            assert not seed.engine._limits._torrents

    run_virtual(story)


def test_a_torrent_that_left_alone_is_not_kept_for_its_limits():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await alone(swarm, 10)
            await seed.engine.remove(seed.torrent)
            seed.torrent.set_limits(download=None, upload=5000)
            assert not seed.engine._limits._torrents

    run_virtual(story)


def test_of_a_torrent_that_is_refused_nothing_stays():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await alone(swarm, 10)
            seed.engine._limits.configure(LimitsConfig(torrent_upload=7000))
            other = SimulatedSwarm(rng).metainfo
            with pytest.raises(ConfigError, match="9"):
                await seed.engine.add(other, select=[9])
            assert not seed.engine._limits._torrents
            assert seed.engine.roots.root_of(other.info_hash) is None

    run_virtual(story)


def test_peers_hear_that_nothing_more_is_wanted():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            await swarm.add(have=ALL, profile=LinkProfile(up=100_000))
            slow = await swarm.add(profile=LinkProfile(down=10_000))
            quick = await swarm.add()
            await quick.torrent.wait_complete()
            await asyncio.sleep(60)
            assert slow.torrent.status().progress < 1
            [link] = [
                each
                for each in membership(slow).links.values()
                if each.address.host == quick.address.host
            ]
            assert isinstance(link.peer, Peer)
            assert link.peer.upload_only

    run_virtual(story)


def test_a_full_torrent_meets_all_it_knows_in_time():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            others = [await swarm.add(knows=()) for _ in range(10)]
            few = SwarmConfig(max_connections_per_torrent=6, turnover_interval=60, pex=False)
            full = await swarm.add(knows=(), swarm=few)
            told = [other.address for other in others]
            membership(full).add_peers(told, PeerSource.TRACKER)
            met: set[str] = set()
            full.torrent.listen(
                lambda event: (
                    met.add(event.address.host) if isinstance(event, events.PeerConnected) else None
                )
            )
            await asyncio.sleep(HOUR)
            assert met == {each.host for each in told}

    run_virtual(story)
