"""What the simulated internet adds to the contract: rates, latency, loss, vanishing hosts."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from millstream.adapters.memory import LinkProfile, MemoryHost, MemoryNetwork
from millstream.errors import MillstreamError, NetworkError
from millstream.interfaces.network import Connection, Network
from millstream.protocol.compact import PeerAddress
from millstream.testing import run_virtual

PORT = 6881
T = TypeVar("T")


class Handler:
    """Notes what comes, and when."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.received = bytearray()
        self.arrivals: list[float] = []
        self.lost: list[Exception | None] = []
        self.lost_at = 0.0
        self.news = asyncio.Event()

    def data_received(self, view: memoryview) -> None:
        self.received += view
        self.arrivals.append(now())
        self.news.set()

    def output_drained(self) -> None:
        pass

    def connection_lost(self, reason: Exception | None) -> None:
        self.lost.append(reason)
        self.lost_at = now()


class Swarm:
    """Hosts 10.0.0.1, 10.0.0.2, ... that all listen."""

    def __init__(self, rng: random.Random, *profiles: LinkProfile) -> None:
        self.network = MemoryNetwork(rng)
        self.hosts = [
            self.network.host(f"10.0.0.{number}", profile)
            for number, profile in enumerate(profiles, 1)
        ]
        self.accepted: list[Handler] = []

    def accept(self, connection: Connection) -> Handler:
        self.accepted.append(Handler(connection))
        return self.accepted[-1]

    async def connect(self, near: MemoryHost, far: MemoryHost) -> tuple[Handler, Handler]:
        if far.listener(PORT) is None:
            await far.listen(PeerAddress(far.address, PORT), self.accept)
        made: list[Handler] = []

        def make(connection: Connection) -> Handler:
            made.append(Handler(connection))
            return made[-1]

        await near.connect(PeerAddress(far.address, PORT), make)
        return made[0], self.accepted[-1]


def now() -> float:
    return asyncio.get_running_loop().time()


def swarm(
    story: Callable[[Swarm], Coroutine[Any, Any, T]], *profiles: LinkProfile, seed: int = 0
) -> T:
    return run_virtual(lambda rng: story(Swarm(rng, *profiles)), seed=seed)


async def received(handler: Handler, length: int) -> float:
    """Wait for so many bytes; return when the last one came."""
    while len(handler.received) < length:
        handler.news.clear()
        await handler.news.wait()
    assert len(handler.received) == length
    return handler.arrivals[-1]


# Time


def test_an_unlimited_network_takes_no_time() -> None:
    async def story(swarm: Swarm) -> None:
        near, far = await swarm.connect(*swarm.hosts)
        near.connection.write(bytes(10_000_000))
        await received(far, 10_000_000)
        assert far.arrivals[-1] == 0.0

    swarm(story, LinkProfile(), LinkProfile())


def test_latencies_of_both_ends_add_up() -> None:
    async def story(swarm: Swarm) -> None:
        near, far = await swarm.connect(*swarm.hosts)
        assert now() == pytest.approx(0.08)  # one round trip
        near.connection.write(b"x")
        await received(far, 1)
        assert far.arrivals == [pytest.approx(0.12)]

    swarm(story, LinkProfile(latency=0.01), LinkProfile(latency=0.03))


@pytest.mark.parametrize(
    ("up", "down", "seconds"),
    [(100_000, None, 10), (None, 100_000, 10), (100_000, 1_000_000, 10), (1_000_000, 50_000, 20)],
)
def test_the_slower_link_sets_the_rate(up: float | None, down: float | None, seconds: int) -> None:
    async def story(swarm: Swarm) -> None:
        near, far = await swarm.connect(*swarm.hosts)
        began = now()
        near.connection.write(bytes(1_000_000))
        # On top come the latency, and one quantum that is on the second link alone.
        assert await received(far, 1_000_000) - began == pytest.approx(seconds, abs=0.35)

    swarm(story, LinkProfile(up=up, latency=0.02), LinkProfile(down=down))


