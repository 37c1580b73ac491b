"""Rate limits among whole engines in virtual time: within 5 % over ten seconds."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from millstream.adapters.memory import LinkProfile, MemoryFileSystem, MemoryNetwork
from millstream.adapters.memory.clock import MemoryClock
from millstream.core.config import TransferConfig
from millstream.core.limit_schedule import LimitSchedule
from millstream.core.limits_config import LimitsConfig
from millstream.engine.config import EngineConfig, NetworkConfig
from millstream.events import PeerConnected, PeerDisconnected
from millstream.interfaces.disk import DiskConfig
from millstream.presets.memory import create_memory_engine
from millstream.protocol.metainfo import Metainfo
from millstream.testing.content import single_file_torrent
from millstream.testing.virtual_time import run_virtual

KIB, MIB = 1 << 10, 1 << 20
PORT = 6881
RATE = 256 * KIB
WARM_UP = 3
WINDOW = 10
LINE = LinkProfile(latency=0.01)
SELFISH = TransferConfig(upload_slots=0)


class CountingHost:
    """A host that counts what its connections receive."""

    def __init__(self, host):
        self.host = host
        self.received = 0

    def __getattr__(self, name):
        return getattr(self.host, name)

    async def listen(self, address, accept):
        return await self.host.listen(
            address, lambda connection: Counting(accept(connection), self)
        )

    async def connect(self, address, make_handler):
        return await self.host.connect(
            address, lambda connection: Counting(make_handler(connection), self)
        )


class Counting:
    """A connection's handler whose data is counted."""

    def __init__(self, handler, host):
        self.handler = handler
        self.host = host

    def __getattr__(self, name):
        return getattr(self.handler, name)

    def data_received(self, view):
        self.host.received += len(view)
        self.handler.data_received(view)


class Content:
    """A torrent and its bytes."""

    def __init__(self, rng, length, piece_length=64 * KIB):
        self.name = f"{rng.getrandbits(32)}.bin"
        self.bytes = rng.randbytes(length)
        self.metainfo = Metainfo.parse(single_file_torrent(self.name, self.bytes, piece_length))


class Town:
    """Engines on one network."""

    def __init__(self, rng):
        self.rng = rng
        self.network = MemoryNetwork(rng, LINE)
        self.stack = AsyncExitStack()
        self.count = 0

    async def engine(self, *contents, limits=None, clock=None, transfer=None, disk_rate=None):
        """An engine that has these contents already, and where it is."""
        self.count += 1
        host = CountingHost(self.network.host(f"10.0.0.{self.count}"))
        files = MemoryFileSystem()
        for content in contents:
            files.write_file("memory", content.name, content.bytes)
        config = EngineConfig(
            network=NetworkConfig(listen_hosts=(host.address,), listen_port=PORT),
            transfer=transfer or TransferConfig(),
            disk=DiskConfig(max_queued_bytes=MIB),
            limits=limits or LimitsConfig(),
            seed=self.rng.getrandbits(64),
        )
        engine = await self.stack.enter_async_context(
            create_memory_engine(
                config, network=host, files=files, disk_rate=disk_rate, clock=clock
            )
        )
        for content in contents:
            await engine.add(content.metainfo)
        return engine, host, files

    async def seeds(self, content, count):
        """So many seeds of a content; where they are."""
        return [address((await self.engine(content))[1]) for _ in range(count)]


def address(host):
    return f"{host.address}:{PORT}"


def limits_of(thing):
    """The limits of an engine, or those of a torrent in it."""
    shared = getattr(thing, "_shared", None)
    return shared.limits if shared is not None else thing._membership.limits


@asynccontextmanager
async def town(rng):
    there = Town(rng)
    async with there.stack:
        yield there


async def moved(count, seconds=WINDOW):
    """How much a count grows in so many seconds."""
    before = count()
    await asyncio.sleep(seconds)
    return count() - before


@pytest.mark.parametrize("peers", [1, 20])
@pytest.mark.parametrize(
    "limits",
    [LimitsConfig(download=RATE), LimitsConfig(torrent_download=RATE)],
    ids=["global", "torrent"],
)
def test_a_download_limit_holds(peers, limits):
    async def story(rng):
        async with town(rng) as there:
            content = Content(rng, 4 * MIB)
            engine, host, _ = await there.engine(limits=limits)
            await engine.add(content.metainfo, peers=await there.seeds(content, peers))
            await asyncio.sleep(WARM_UP)
            return await moved(lambda: host.received)

    assert run_virtual(story, seed=1) == pytest.approx(WINDOW * RATE, rel=0.05)


@pytest.mark.parametrize("peers", [1, 20])
@pytest.mark.parametrize(
    "limits",
    [LimitsConfig(upload=RATE), LimitsConfig(torrent_upload=RATE)],
    ids=["global", "torrent"],
)
def test_an_upload_limit_holds(peers, limits):
    async def story(rng):
        async with town(rng) as there:
            content = Content(rng, 4 * MIB)
            _, host, _ = await there.engine(content, limits=limits)
            hosts = []
            for _ in range(peers):
                leech, leech_host, _ = await there.engine(transfer=SELFISH)
                await leech.add(content.metainfo, peers=[address(host)])
                hosts.append(leech_host)
            await asyncio.sleep(WARM_UP)
            return await moved(lambda: sum(host.received for host in hosts))

    assert run_virtual(story, seed=2) == pytest.approx(WINDOW * RATE, rel=0.05)


