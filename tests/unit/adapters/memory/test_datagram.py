from __future__ import annotations

import asyncio
import random

import pytest

from millstream.adapters.memory import LinkProfile, MemoryNetwork
from millstream.errors import NetworkError
from millstream.protocol.compact import PeerAddress
from millstream.testing import run_virtual


class Received:
    def __init__(self) -> None:
        self.data: list[tuple[float, bytes]] = []

    def datagram_received(self, data: memoryview, address: PeerAddress) -> None:
        self.data.append((asyncio.get_running_loop().time(), bytes(data)))


def send_many(count: int, near: LinkProfile, far: LinkProfile) -> list[tuple[float, bytes]]:
    async def main(rng: random.Random) -> list[tuple[float, bytes]]:
        network = MemoryNetwork(rng)
        sender, receiver = network.host("10.0.0.1", near), network.host("10.0.0.2", far)
        received = Received()
        bound = await receiver.open_datagram(PeerAddress("10.0.0.2", 5), lambda _: received)
        opened = await sender.open_datagram(PeerAddress("10.0.0.1", 0), lambda _: Received())
        for number in range(count):
            opened.send(number.to_bytes(2, "big"), PeerAddress("10.0.0.2", bound.address.port))
        await asyncio.sleep(10)
        return received.data

    return run_virtual(main)


def test_latency_is_the_sum_of_both_ends_and_keeps_the_order():
    received = send_many(50, LinkProfile(latency=0.1), LinkProfile(latency=0.25))
    assert received == [(0.35, number.to_bytes(2, "big")) for number in range(50)]


def test_loss_at_both_ends_adds_up():
    assert len(send_many(1000, LinkProfile(), LinkProfile())) == 1000
    assert 450 < len(send_many(1000, LinkProfile(loss=0.5), LinkProfile())) < 550
    assert 200 < len(send_many(1000, LinkProfile(loss=0.5), LinkProfile(loss=0.5))) < 300


def test_nothing_reaches_a_host_that_is_offline():
    async def main(rng: random.Random) -> None:
        network = MemoryNetwork(rng, LinkProfile(latency=1))
        sender, receiver = network.host("10.0.0.1"), network.host("10.0.0.2")
        received = Received()
        await receiver.open_datagram(PeerAddress("10.0.0.2", 5), lambda _: received)
        opened = await sender.open_datagram(PeerAddress("10.0.0.1", 0), lambda _: Received())
        target = PeerAddress("10.0.0.2", 5)
        opened.send(b"under way", target)
        await asyncio.sleep(1)
        receiver.offline = True
        opened.send(b"offline", target)
        await asyncio.sleep(5)
        receiver.offline = False
        opened.send(b"back", target)
        opened.send(b"nobody", PeerAddress("10.0.0.9", 5))
        await asyncio.sleep(5)
        assert [data for _, data in received.data] == [b"back"]

    run_virtual(main)


def test_streams_and_datagrams_have_ports_of_their_own():
    async def main(rng: random.Random) -> None:
        host = MemoryNetwork(rng).host("10.0.0.1")
        await host.listen(PeerAddress("10.0.0.1", 80), lambda _: None)
        opened = await host.open_datagram(PeerAddress("10.0.0.1", 80), lambda _: Received())
        assert opened.address.port == 80

    run_virtual(main)


def test_names_can_be_taken_back_and_take_a_round_trip():
    async def main(rng: random.Random) -> None:
        network = MemoryNetwork(rng, LinkProfile(latency=0.5))
        host = network.host("10.0.0.1")
        network.register("Tracker.Example", "10.0.0.2", "fd00::2")
        assert await host.resolve("tracker.EXAMPLE") == ["10.0.0.2", "fd00::2"]
        assert asyncio.get_running_loop().time() == 1
        network.register("tracker.example")
        with pytest.raises(NetworkError, match="no such host"):
            await host.resolve("tracker.example")

    run_virtual(main)
