"""Swarms of whole engines in virtual time."""

import asyncio

from millstream import TorrentState
from millstream.adapters.memory import LinkProfile
from millstream.events import PieceVerified
from millstream.testing.swarm import ALL, SimulatedSwarm
from millstream.testing.virtual_time import run_virtual

MIB = 1 << 20
HOME = LinkProfile(up=1 * MIB, down=4 * MIB, latency=0.02, loss=0.001)


async def thirty_peers(rng):
    async with SimulatedSwarm(rng) as swarm:
        await swarm.add(have=ALL, profile=HOME)
        leeches = [await swarm.add(profile=HOME) for _ in range(30)]
        await swarm.wait_complete(*leeches)
        return [member.finished_at for member in leeches]


def test_thirty_peers_finish_and_the_same_seed_gives_the_same_run():
    first = run_virtual(thirty_peers, seed=7)
    assert run_virtual(thirty_peers, seed=7) == first
    assert run_virtual(thirty_peers, seed=8) != first


def test_leeches_serve_each_other():
    """The seed alone would take 20 x 2 MiB / 256 KiB/s = 160 s."""

    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=LinkProfile(up=MIB / 4, latency=0.01))
            leeches = [await swarm.add(profile=HOME) for _ in range(20)]
            await swarm.wait_complete(*leeches)
            return seed.torrent.status().uploaded / len(swarm.content)

    assert run_virtual(story, seed=1) < 10


def test_the_last_copy_is_put_together_from_halves():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            count = swarm.geometry.piece_count
            await swarm.add(have=range(count // 2), profile=HOME)
            await swarm.add(have=range(count // 2, count), profile=HOME)
            await swarm.add(profile=HOME)
            await swarm.wait_complete()

    run_virtual(story, seed=2)


def test_a_short_last_piece_and_a_short_last_block():
    async def story(rng):
        async with SimulatedSwarm(rng, length=5 * 65536 + 16384 + 77) as swarm:
            await swarm.add(have=ALL)
            leech = await swarm.add()
            await swarm.wait_complete(leech)

    run_virtual(story, seed=3)


def test_a_seed_that_goes_away_half_way_and_comes_back_is_found_again():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=LinkProfile(up=MIB / 2, latency=0.01))
            leech = await swarm.add()
            verified = 0
            async for event in leech.torrent.events():
                verified += isinstance(event, PieceVerified)
                if verified == swarm.geometry.piece_count // 2:
                    break
            await seed.torrent.stop()
            await asyncio.sleep(20)
            assert leech.torrent.state is TorrentState.DOWNLOADING
            assert leech.torrent.peers() == []
            await seed.torrent.start()
            await swarm.wait_complete(leech)

    run_virtual(story, seed=4)


def test_a_peer_that_falls_silent_with_requests_open_stalls_nobody():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            silent = await swarm.add(have=ALL, profile=LinkProfile(up=MIB, latency=0.01))
            await swarm.add(have=ALL, profile=LinkProfile(up=MIB / 4, latency=0.01))
            leech = await swarm.add()
            await asyncio.sleep(1)
            assert len(leech.torrent.peers()) == 2
            silent.host.offline = True
            await swarm.wait_complete(leech)
            return leech.finished_at

    assert run_virtual(story, seed=5) < 60


def test_a_slow_disk_holds_the_network_back_and_memory_stays_bounded():
    async def story(rng):
        async with SimulatedSwarm(rng, length=8 * MIB) as swarm:
            await swarm.add(have=ALL)
            leech = await swarm.add(disk_rate=MIB, disk_latency=0.01)
            pool = leech.engine._shared.pool
            highest = 0
            while leech.torrent.state is not TorrentState.SEEDING:
                highest = max(highest, pool.reserved_bytes)
                await asyncio.sleep(0.05)
            await swarm.wait_complete(leech)
            assert highest <= leech.engine.config.transfer.max_buffered_bytes
            assert pool.reserved_bytes == 0

    run_virtual(story, seed=6)


def test_sequential_mode_fetches_in_order():
    async def story(rng):
        async with SimulatedSwarm(rng) as swarm:
            seed = await swarm.add(have=ALL, profile=LinkProfile(up=MIB, latency=0.01))
            leech = await swarm.add(knows=[], sequential=True)
            events = leech.torrent.events()
            leech.torrent.add_peer(seed.address)
            await swarm.wait_complete(leech)
            await leech.engine.remove(leech.torrent)
            return [event.piece async for event in events if isinstance(event, PieceVerified)]

    order = run_virtual(story, seed=9)
    assert order == sorted(order)


def test_more_peers_than_slots_take_turns():
    from millstream import TransferConfig

    async def story(rng):
        async with SimulatedSwarm(rng, length=MIB) as swarm:
            seed = await swarm.add(
                have=ALL,
                profile=LinkProfile(up=MIB / 8, latency=0.01),
                transfer=TransferConfig(upload_slots=1),
            )
            selfish = TransferConfig(upload_slots=0)
            leeches = [await swarm.add(knows=[seed], transfer=selfish) for _ in range(4)]
            await swarm.wait_complete(*leeches)

    run_virtual(story, seed=10)
