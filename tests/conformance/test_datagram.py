"""Datagrams and names of both networks against the conformance suite."""

from __future__ import annotations

import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest import SkipTest

from millstream.adapters.memory import LinkProfile, MemoryNetwork
from millstream.adapters.native import NativeNetwork
from millstream.testing import in_virtual_time
from millstream.testing.conformance_datagram import DatagramConformance, DatagramsUnderTest

NAME = "tracker.example"


class MemoryDatagramSuite(DatagramConformance):
    profile = LinkProfile()

    @asynccontextmanager
    async def open_datagrams(self, *, ipv6: bool = False) -> AsyncIterator[DatagramsUnderTest]:
        client, server = ("fd00::1", "fd00::2") if ipv6 else ("10.0.0.1", "10.0.0.2")
        network = MemoryNetwork(random.Random(0), self.profile)
        network.register(NAME, "10.0.0.2", "fd00::2")
        yield DatagramsUnderTest(
            network.host(client),
            network.host(server),
            client,
            server,
            NAME,
            ("10.0.0.2", "fd00::2"),
        )


@in_virtual_time
class TestMemoryDatagrams(MemoryDatagramSuite):
    pass


@in_virtual_time
class TestDistantMemoryDatagrams(MemoryDatagramSuite):
    profile = LinkProfile(up=1e6, latency=0.0001)


@in_virtual_time
class TestMemoryLoopbackDatagrams(DatagramConformance):
    @asynccontextmanager
    async def open_datagrams(self, *, ipv6: bool = False) -> AsyncIterator[DatagramsUnderTest]:
        network = MemoryNetwork(random.Random(0))
        network.register(NAME, "10.0.0.1")
        host = network.host("fd00::1" if ipv6 else "10.0.0.1", LinkProfile(loss=0.9, latency=100))
        local = "::1" if ipv6 else "127.0.0.1"
        yield DatagramsUnderTest(host, host, local, local, NAME, ("10.0.0.1",))


class TestNativeDatagrams(DatagramConformance):
    @asynccontextmanager
    async def open_datagrams(self, *, ipv6: bool = False) -> AsyncIterator[DatagramsUnderTest]:
        if ipv6:
            try:
                with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
                    probe.bind(("::1", 0))
            except OSError:
                raise SkipTest("this machine has no IPv6 loopback") from None
        network = NativeNetwork()
        local = "::1" if ipv6 else "127.0.0.1"
        names = ("127.0.0.1", "::1")
        yield DatagramsUnderTest(network, network, local, local, "localhost", names)