@pytest.mark.parametrize("resolution", [0.005, 0.05])
@pytest.mark.parametrize("chunk", [100, 1000, 20_000])
def test_a_resolution_changes_no_rate(resolution: float, chunk: int) -> None:
    async def story(rng: random.Random) -> None:
        lines = LinkProfile(up=100_000, latency=0.02), LinkProfile(down=150_000, latency=0.01)
        there = Swarm(rng, *lines)
        there.network = MemoryNetwork(rng, resolution=resolution)
        there.hosts = [
            there.network.host(f"10.0.0.{number}", line) for number, line in enumerate(lines, 1)
        ]
        near, far = await there.connect(*there.hosts)
        began = now()
        for _ in range(500_000 // chunk):
            near.connection.write(bytes(chunk))
            await asyncio.sleep(chunk / 1_000_000)
        assert await received(far, 500_000) - began == pytest.approx(5, abs=0.2)

    run_virtual(story)


def test_a_long_fat_path_is_filled() -> None:
    async def story(swarm: Swarm) -> None:
        near, far = await swarm.connect(*swarm.hosts)
        began = now()
        near.connection.write(bytes(20_000_000))
        assert await received(far, 20_000_000) - began == pytest.approx(2, rel=0.1)

    swarm(story, LinkProfile(up=10e6, latency=0.05), LinkProfile(down=10e6, latency=0.05))


def test_connections_share_an_uplink_evenly() -> None:
    async def story(swarm: Swarm) -> None:
        source, *others = swarm.hosts
        ends = [await swarm.connect(source, other) for other in others]
        for near, _ in ends:
            near.connection.write(bytes(1_000_000))
        await asyncio.sleep(10 - now())
        for _, far in ends:
            assert len(far.received) == pytest.approx(250_000, abs=40_000)

    swarm(story, LinkProfile(up=100_000), *[LinkProfile()] * 4)


def test_connections_share_a_downlink() -> None:
    async def story(swarm: Swarm) -> None:
        target, *others = swarm.hosts
        ends = [await swarm.connect(other, target) for other in others]
        for near, _ in ends:
            near.connection.write(bytes(1_000_000))
        await asyncio.sleep(10 - now())
        assert sum(len(far.received) for _, far in ends) == pytest.approx(1_000_000, rel=0.05)
        for _, far in ends:
            assert len(far.received) == pytest.approx(250_000, abs=40_000)

    swarm(story, LinkProfile(down=100_000), *[LinkProfile()] * 4)


def test_the_two_directions_of_a_link_are_apart() -> None:
    async def story(swarm: Swarm) -> None:
        near, far = await swarm.connect(*swarm.hosts)
        near.connection.write(bytes(1_000_000))
        far.connection.write(bytes(1_000_000))
        assert await received(far, 1_000_000) == pytest.approx(10, abs=0.5)
        assert await received(near, 1_000_000) == pytest.approx(10, abs=0.5)

    swarm(story, *[LinkProfile(up=100_000, down=100_000)] * 2)


def test_a_small_write_is_not_stuck_behind_another_connection() -> None:
    async def story(swarm: Swarm) -> None:
        source, first, second = swarm.hosts
        bulk, _ = await swarm.connect(source, first)
        small, far = await swarm.connect(source, second)
        bulk.connection.write(bytes(1_000_000))
        await asyncio.sleep(1)
        small.connection.write(b"request")
        assert await received(far, 7) == pytest.approx(1.2, abs=0.2)

    swarm(story, LinkProfile(up=100_000), LinkProfile(), LinkProfile())


def test_a_profile_may_change_on_the_way() -> None:
    async def story(swarm: Swarm) -> None:
        near, far = await swarm.connect(*swarm.hosts)
        near.connection.write(bytes(1_000_000))
        await asyncio.sleep(5)
        swarm.hosts[0].link.profile = LinkProfile(up=1_000_000)
        assert await received(far, 1_000_000) == pytest.approx(5.5, abs=0.3)

    swarm(story, LinkProfile(up=100_000), LinkProfile())


# Loss


def transfer_with_loss(loss: float, seed: int) -> tuple[float, str]:
    async def story(swarm: Swarm) -> tuple[float, str]:
        near, far = await swarm.connect(*swarm.hosts)
        data = random.Random(5).randbytes(1_000_000)
        for start in range(0, len(data), 7777):
            near.connection.write(data[start : start + 7777])
        last = await received(far, len(data))
        assert far.received == data
        return last, hashlib.sha1(repr(far.arrivals).encode()).hexdigest()

    return swarm(story, LinkProfile(up=1e6, latency=0.02, loss=loss), LinkProfile(), seed=seed)


def test_loss_delays_and_loses_nothing() -> None:
    clean, _ = transfer_with_loss(0.0, 1)
    lossy, _ = transfer_with_loss(0.2, 1)
    assert lossy > clean


def test_the_seed_decides_everything() -> None:
    assert transfer_with_loss(0.05, 1) == transfer_with_loss(0.05, 1)
    assert transfer_with_loss(0.05, 1) != transfer_with_loss(0.05, 2)


# Windows


def test_a_slow_link_keeps_bytes_with_the_sender() -> None:
    async def story(swarm: Swarm) -> None:
        near, far = await swarm.connect(*swarm.hosts)
        near.connection.write(bytes(1_000_000))
        unsent = near.connection.unsent_bytes
        assert unsent > 900_000
        await asyncio.sleep(5)
        assert unsent - near.connection.unsent_bytes == pytest.approx(500_000, abs=40_000)
        assert len(far.received) == pytest.approx(500_000, abs=40_000)

    swarm(story, LinkProfile(up=100_000), LinkProfile())


def test_received_views_do_not_outlive_the_call() -> None:
    class Keeper(Handler):
        def data_received(self, view: memoryview) -> None:
            self.view = view
            super().data_received(view)

    async def story(swarm: Swarm) -> None:
        near_host, far_host = swarm.hosts
        keepers: list[Keeper] = []

        def accept(connection: Connection) -> Keeper:
            keepers.append(Keeper(connection))
            return keepers[-1]

        await far_host.listen(PeerAddress("0.0.0.0", PORT), accept)  # noqa: S104  no real address
        connection = await near_host.connect(PeerAddress(far_host.address, PORT), Handler)
        connection.write(b"borrowed")
        await received(keepers[0], 8)
        with pytest.raises(ValueError, match="released"):
            bytes(keepers[0].view)

    swarm(story, LinkProfile(), LinkProfile())


# Connecting


def test_only_hosts_addresses_answer() -> None:
    async def story(swarm: Swarm) -> None:
        host = swarm.hosts[0]
        with pytest.raises(NetworkError, match=r"10\.0\.0\.2:6881: connection refused"):
            await host.connect(PeerAddress("10.0.0.2", PORT), Handler)
        assert now() == 0.0
        with pytest.raises(NetworkError, match="timed out"):
            await host.connect(PeerAddress("10.9.9.9", PORT), Handler)
        assert now() == 127.0
        with pytest.raises(NetworkError, match="unreachable"):
            await host.connect(PeerAddress("fd00::1", PORT), Handler)
        with pytest.raises(NetworkError, match="not an IP address"):
            await host.connect(PeerAddress("example.com", PORT), Handler)
        with pytest.raises(NetworkError, match="not an address of this host"):
            await host.listen(PeerAddress("10.0.0.2", 0), Handler)

    swarm(story, LinkProfile(), LinkProfile())


def test_addresses_are_compared_by_value() -> None:
    async def story(swarm: Swarm) -> None:
        first = swarm.network.host("FD00:0:0::1")
        second = swarm.network.host("fd00::2")
        assert first.address == "fd00::1"
        await first.listen(PeerAddress("::", PORT), swarm.accept)
        await second.connect(PeerAddress("fd00:0::1", PORT), Handler)
        assert swarm.accepted[0].connection.remote.host == "fd00::2"
        with pytest.raises(NetworkError, match="another host"):
            swarm.network.host("fd00:0::2")
        with pytest.raises(NetworkError, match="not an IP address"):
            swarm.network.host("ten")

    swarm(story)


def test_ports_are_counted() -> None:
    async def story(swarm: Swarm) -> None:
        host = swarm.hosts[0]
        listeners = [await host.listen(PeerAddress(host.address, 0), Handler) for _ in range(3)]
        assert [listener.address.port for listener in listeners] == [49152, 49153, 49154]

    swarm(story, LinkProfile())


def test_a_handler_that_cannot_be_made_abandons_the_connection() -> None:
    async def story(swarm: Swarm) -> None:
        near, far = swarm.hosts
        await far.listen(PeerAddress(far.address, PORT), swarm.accept)

        def make(connection: Connection) -> Handler:
            raise MillstreamError("no")

        with pytest.raises(MillstreamError, match="no"):
            await near.connect(PeerAddress(far.address, PORT), make)
        await asyncio.sleep(1)
        assert isinstance(swarm.accepted[0].lost[0], NetworkError)
        assert near.connection_count == far.connection_count == 0

    swarm(story, LinkProfile(), LinkProfile())


def test_a_handler_that_fails_loses_its_connection() -> None:
    class Failing(Handler):
        def data_received(self, view: memoryview) -> None:
            raise MillstreamError("a bug")

    async def story(swarm: Swarm) -> None:
        near, far = await swarm.connect(*swarm.hosts)
        reported: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: reported.append(context)
        )
        failing = Failing(near.connection)
        connection = await swarm.hosts[0].connect(
            PeerAddress(swarm.hosts[1].address, PORT), lambda _: failing
        )
        swarm.accepted[-1].connection.write(b"x")
        await asyncio.sleep(1)
        assert connection.unsent_bytes == 0
        assert str(reported[0]["exception"]) == "a bug"
        assert str(failing.lost[0]) == "a bug"
        assert str(swarm.accepted[-1].lost[0]) == "connection reset by peer"
        near.connection.write(b"others go on")
        await received(far, 12)

    swarm(story, LinkProfile(), LinkProfile())


