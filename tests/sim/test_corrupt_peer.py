"""A peer that lies is found out, banned, and stays banned."""

import asyncio

from millstream import TorrentState
from millstream.adapters.memory import LinkProfile
from millstream.events import PeerBanned, PeerConnected
from millstream.testing.swarm import ALL, SimulatedSwarm
from millstream.testing.virtual_time import run_virtual

LINE = LinkProfile(up=1 << 20, latency=0.01)


def flipped(content):
    """The content with one bad byte in every 16 KiB block."""
    bad = bytearray(content)
    for at in range(0, len(bad), 16384):
        bad[at] ^= 0xFF
    return bytes(bad)


def one_block_of_each_piece(content, piece_length):
    bad = bytearray(content)
    for at in range(16384, len(bad), piece_length):
        bad[at] ^= 0xFF
    return bytes(bad)


async def beside_a_good_seed(rng, spoil):
    async with SimulatedSwarm(rng) as swarm:
        good = await swarm.add(have=ALL, profile=LINE)
        liar = await swarm.add(have=ALL, content=spoil(swarm), trusted=True, profile=LINE, knows=[])
        leech = await swarm.add(knows=[])
        events = leech.torrent.events()
        leech.torrent.add_peer(good.address)
        leech.torrent.add_peer(liar.address)
        await swarm.wait_complete(leech)
        leech.torrent.add_peer(liar.address)
        await asyncio.sleep(600)
        assert [peer.address for peer in leech.torrent.peers()] in ([], [good.address])
        await leech.engine.remove(leech.torrent)
        seen = [event async for event in events]
        banned = [event.address for event in seen if isinstance(event, PeerBanned)]
        assert set(banned) == {liar.address}
        connected = [event.address for event in seen if isinstance(event, PeerConnected)]
        assert connected.count(liar.address) == 1


def test_every_block_bad():
    run_virtual(lambda rng: beside_a_good_seed(rng, lambda s: flipped(s.content)), seed=1)


def test_one_bad_block_a_piece():
    def spoil(swarm):
        return one_block_of_each_piece(swarm.content, swarm.geometry.piece_length)

    for seed in range(5):
        run_virtual(lambda rng: beside_a_good_seed(rng, spoil), seed=seed)


def test_a_liar_alone_never_gets_a_byte_onto_the_disk():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            await swarm.add(have=ALL, content=flipped(swarm.content), trusted=True, profile=LINE)
            leech = await swarm.add()
            await asyncio.sleep(60)
            assert leech.torrent.state is TorrentState.DOWNLOADING
            assert leech.torrent.status().pieces_have == 0
            assert not any(swarm.stored(leech))

    run_virtual(story, seed=2)
