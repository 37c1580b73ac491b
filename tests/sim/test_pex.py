"""Peer exchange (BEP 11) between whole engines: who finds whom, and who must not."""

from __future__ import annotations

import asyncio
import random

from millstream import PeerAddress, TorrentState
from millstream.adapters.memory import LinkProfile, MemoryWeb
from millstream.core.config import SwarmConfig
from millstream.core.swarm import PeerSource
from millstream.engine.config import Encryption, EncryptionConfig
from millstream.events import PeerConnected, PeerDisconnected
from millstream.protocol import messages, ut_pex
from millstream.protocol.extension import OUR_IDS
from millstream.protocol.ut_pex import PexFlag, PexMessage, PexPeer
from millstream.testing.swarm import ALL, Member, SimulatedSwarm
from millstream.testing.tracker import MemoryTracker
from millstream.testing.virtual_time import run_virtual

from .scripted_peer import ScriptedPeer, until

MIB = 1 << 20
HOME = LinkProfile(up=1 * MIB, down=4 * MIB, latency=0.02)
# Slow enough that a download goes on while peers are exchanged.
SLOW = LinkProfile(up=20_000, down=4 * MIB, latency=0.02)
PRIVATE = {b"private": 1}


async def observer(swarm: SimulatedSwarm, number: int = 200, **options: object) -> ScriptedPeer:
    """A scripted peer that has nothing, wants nothing, and notes what it is told."""
    peer = ScriptedPeer(
        swarm.network,
        f"10.9.0.{number}",
        swarm.metainfo.info_hash,
        **{"greeting": messages.HAVE_NONE, **options},  # type: ignore[arg-type]
    )
    return await peer.listen()


def pex_heard(peer: ScriptedPeer) -> list[PexMessage]:
    ours = OUR_IDS["ut_pex"]
    return [ut_pex.parse(payload) for number, payload in peer.extended_heard if number == ours]


def told(peer: ScriptedPeer, *addresses: PeerAddress) -> None:
    """Let the scripted peer tell of these addresses."""
    peers = tuple(PexPeer(address, PexFlag.OUTGOING) for address in addresses)
    peer.send_extended("ut_pex", ut_pex.encode(PexMessage(peers, ())))


def sources(member: Member) -> dict[PeerAddress, str]:
    return {peer.address: peer.source for peer in member.torrent.peers()}


def events_of(stream: object, kind: type, address: PeerAddress) -> list[object]:
    """The events of a kind that tell of an address."""
    pending = stream._pending  # type: ignore[attr-defined]
    return [event for event in pending if isinstance(event, kind) and event.address == address]


# Finding each other.


def test_a_peer_of_a_peer_is_found():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng) as swarm:
            c = await swarm.add(have=ALL, profile=SLOW)
            b = await swarm.add(knows=[c])
            a = await swarm.add(knows=[b])
            await asyncio.sleep(5)
            # B told A of C, C of A, or both; one connection remains of that.
            found = {
                **sources(a),
                **{peer.address: peer.source for peer in c.torrent.peers()},
            }
            assert "pex" in found.values()
            assert len(a.torrent.peers()) == len(b.torrent.peers()) == len(c.torrent.peers()) == 2
            known = a.torrent._membership.swarm.find(c.address)
            assert known is not None
            assert PeerSource.PEX in known.source
            assert PeerSource.USER not in known.source
            await swarm.wait_complete()

    run_virtual(story, seed=1, limit=1000)


def test_what_is_told_of_each_peer():
    """Who was connected to, who came and listens, who is a seed, who can be encrypted."""

    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=SLOW)
            teller = await swarm.add(encryption=EncryptionConfig())
            leech = await swarm.add(
                knows=[teller], encryption=EncryptionConfig(policy=Encryption.REQUIRE)
            )
            secret = await observer(swarm, 201)
            await secret.connect(teller.address)  # from a port that is no use to anyone
            await asyncio.sleep(5)
            listener = await observer(swarm)
            teller.torrent.add_peer(listener.address)
            await asyncio.sleep(5)
            [first, *_] = pex_heard(listener)
            flags = {peer.address: peer.flags for peer in first.added}
            assert flags == {
                seed.address: PexFlag.OUTGOING | PexFlag.SEED,
                leech.address: PexFlag.ENCRYPTION,
            }
            assert first.dropped == ()

    run_virtual(story, seed=2, limit=1000)