def test_peers_of_a_limited_upload_share_it():
    async def story(rng):
        async with town(rng) as there:
            content = Content(rng, 4 * MIB)
            _, host, _ = await there.engine(content, limits=LimitsConfig(upload=RATE))
            hosts = []
            for _ in range(8):
                leech, leech_host, _ = await there.engine(transfer=SELFISH)
                await leech.add(content.metainfo, peers=[address(host)])
                hosts.append(leech_host)
            await asyncio.sleep(WARM_UP)
            before = [host.received for host in hosts]
            await asyncio.sleep(WINDOW)
            return [host.received - had for host, had in zip(hosts, before, strict=True)]

    shares = run_virtual(story, seed=3)
    assert min(shares) > 0.5 * WINDOW * RATE / 8


@pytest.mark.parametrize("peers", [(1, 1), (1, 10)])
def test_two_torrents_share_a_download_limit(peers):
    async def story(rng):
        async with town(rng) as there:
            contents = [Content(rng, 4 * MIB) for _ in peers]
            engine, host, _ = await there.engine(limits=LimitsConfig(download=RATE))
            torrents = [
                await engine.add(content.metainfo, peers=await there.seeds(content, count))
                for content, count in zip(contents, peers, strict=True)
            ]
            await asyncio.sleep(WARM_UP)
            before = [torrent.status().downloaded for torrent in torrents]
            total = await moved(lambda: host.received)
            after = [torrent.status().downloaded for torrent in torrents]
            return total, [new - old for new, old in zip(after, before, strict=True)]

    total, shares = run_virtual(story, seed=4)
    assert total == pytest.approx(WINDOW * RATE, rel=0.05)
    assert shares == [pytest.approx(total / 2, rel=0.1)] * 2


def test_two_torrents_share_an_upload_limit():
    async def story(rng):
        async with town(rng) as there:
            contents = [Content(rng, 4 * MIB) for _ in range(2)]
            _, host, _ = await there.engine(*contents, limits=LimitsConfig(upload=RATE))
            hosts = []
            for content, count in zip(contents, (1, 6), strict=True):
                group = []
                for _ in range(count):
                    leech, leech_host, _ = await there.engine(transfer=SELFISH)
                    await leech.add(content.metainfo, peers=[address(host)])
                    group.append(leech_host)
                hosts.append(group)
            await asyncio.sleep(WARM_UP)
            before = [sum(host.received for host in group) for group in hosts]
            await asyncio.sleep(WINDOW)
            after = [sum(host.received for host in group) for group in hosts]
            return [new - old for new, old in zip(after, before, strict=True)]

    shares = run_virtual(story, seed=5)
    assert sum(shares) == pytest.approx(WINDOW * RATE, rel=0.05)
    assert shares == [pytest.approx(WINDOW * RATE / 2, rel=0.1)] * 2