# Vanishing


def test_disconnect_all_tells_both_sides() -> None:
    async def story(swarm: Swarm) -> None:
        near, far = await swarm.connect(*swarm.hosts)
        calls: list[None] = []
        near.connection.write_many([bytes(10_000_000)], lambda: calls.append(None))
        began = now()
        swarm.hosts[0].disconnect_all()
        assert not near.lost
        await asyncio.sleep(1)
        assert str(near.lost[0]) == "connection reset"
        assert str(far.lost[0]) == "connection reset by peer"
        assert len(near.lost) == len(far.lost) == len(calls) == 1
        assert far.lost_at - began == pytest.approx(0.05)
        assert not far.received
        assert [host.connection_count for host in swarm.hosts] == [0, 0]

    swarm(story, LinkProfile(latency=0.05), LinkProfile())


def test_an_offline_host_is_silent_and_comes_back() -> None:
    async def story(swarm: Swarm) -> None:
        near, far = await swarm.connect(*swarm.hosts)
        swarm.hosts[1].offline = True
        assert swarm.hosts[1].offline
        near.connection.write(b"anybody?")
        far.connection.write(b"hello?")
        with pytest.raises(NetworkError, match="timed out"):
            await swarm.connect(*swarm.hosts)
        assert not near.received
        assert not far.received
        assert not near.lost
        assert not far.lost
        swarm.hosts[1].offline = False
        await received(far, 8)
        await received(near, 6)

    swarm(story, LinkProfile(latency=0.05), LinkProfile())


