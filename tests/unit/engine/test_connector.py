from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from millstream.core.config import SwarmConfig
from millstream.core.geometry import ConnectionId
from millstream.core.swarm import PeerSource, PeerState, Swarm
from millstream.engine.config import NetworkConfig
from millstream.engine.connector import Connector
from millstream.errors import NetworkError
from millstream.protocol.compact import PeerAddress
from millstream.testing.virtual_time import run_virtual


def address(number: int, torrent: int = 0) -> PeerAddress:
    return PeerAddress(f"{98 + torrent // 256}.{torrent % 256}.{number >> 8}.{number & 255}", 6881)


def _number(remote: PeerAddress) -> int:
    """Which torrent it is a peer of."""
    high, low = map(int, remote.host.split(".")[:2])
    return (high - 98) * 256 + low


class FakeLink:
    """A connection of the world below; its handshake is done when it is `greeted`."""

    def __init__(self, world: World, seeker: Seeker | None, remote: PeerAddress) -> None:
        world.count += 1
        self.id = ConnectionId(world.count)
        self.world = world
        self.seeker = seeker
        self.remote = remote
        self.is_closed = False
        self.reason = ""
        world.open[self.id] = self

    def greeted(self, seeker: Seeker) -> None:
        self.seeker = seeker
        seeker.links[self.id] = self

    def close(self, reason: str) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        self.reason = reason
        del self.world.open[self.id]
        if self.seeker is not None:
            self.seeker.links.pop(self.id, None)
            self.seeker.swarm.lost(self.remote, self.world.now, useful=True)

    def data_received(self, view: memoryview) -> None: ...

    def output_drained(self) -> None: ...

    def connection_lost(self, reason: Exception | None) -> None: ...


@dataclass(eq=False)
class Seeker:
    """A torrent."""

    swarm: Swarm = field(default_factory=Swarm)
    links: dict[ConnectionId, FakeLink] = field(default_factory=dict)
    is_active: bool = True
    wants_seeds: bool = True
    useless: list[FakeLink] = field(default_factory=list)
    newcomers: list[PeerAddress | None] = field(default_factory=list)
    woken: int = 0

    def wake(self) -> None:
        self.woken += 1

    def make_room(self, newcomer: PeerAddress | None) -> bool:
        self.newcomers.append(newcomer)
        if not self.useless:
            return False
        self.useless.pop().close("made room")
        return True


class World:
    """A network in which connecting takes `latency`, and a connector for it.

    After everything that happens it asserts that no limit was passed.
    """

    def __init__(self, *, per_torrent: int = 1000, **limits: float) -> None:
        self.config = NetworkConfig(**{"max_connect_rate": 10_000} | limits)
        self.per_torrent = per_torrent
        self.open: dict[ConnectionId, FakeLink] = {}
        self.connecting: Counter[PeerAddress] = Counter()
        self.begun: list[tuple[float, PeerAddress]] = []
        self.seekers: list[Seeker] = []
        self.count = 0
        self.latency: Callable[[], float] = lambda: 0.1
        self.refuses: Callable[[], bool] = lambda: False
        self.connector: Connector[Seeker] = Connector(
            self,
            self.config,
            lambda: len(self.open),
            lambda connection, seeker: FakeLink(self, seeker, connection),
            SwarmConfig(max_connections_per_torrent=per_torrent),
        )

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def seeker(self, peers: int = 0) -> Seeker:
        seeker = Seeker()
        for number in range(peers):
            seeker.swarm.add(address(number, len(self.seekers)), PeerSource.TRACKER)
        self.seekers.append(seeker)
        return seeker

    async def connect(self, remote: PeerAddress, make_handler: Callable[..., Any]) -> Any:
        self.connecting[remote] += 1
        self.begun.append((self.now, remote))
        self.check()
        try:
            await asyncio.sleep(self.latency())
            if self.refuses():
                raise NetworkError("refused")
        finally:
            self.connecting -= Counter([remote])
        make_handler(remote)
        self.check()

    def accept(self) -> FakeLink | None:
        """Somebody comes, as `engine.Engine` lets them in."""
        if not self.connector.may_accept(self.seekers):
            return None
        link = FakeLink(self, None, PeerAddress("8.8.8.8", 50_000 + self.count % 10_000))
        self.check()
        return link

    def join(self, link: FakeLink, seeker: Seeker) -> bool:
        """The handshake of who came names a torrent."""
        if not self.connector.may_join(seeker, link.remote):
            link.close("too many connections")
            return False
        link.greeted(seeker)
        self.check()
        return True

    def check(self) -> None:
        # An attempt that was abandoned lives until the loop comes to it.
        counted = len(self.connector._attempts)
        assert counted <= self.config.max_half_open
        assert len(self.open) + counted <= self.config.max_connections
        for seeker in self.seekers:
            assert self.connector.connection_count(seeker) <= self.per_torrent
            assert len(seeker.links) <= self.per_torrent
        assert max(self.connecting.values(), default=0) <= 1, "one address twice at once"

    async def beats(self, seconds: float) -> None:
        for _ in range(int(seconds * 2)):
            for seeker in self.seekers:
                self.connector.connect_due(seeker)
            await asyncio.sleep(0.5)
            self.check()


