"""A disk that took all it can pauses the peers' sockets, and lets them go on."""

import asyncio

from millstream import DiskConfig, EngineConfig, NetworkConfig, TorrentState, TransferConfig
from millstream.adapters.memory import LinkProfile, MemoryFileSystem
from millstream.presets.memory import create_memory_engine
from millstream.testing.swarm import ALL, PORT, ROOT, SimulatedSwarm
from millstream.testing.virtual_time import run_virtual

MIB = 1 << 20


class CountingHost:
    """A host whose connections count how often they are paused and resumed."""

    def __init__(self, host):
        self.host = host
        self.pauses = self.resumes = 0

    async def listen(self, address, accept):
        return await self.host.listen(address, accept)

    async def connect(self, address, make_handler):
        def watched(connection):
            pause, resume = connection.pause_reading, connection.resume_reading

            class Watched:
                def __getattr__(_, name):  # noqa: N805 - the outer self is needed
                    return getattr(connection, name)

                def pause_reading(_):  # noqa: N805
                    self.pauses += 1
                    pause()

                def resume_reading(_):  # noqa: N805
                    self.resumes += 1
                    resume()

            return make_handler(Watched())

        return await self.host.connect(address, watched)


def test_a_full_disk_queue_pauses_the_sockets_and_the_download_completes():
    async def story(rng):
        async with SimulatedSwarm(rng, length=12 * MIB, piece_length=MIB // 4) as swarm:
            seed = await swarm.add(have=ALL, profile=LinkProfile(latency=0.001))
            files = MemoryFileSystem()
            host = CountingHost(swarm.network.host("10.9.9.9"))
            config = EngineConfig(
                network=NetworkConfig(listen_hosts=("10.9.9.9",), listen_port=PORT),
                transfer=TransferConfig(max_unwritten_bytes=64 * MIB),
                disk=DiskConfig(max_queued_bytes=MIB),
                seed=1,
            )
            engine = create_memory_engine(
                config, network=host, files=files, save_path=ROOT, disk_rate=4 * MIB
            )
            async with engine:
                torrent = await engine.add(swarm.metainfo, peers=[seed.address])
                await torrent.wait_complete()
            assert files.read_file(ROOT, swarm.name) == swarm.content
            assert host.pauses > 0
            assert host.resumes > 0

    run_virtual(story, seed=1)


def test_a_download_without_a_peer_says_that_the_disk_is_full():
    async def story(rng):
        async with SimulatedSwarm(rng, length=12 * MIB, piece_length=MIB // 4) as swarm:
            seed = await swarm.add(have=ALL, profile=LinkProfile(latency=0.001))
            host = swarm.network.host("10.9.9.9")
            config = EngineConfig(
                network=NetworkConfig(listen_hosts=("10.9.9.9",), listen_port=PORT),
                transfer=TransferConfig(max_unwritten_bytes=64 * MIB),
                disk=DiskConfig(max_queued_bytes=MIB),
                seed=1,
            )
            async with (
                SimulatedSwarm(rng, length=MIB) as other,
                create_memory_engine(
                    config, network=host, save_path=ROOT, disk_rate=4 * MIB
                ) as engine,
            ):
                alone = await engine.add(other.metainfo, save_path="other")
                torrent = await engine.add(swarm.metainfo, peers=[seed.address])
                reasons = set()
                while torrent.state is not TorrentState.SEEDING:
                    reasons.add(alone.why_idle())
                    await asyncio.sleep(0.01)
            assert any("the disk has taken all it can" in reason for reason in reasons), reasons

    run_virtual(story, seed=2)