def test_who_left_is_taken_back_after_a_minute_and_no_sooner():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=SLOW, swarm=SwarmConfig(pex=False))
            teller = await swarm.add()
            listener = await observer(swarm)
            teller.torrent.add_peer(listener.address)
            await asyncio.sleep(5)
            await seed.engine.remove(seed.torrent)
            await asyncio.sleep(30)
            assert len(pex_heard(listener)) == 1
            await asyncio.sleep(40)
            _, second = pex_heard(listener)
            assert second == PexMessage((), (seed.address,))
            await asyncio.sleep(600)
            assert len(pex_heard(listener)) == 2

    run_virtual(story, seed=3, limit=1000)


def test_a_chain_becomes_a_mesh_with_one_connection_between_any_two():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng) as swarm:
            members: list[Member] = []
            for number in range(8):
                members.append(
                    # Nobody has it all, so that nobody leaves.
                    await swarm.add(
                        have=range(9) if number == 0 else (), profile=HOME, knows=members[-1:]
                    )
                )
            streams = [member.torrent.events() for member in members]
            await asyncio.sleep(300)
            for member in members:
                assert len(member.torrent.peers()) == 7
                assert len(member.engine._links) == 7
                assert len({link.peer_id for link in member.engine._links}) == 7
            # And it stays so: nobody tries again whom it is connected to.
            for stream in streams:
                stream._pending.clear()
            await asyncio.sleep(300)
            met = [e for stream in streams for e in stream._pending if isinstance(e, PeerConnected)]
            assert met == []

    run_virtual(story, seed=4, limit=1000)


def test_who_has_it_switched_off_tells_nobody():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng) as swarm:
            c = await swarm.add(have=range(4))
            b = await swarm.add(knows=[c], swarm=SwarmConfig(pex=False))
            a = await swarm.add(knows=[b])
            await asyncio.sleep(200)
            assert list(sources(a)) == [b.address]
            assert len(c.torrent.peers()) == 1

    run_virtual(story, seed=5, limit=1000)


def test_who_has_it_switched_off_believes_nobody():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng) as swarm:
            member = await swarm.add(have=range(4), swarm=SwarmConfig(pex=False))
            teller = await observer(swarm, 201)
            untold = await observer(swarm, 202)
            member.torrent.add_peer(teller.address)
            await asyncio.sleep(2)
            assert b"ut_pex" not in teller.handshakes[0][b"m"]
            told(teller, untold.address)
            await asyncio.sleep(200)
            assert untold.met == 0
            assert teller.connections

    run_virtual(story, seed=5, limit=1000)


# Bans.


def test_a_banned_peer_is_not_tried_again_for_being_told_of():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng) as swarm:
            victim = await swarm.add(have=range(4))
            banned = await observer(swarm, 201)
            teller = await observer(swarm, 202)
            victim.torrent.add_peer(banned.address)
            victim.torrent.add_peer(teller.address)
            await asyncio.sleep(2)
            victim.torrent._membership.ban(banned.address, "test")
            await asyncio.sleep(2)
            assert banned.connections == []
            met = banned.met
            told(teller, banned.address)
            await asyncio.sleep(300)
            assert banned.met == met

    run_virtual(story, seed=6, limit=1000)


def test_a_banned_peer_that_came_to_us_is_not_tried_where_it_listens():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng) as swarm:
            victim = await swarm.add(have=range(4))
            banned = await swarm.add(have=range(4, 8))
            await until(victim.torrent.peers)
            [peer] = victim.torrent.peers()
            assert peer.address.port != banned.address.port
            teller = await observer(swarm)
            victim.torrent.add_peer(teller.address)
            await asyncio.sleep(2)
            events = victim.torrent.events()
            victim.torrent._membership.ban(peer.address, "test")
            told(teller, banned.address)
            await asyncio.sleep(300)
            assert not events_of(events, PeerConnected, banned.address)
            assert banned.address not in sources(victim)

    run_virtual(story, seed=7, limit=1000)


# Private torrents (BEP 27).


