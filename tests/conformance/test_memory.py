"""The memory adapter against the conformance suites, in virtual time."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from millstream.adapters.memory import (
    LinkProfile,
    MemoryCryptography,
    MemoryDiskQueue,
    MemoryFileSystem,
    MemoryNetwork,
    MemorySessionStore,
)
from millstream.interfaces.disk import DiskConfig
from millstream.testing import (
    CryptographyConformance,
    DiskQueueConformance,
    DiskUnderTest,
    FileSystemConformance,
    FileSystemUnderTest,
    NetworkConformance,
    NetworkUnderTest,
    SessionStoreConformance,
    in_virtual_time,
)
from millstream.testing.faulty_disk import FaultyDisk

ROOT = "/downloads"
APART = "/mnt/disk"


class MemoryNetworkSuite(NetworkConformance):
    profile = LinkProfile()

    @asynccontextmanager
    async def open_network(self, *, ipv6: bool = False) -> AsyncIterator[NetworkUnderTest]:
        client, server = ("fd00::1", "fd00::2") if ipv6 else ("10.0.0.1", "10.0.0.2")
        network = MemoryNetwork(random.Random(0), self.profile)
        server_host = network.host(server)
        yield NetworkUnderTest(network.host(client), server_host, server)
        assert server_host.connection_count == 0


@in_virtual_time
class TestUnlimitedNetwork(MemoryNetworkSuite):
    pass


@in_virtual_time
class TestDistantNetwork(MemoryNetworkSuite):
    profile = LinkProfile(latency=0.0001)


@in_virtual_time
class TestLimitedNetwork(MemoryNetworkSuite):
    profile = LinkProfile(up=50e6, down=100e6, latency=0.0001)


@in_virtual_time
class TestLossyNetwork(MemoryNetworkSuite):
    profile = LinkProfile(up=200e6, down=100e6, latency=0.0001, loss=0.0005)


@in_virtual_time
class TestMemoryLoopback(NetworkConformance):
    @asynccontextmanager
    async def open_network(self, *, ipv6: bool = False) -> AsyncIterator[NetworkUnderTest]:
        # A host reaches itself without its line.
        slow = LinkProfile(up=1, down=1, latency=100)
        host = MemoryNetwork(random.Random(0)).host("fd00::1" if ipv6 else "10.0.0.1", slow)
        yield NetworkUnderTest(host, host, "::1" if ipv6 else "127.0.0.1")


@in_virtual_time
class TestMemoryFileSystem(FileSystemConformance):
    @asynccontextmanager
    async def open_filesystem(self) -> AsyncIterator[FileSystemUnderTest]:
        files = MemoryFileSystem()
        await files.make_directory(ROOT, "")
        await files.make_directory(APART, "")
        files.set_apart(APART)
        yield FileSystemUnderTest(
            files,
            ROOT,
            lambda path, data: files.write_file(ROOT, path, data),
            lambda path: files.read_file(ROOT, path),
            APART,
        )


@in_virtual_time
class TestFaultyDiskWithoutFaults(DiskQueueConformance):
    @asynccontextmanager
    async def open_disk(self, config: DiskConfig) -> AsyncIterator[DiskUnderTest]:
        files = MemoryFileSystem()
        await files.make_directory(ROOT, "")
        yield DiskUnderTest(
            FaultyDisk(MemoryDiskQueue(files, config), config),
            ROOT,
            lambda path, data: files.write_file(ROOT, path, data),
            lambda path: files.read_file(ROOT, path),
        )


class MemoryDiskSuite(DiskQueueConformance):
    latency = 0.0
    rate: float | None = None

    @asynccontextmanager
    async def open_disk(self, config: DiskConfig) -> AsyncIterator[DiskUnderTest]:
        files = MemoryFileSystem()
        await files.make_directory(ROOT, "")
        yield DiskUnderTest(
            MemoryDiskQueue(files, config, latency=self.latency, rate=self.rate),
            ROOT,
            lambda path, data: files.write_file(ROOT, path, data),
            lambda path: files.read_file(ROOT, path),
        )


@in_virtual_time
class TestMemoryDisk(MemoryDiskSuite):
    pass


@in_virtual_time
class TestSlowMemoryDisk(MemoryDiskSuite):
    latency = 0.005
    rate = 100e6


@in_virtual_time
class TestMemorySessionStore(SessionStoreConformance):
    @asynccontextmanager
    async def open_store(self) -> AsyncIterator[MemorySessionStore]:
        yield MemorySessionStore()


class TestMemoryCryptography(CryptographyConformance):
    def make_cryptography(self) -> MemoryCryptography:
        return MemoryCryptography(random.Random(0))