def test_a_torrent_s_own_limit_leaves_the_rest_to_the_others():
    async def story(rng):
        async with town(rng) as there:
            contents = [Content(rng, 4 * MIB) for _ in range(2)]
            engine, _, _ = await there.engine(limits=LimitsConfig(download=RATE))
            torrents = [
                await engine.add(content.metainfo, peers=await there.seeds(content, 3))
                for content in contents
            ]
            limits_of(torrents[0]).set(download=RATE // 8, upload=None)
            await asyncio.sleep(WARM_UP)
            before = [torrent.status().downloaded for torrent in torrents]
            await asyncio.sleep(WINDOW)
            after = [torrent.status().downloaded for torrent in torrents]
            return [new - old for new, old in zip(after, before, strict=True)]

    slow, fast = run_virtual(story, seed=6)
    # Counted in whole blocks, of which some are under way.
    assert slow == pytest.approx(WINDOW * RATE / 8, abs=64 * KIB)
    assert fast == pytest.approx(WINDOW * RATE * 7 / 8, rel=0.05)


def test_limits_change_in_flight():
    async def story(rng):
        async with town(rng) as there:
            content = Content(rng, 12 * MIB, MIB)
            engine, host, files = await there.engine()
            seeds = await there.seeds(content, 5)
            engine.set_limits(download=4 * RATE, upload=None)
            torrent = await engine.add(content.metainfo, peers=seeds)
            await asyncio.sleep(WARM_UP)
            totals = []
            for rate in (RATE, RATE // 4, 2 * RATE):
                engine.set_limits(download=rate, upload=None)
                totals.append(await moved(lambda: host.received) / (WINDOW * rate))
            engine.set_limits(download=None, upload=None)
            links = list(torrent._membership.links.values())
            assert [link.throttle for link in links] == [None] * 5
            assert not any(link.reading.is_held for link in links)
            began = asyncio.get_running_loop().time()
            await torrent.wait_complete()
            assert files.read_file("memory", content.name) == content.bytes
            return totals, asyncio.get_running_loop().time() - began

    totals, seconds = run_virtual(story, seed=7)
    assert totals == [pytest.approx(1, rel=0.05)] * 3
    assert seconds < 5


def test_the_alternative_limit_holds_while_the_schedule_is_on():
    schedule = LimitSchedule(begin=9 * 60, end=9 * 60 + 1, days=frozenset({2}))
    limits = LimitsConfig(
        download=RATE, alternative_download=RATE // 4, alternative_upload=5000, schedule=schedule
    )

    async def story(rng):
        async with town(rng) as there:
            content = Content(rng, 12 * MIB, MIB)
            engine, host, _ = await there.engine(limits=limits, clock=MemoryClock(2, 9 * 60 - 1))
            seeds = await there.seeds(content, 3)
            await asyncio.sleep(60 - WINDOW - WARM_UP - asyncio.get_running_loop().time())
            await engine.add(content.metainfo, peers=seeds)
            await asyncio.sleep(WARM_UP)
            before = await moved(lambda: host.received)
            await asyncio.sleep(1)  # the engine looks at the clock twice a second
            assert limits_of(engine).is_alternative
            assert limits_of(engine).upload == 5000
            within = await moved(lambda: host.received)
            await asyncio.sleep(60 - WINDOW)
            assert not limits_of(engine).is_alternative
            assert limits_of(engine).upload is None
            return before, within, await moved(lambda: host.received)

    before, within, after = run_virtual(story, seed=8)
    assert before == pytest.approx(WINDOW * RATE, rel=0.05)
    assert within == pytest.approx(WINDOW * RATE / 4, rel=0.05)
    assert after == pytest.approx(WINDOW * RATE, rel=0.05)


@pytest.mark.parametrize(("peers", "most_wasted"), [(1, 0), (5, 0.05), (20, 1)])
def test_a_slow_limit_breaks_no_download(peers, most_wasted):
    """20 peers have 1 KiB/s each: a block takes longer than a request may, and nobody is blamed.

    What is wasted then are blocks that are asked of several peers.
    """

    async def story(rng):
        async with town(rng) as there:
            content = Content(rng, 2 * MIB)
            engine, _, files = await there.engine(limits=LimitsConfig(download=20 * KIB))
            torrent = await engine.add(content.metainfo)
            events = torrent.events()
            for seed in await there.seeds(content, peers):
                torrent.add_peer(seed)
            await torrent.wait_complete()
            status = torrent.status()
            assert status.peers == peers
            assert files.read_file("memory", content.name) == content.bytes
            await engine.remove(torrent)
            lost = [event async for event in events if isinstance(event, PeerDisconnected)]
            assert {event.reason for event in lost} == {"torrent is stopped"}
            return status.wasted / len(content.bytes)

    assert run_virtual(story, seed=9) <= most_wasted


def test_a_slow_disk_and_a_limit_do_not_undo_each_other():
    async def story(rng):
        async with town(rng) as there:
            content = Content(rng, 6 * MIB, MIB // 4)
            engine, _, files = await there.engine(
                limits=LimitsConfig(download=4 * RATE),
                transfer=TransferConfig(max_unwritten_bytes=64 * MIB),
                disk_rate=2 * RATE,
            )
            torrent = await engine.add(content.metainfo, peers=await there.seeds(content, 4))
            await asyncio.sleep(WARM_UP)
            held = set()
            while torrent.status().progress < 1:
                held |= {len(link.reading._reasons) for link in torrent._membership.links.values()}
                await asyncio.sleep(0.02)
            assert files.read_file("memory", content.name) == content.bytes
            return held, asyncio.get_running_loop().time()

    held, seconds = run_virtual(story, seed=10)
    assert held == {0, 1, 2}
    assert seconds == pytest.approx(6 * MIB / (2 * RATE), rel=0.15)


def test_what_is_not_limited_has_no_limiter():
    async def story(rng):
        async with town(rng) as there:
            content = Content(rng, 20 * MIB)
            engine, _, _ = await there.engine()
            seeds = await there.seeds(content, 1)
            torrent = await engine.add(content.metainfo)
            events = torrent.events()
            torrent.add_peer(seeds[0])
            async for event in events:
                if isinstance(event, PeerConnected):
                    break
            [link] = torrent._membership.links.values()
            assert link.throttle is None
            assert torrent._session.machine.transfer.upload.limiter is None
            await torrent.wait_complete()

    run_virtual(story, seed=11)


def test_the_same_seed_gives_the_same_run():
    async def story(rng):
        async with town(rng) as there:
            content = Content(rng, MIB)
            engine, _, _ = await there.engine(limits=LimitsConfig(download=RATE))
            torrent = await engine.add(content.metainfo, peers=await there.seeds(content, 6))
            await torrent.wait_complete()
            return asyncio.get_running_loop().time()

    assert run_virtual(story, seed=12) == run_virtual(story, seed=12)