def test_a_private_torrent_neither_offers_nor_tells_nor_believes():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, extra=PRIVATE) as swarm:
            assert swarm.metainfo.private
            await swarm.add(have=ALL, profile=SLOW)
            member = await swarm.add()
            seen = await observer(swarm, 200)
            untold = await observer(swarm, 201)
            member.torrent.add_peer(seen.address)
            await asyncio.sleep(5)
            told(seen, untold.address)
            await asyncio.sleep(200)
            assert untold.met == 0
            assert pex_heard(seen) == []
            assert seen.handshakes
            assert not [said for said in seen.handshakes if b"ut_pex" in said[b"m"]]
            assert seen.connections, "it was dropped for what it said"
            assert member.torrent._membership.swarm.find(untold.address) is None

    run_virtual(story, seed=8, limit=1000)


def test_peers_of_a_private_torrent_do_not_find_each_other():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, extra=PRIVATE) as swarm:
            c = await swarm.add(have=ALL, profile=SLOW)
            b = await swarm.add(knows=[c])
            a = await swarm.add(knows=[b])
            await swarm.wait_complete()
            assert "pex" not in {**sources(a), **sources(b), **sources(c)}.values()
            assert a.torrent._membership.swarm.find(c.address) is None

    run_virtual(story, seed=9, limit=1000)


def test_a_magnet_that_turns_out_private_leaves_whom_only_peers_told_of():
    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, extra=PRIVATE) as swarm:
            web = MemoryWeb()
            tracker = MemoryTracker(web, rng)
            seed = await swarm.add(
                have=ALL, profile=SLOW, knows=[], trackers=[tracker.url], web=web
            )
            teller = await observer(swarm, 200)
            told_only = await observer(swarm, 201)
            never_there = PeerAddress("10.9.0.202", 6881)
            leech = await swarm.add(magnet=True, knows=[])
            leech.torrent.add_peer(teller.address)
            await asyncio.sleep(5)
            told(teller, told_only.address, never_there)
            await asyncio.sleep(5)
            assert sources(leech) == {teller.address: "user", told_only.address: "pex"}
            assert pex_heard(teller), "before it is known, it is as public as any"
            heard = len(pex_heard(teller))
            events = leech.torrent.events()
            leech.torrent._membership.add_peers([seed.address], PeerSource.TRACKER)
            await leech.torrent.wait_metadata()
            await asyncio.sleep(1)
            assert sources(leech) == {teller.address: "user", seed.address: "tracker"}
            [lost] = [e for e in events._pending if isinstance(e, PeerDisconnected)]
            assert lost.address == told_only.address
            assert "private" in lost.reason
            # What was offered is taken back.
            assert teller.handshakes[0][b"m"][b"ut_pex"] == OUR_IDS["ut_pex"]
            assert teller.handshakes[-1][b"m"][b"ut_pex"] == 0
            met = told_only.met
            told(teller, told_only.address)
            await asyncio.sleep(200)
            assert told_only.met == met
            assert len(pex_heard(teller)) == heard
            known = leech.torrent._membership.swarm
            assert known.find(told_only.address) is None
            assert known.find(never_there) is None
            assert leech.torrent.state is TorrentState.SEEDING

    run_virtual(story, seed=10, limit=1000)


def test_a_connection_under_way_when_the_torrent_turns_out_private_is_not_used():
    """It was begun for what a peer told, and is there when nobody may be believed any more."""

    async def story(rng: random.Random) -> None:
        async with SimulatedSwarm(rng, extra=PRIVATE) as swarm:
            seed = await swarm.add(have=ALL)
            teller = await observer(swarm, 200)
            far = await observer(swarm, 201)
            far.host.link.profile = LinkProfile(latency=3)
            leech = await swarm.add(magnet=True, knows=[])
            leech.torrent.add_peer(teller.address)
            await asyncio.sleep(5)
            told(teller, far.address)
            await asyncio.sleep(1)
            events = leech.torrent.events()
            leech.torrent.add_peer(seed.address)
            await swarm.wait_complete(leech)
            await asyncio.sleep(60)
            assert not events_of(events, PeerConnected, far.address)

    run_virtual(story, seed=11, limit=1000)