def test_a_close_is_heard_when_the_host_is_back() -> None:
    async def story(swarm: Swarm) -> None:
        near, far = await swarm.connect(*swarm.hosts)
        swarm.hosts[1].offline = True
        near.connection.write(b"bye")
        near.connection.close()
        await asyncio.sleep(100)
        assert near.lost == [None]
        assert not far.lost
        swarm.hosts[1].offline = False
        await asyncio.sleep(1)
        assert far.received == b"bye"
        assert far.lost == [None]

    swarm(story, LinkProfile(), LinkProfile())


def test_a_crashed_host_resets_its_peers_when_it_is_back() -> None:
    async def story(swarm: Swarm) -> None:
        near, far = await swarm.connect(*swarm.hosts)
        swarm.hosts[0].offline = True
        swarm.hosts[0].disconnect_all()
        await asyncio.sleep(100)
        assert len(near.lost) == 1
        assert not far.lost
        swarm.hosts[0].offline = False
        await asyncio.sleep(1)
        assert str(far.lost[0]) == "connection reset by peer"

    swarm(story, LinkProfile(), LinkProfile())


def test_a_vanished_peer_takes_no_more_than_a_window() -> None:
    async def story(swarm: Swarm) -> None:
        near, _ = await swarm.connect(*swarm.hosts)
        swarm.hosts[1].offline = True
        near.connection.write(bytes(10_000_000))
        await asyncio.sleep(1000)
        assert near.connection.unsent_bytes > 5_000_000

    swarm(story, LinkProfile(up=1e6), LinkProfile())


def test_a_host_is_a_network() -> None:
    network: Network = MemoryNetwork(random.Random(0)).host("10.0.0.1")
    assert network
