"""The same daemon, 100 ms away: the suites as they are, and the clock as it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from millstream.adapters.daemon import (
    BatchingDiskQueue,
    DaemonAddress,
    DaemonConnection,
    DaemonFileSystem,
    DaemonNetwork,
)
from millstream.io_wire.window import FIRST_WINDOW
from millstream.interfaces.disk import DiskConfig
from millstream.io_daemon.config import IoDaemonConfig
from millstream.io_daemon.server import IoDaemon
from millstream.storage.roots import StorageRoot
from millstream.testing import (
    DiskQueueConformance,
    DiskUnderTest,
    FileSystemConformance,
    FileSystemUnderTest,
    NetworkConformance,
    NetworkUnderTest,
)
from millstream.testing.conformance_datagram import DatagramConformance, DatagramsUnderTest

from tests.integration.lending import slow_way
from tests.conformance.test_native import InDirectory, another_disk

LATENCY = 0.05
TOKEN = "0123456789" * 2

pytestmark = pytest.mark.slow


@asynccontextmanager
async def far_away(roots: dict[str, Path | str] | None = None) -> AsyncIterator[DaemonConnection]:
    lent = tuple(StorageRoot(token, token, str(path)) for token, path in (roots or {}).items())
    async with (
        IoDaemon(IoDaemonConfig(token=TOKEN, roots=lent)) as daemon,
        slow_way(daemon.port, LATENCY) as port,
    ):
        connection = DaemonConnection(
            DaemonAddress(token=TOKEN, port=port), socket_window=FIRST_WINDOW
        )
        try:
            yield connection
        finally:
            await connection.close()


class TestFarNetwork(NetworkConformance):
    @asynccontextmanager
    async def open_network(self, *, ipv6: bool = False) -> AsyncIterator[NetworkUnderTest]:
        async with far_away() as daemon:
            network = DaemonNetwork(daemon)
            yield NetworkUnderTest(network, network, "::1" if ipv6 else "127.0.0.1")


class TestFarDatagrams(DatagramConformance):
    @asynccontextmanager
    async def open_datagrams(self, *, ipv6: bool = False) -> AsyncIterator[DatagramsUnderTest]:
        async with far_away() as daemon:
            network = DaemonNetwork(daemon)
            local = "::1" if ipv6 else "127.0.0.1"
            yield DatagramsUnderTest(
                network, network, local, local, "localhost", ("127.0.0.1", "::1")
            )


class TestFarFileSystem(InDirectory, FileSystemConformance):
    @asynccontextmanager
    async def open_filesystem(self) -> AsyncIterator[FileSystemUnderTest]:
        async with AsyncExitStack() as stack:
            apart = stack.enter_context(another_disk(self.path))
            roots = {"here": self.path} | ({"apart": apart} if apart else {})
            files = DaemonFileSystem(await stack.enter_async_context(far_away(roots)))
            root = "apart" if apart else None
            yield FileSystemUnderTest(files, "here", self.put, self.get, root)


class TestFarDiskQueue(InDirectory, DiskQueueConformance):
    @asynccontextmanager
    async def open_disk(self, config: DiskConfig) -> AsyncIterator[DiskUnderTest]:
        async with far_away({"here": self.path}) as daemon:
            yield DiskUnderTest(BatchingDiskQueue(daemon, config), "here", self.put, self.get)