def in_world(story: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test whose coroutine runs in virtual time."""

    def test() -> None:
        run_virtual(story())

    test.__name__ = story.__name__
    return test


@in_world
async def test_all_due_peers_are_connected_to():
    world = World()
    seeker = world.seeker(20)
    world.connector.connect_due(seeker)
    await asyncio.sleep(0.2)
    assert {link.remote for link in world.open.values()} == {address(n) for n in range(20)}
    assert world.connector.connection_count(seeker) == 20
    await world.beats(5)
    assert len(world.begun) == 20


@in_world
async def test_limits_hold_and_are_reached():
    for limits in (
        {"max_connections": 10},
        {"max_half_open": 3},
        {"per_torrent": 4},
        {"max_connections": 12, "per_torrent": 5, "max_half_open": 7},
    ):
        world = World(**limits)
        for _ in range(3):
            world.seeker(20)
        await world.beats(10)
        most = min(limits.get("max_connections", 200), 3 * limits.get("per_torrent", 20))
        assert len(world.open) == most
        assert world.connector.limit(world.seekers[0]) == min(
            limits.get("per_torrent", 1000),
            len([link for link in world.open.values() if link.seeker is world.seekers[0]])
            + limits.get("max_connections", 200)
            - most,
        )


@in_world
async def test_attempts_keep_to_the_rate():
    world = World(max_connect_rate=10, max_half_open=1000)
    world.seeker(100)
    world.connector.connect_due(world.seekers[0])  # once: the rest follows by itself
    await asyncio.sleep(20)
    times = [time for time, _ in world.begun]
    assert len(times) == 100
    for time in times:
        assert sum(time <= other < time + 1 for other in times) <= 20  # the first second's worth
    assert times[-1] == pytest.approx(9.0, abs=0.2)


@in_world
async def test_freed_room_is_used_at_once():
    world = World(max_half_open=1)
    world.seeker(10)
    world.connector.connect_due(world.seekers[0])
    await asyncio.sleep(1.05)
    assert len(world.open) == 10


@in_world
async def test_who_has_least_is_served_first_and_then_by_turns():
    world = World(max_connections=31, max_half_open=4)
    rich, *poor = (world.seeker(50) for _ in range(4))
    for number in range(10):
        FakeLink(world, rich, address(number, 9)).greeted(rich)
    await world.beats(10)
    links = Counter(id(link.seeker) for link in world.open.values())
    assert [links[id(seeker)] for seeker in poor] == [7, 7, 7]
    assert links[id(rich)] == 10
    turns = [int(remote.host.split(".")[1]) for _, remote in world.begun]
    assert all(set(turns[at : at + 3]) == {1, 2, 3} for at in range(0, 21, 3))


@in_world
async def test_downloads_are_served_before_seeds_which_have_a_turn_of_ten():
    world = World(max_connections=1000, max_connect_rate=30)
    for _ in range(300):  # more than there are in a round
        world.seeker(1).wants_seeds = False
    downloads = [world.seeker(50), world.seeker(50)]
    await world.beats(2)
    assert len(world.begun) >= 50
    begun = [world.seekers[_number(remote)] in downloads for _, remote in world.begun]
    assert all(sum(begun[at : at + 10]) == 9 for at in range(0, len(begun) - 9, 10))
    await world.beats(20)
    assert len(world.begun) == 300 + 100  # and all have had theirs in the end


@in_world
async def test_a_download_that_is_complete_is_a_seed_from_then_on():
    world = World(max_half_open=1, max_connections=1000)
    was_download, download = world.seeker(30), world.seeker(30)
    await world.beats(0.5)
    was_download.wants_seeds = False
    seen = len(world.begun)
    await world.beats(20)
    begun = [world.seekers[_number(remote)] is download for _, remote in world.begun]
    left = sum(begun[seen:])
    assert begun[:seen].count(True) in range(2, seen - 1)  # they took turns before
    assert sum(begun[seen : seen + left + left // 9 + 2]) == left
    assert len(begun) == 60


@in_world
async def test_who_refuses_is_tried_again_later():
    world = World()
    seeker = world.seeker(1)
    world.refuses = lambda: True
    await world.beats(10)
    assert len(world.begun) == 4
    assert world.connector.connection_count(seeker) == 0


@in_world
async def test_who_does_not_answer_is_given_up():
    world = World(connect_timeout=15)
    world.latency = lambda: 1000.0
    seeker = world.seeker(1)
    world.connector.connect_due(seeker)
    await asyncio.sleep(14.9)
    assert world.connector.connection_count(seeker) == 1
    await asyncio.sleep(0.2)
    assert world.connector.connection_count(seeker) == 0
    assert seeker.swarm.find(address(0)).failures == 1


@in_world
async def test_a_torrent_that_stops_abandons_its_attempts():
    world = World()
    stopping, other = world.seeker(5), world.seeker(5)
    await world.beats(1)
    opening = next(link for link in world.open.values() if link.seeker is stopping)
    for link in list(world.open.values()):
        if link.seeker is stopping and link is not opening:
            link.greeted(stopping)
    stopping.swarm.add(address(77))
    world.connector.connect_due(stopping)
    await asyncio.sleep(0.05)
    stopping.is_active = False
    world.connector.cancel(stopping)
    assert opening.reason == "torrent is stopped"
    await asyncio.sleep(1)
    assert world.connector.connection_count(stopping) == 4  # its links are its own affair
    assert stopping.swarm.find(address(77)).state is PeerState.IDLE
    assert stopping.swarm.find(address(77)).failures == 0
    assert world.connector.connection_count(other) == 5
    await world.beats(5)
    assert len(world.begun) == 11


@in_world
async def test_an_idle_torrent_is_not_served():
    world = World()
    world.seeker(5).is_active = False
    await world.beats(5)
    assert not world.begun


@in_world
async def test_a_seed_does_not_try_seeds():
    world = World()
    seeker = world.seeker(0)
    seeker.wants_seeds = False
    seeker.swarm.add(address(1), PeerSource.PEX, is_seed=True)
    seeker.swarm.add(address(2), PeerSource.PEX)
    await world.beats(5)
    assert [remote for _, remote in world.begun] == [address(2)]


@in_world
async def test_closing_ends_everything():
    world = World()
    seeker = world.seeker(5)
    world.connector.connect_due(seeker)
    await asyncio.sleep(0.05)
    assert len(asyncio.all_tasks()) == 6
    await world.connector.close()
    assert len(asyncio.all_tasks()) == 1
    assert not world.open
    await asyncio.sleep(5)
    assert len(world.begun) == 5


# Peers that come to us.


@in_world
async def test_who_comes_takes_the_place_of_an_attempt():
    world = World(max_connections=3)
    world.latency = lambda: 10.0
    seeker = world.seeker(5)
    await world.beats(1)
    assert world.connector.connection_count(seeker) == 3
    assert world.accept() is not None
    await asyncio.sleep(0)
    assert world.connector.connection_count(seeker) == 2
    assert [peer.failures for peer in seeker.swarm] == [0] * 5
    assert not seeker.newcomers


@in_world
async def test_when_all_places_are_taken_a_useless_peer_goes_for_who_comes():
    world = World(max_connections=3)
    few, many = world.seeker(), world.seeker()
    for seeker in (few, many, many):
        FakeLink(world, seeker, address(1)).greeted(seeker)
    assert world.accept() is None
    assert many.newcomers == [None]
    assert not few.newcomers
    many.useless.append(next(iter(many.links.values())))
    assert world.accept() is not None
    assert len(many.links) == 1
    assert world.connector.may_accept() is False


@in_world
async def test_a_full_torrent_takes_who_comes_for_an_attempt_or_a_worse_peer():
    world = World(per_torrent=3)
    seeker, other = world.seeker(5), world.seeker(5)
    world.latency = lambda: 10.0
    FakeLink(world, seeker, address(99)).greeted(seeker)
    await world.beats(1)
    for _ in range(2):
        assert world.join(world.accept(), seeker)
    assert len(seeker.links) == 3
    newcomer = world.accept()
    assert not world.join(newcomer, seeker)
    assert seeker.newcomers == [newcomer.remote]
    seeker.useless.append(next(iter(seeker.links.values())))
    assert world.join(world.accept(), seeker)
    assert world.connector.connection_count(other) == 3


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_in_a_busy_swarm_no_limit_is_ever_passed(seed):
    async def story(rng: random.Random) -> None:
        world = World(max_connections=40, max_half_open=9, max_connect_rate=15, per_torrent=12)
        world.latency = lambda: rng.choice([0.01, 0.2, 3.0, 100.0])
        world.refuses = lambda: rng.random() < 0.3
        for _ in range(8):
            world.seeker(60)
        most = 0
        for _ in range(600):
            for seeker in world.seekers:
                world.connector.connect_due(seeker)
            for _ in range(rng.randrange(4)):
                if (link := world.accept()) is not None and rng.random() < 0.8:
                    world.join(link, rng.choice(world.seekers))
            for link in list(world.open.values()):
                seeker = link.seeker
                if seeker is not None and link.id not in seeker.links and rng.random() < 0.5:
                    link.greeted(seeker)
                elif rng.random() < 0.05:
                    link.close("bye")
                elif rng.random() < 0.05 and seeker is not None:
                    seeker.useless = [link]
            if rng.random() < 0.05:
                world.connector.cancel(rng.choice(world.seekers))
            await asyncio.sleep(rng.random())
            world.check()
            most = max(most, len(world.open))
        assert most > 35
        times = [time for time, _ in world.begun]
        for at, time in enumerate(times):
            assert sum(time <= other < time + 1 for other in times[at:]) <= 2 * 15
        await world.connector.close()

    run_virtual(story, seed=seed)
