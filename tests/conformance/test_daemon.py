"""The daemon's adapter against the conformance suites: a real io-daemon, on a loopback socket."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from unittest import SkipTest

import pytest
from tests.integration.lending import slow_way

from millstream.adapters.daemon import (
    BatchingDiskQueue,
    DaemonAddress,
    DaemonConnection,
    DaemonFileSystem,
    DaemonHttp,
    DaemonNetwork,
)
from millstream.interfaces.disk import DiskConfig
from millstream.io_daemon.config import IoDaemonConfig
from millstream.io_daemon.server import IoDaemon
from millstream.io_wire.window import FIRST_WINDOW
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
from millstream.testing.conformance_http import HttpConformance, HttpSite, HttpUnderTest

from .test_http import served
from .test_native import InDirectory, another_disk, has_ipv6_loopback

TOKEN = "a token of the tests".replace(" ", "-")


@asynccontextmanager
async def connected(
    roots: dict[str, Path | str] | None = None, latency: float = 0.0
) -> AsyncIterator[DaemonConnection]:
    """A daemon that lends these directories, and a connection to it, so far away."""
    lent = tuple(StorageRoot(token, token, str(path)) for token, path in (roots or {}).items())
    async with AsyncExitStack() as stack:
        settings = IoDaemonConfig(token=TOKEN, roots=lent)
        port = (await stack.enter_async_context(IoDaemon(settings))).port
        if latency:
            port = await stack.enter_async_context(slow_way(port, latency))
        address = DaemonAddress(token=TOKEN, port=port)
        connection = DaemonConnection(address, socket_window=FIRST_WINDOW)
        stack.push_async_callback(connection.close)
        yield connection


class AtADistance:
    """Seconds to the daemon; as many back."""

    latency = 0.0


class TestDaemonNetwork(AtADistance, NetworkConformance):
    @asynccontextmanager
    async def open_network(self, *, ipv6: bool = False) -> AsyncIterator[NetworkUnderTest]:
        if ipv6 and not has_ipv6_loopback():
            raise SkipTest("this machine has no IPv6 loopback")
        async with connected(latency=self.latency) as daemon:
            network = DaemonNetwork(daemon)
            yield NetworkUnderTest(network, network, "::1" if ipv6 else "127.0.0.1")


class TestTwoDaemons(NetworkConformance):
    @asynccontextmanager
    async def open_network(self, *, ipv6: bool = False) -> AsyncIterator[NetworkUnderTest]:
        if ipv6 and not has_ipv6_loopback():
            raise SkipTest("this machine has no IPv6 loopback")
        async with connected() as one, connected() as other:
            host = "::1" if ipv6 else "127.0.0.1"
            yield NetworkUnderTest(DaemonNetwork(one), DaemonNetwork(other), host)


class TestDaemonDatagrams(AtADistance, DatagramConformance):
    @asynccontextmanager
    async def open_datagrams(self, *, ipv6: bool = False) -> AsyncIterator[DatagramsUnderTest]:
        if ipv6 and not has_ipv6_loopback():
            raise SkipTest("this machine has no IPv6 loopback")
        async with connected(latency=self.latency) as daemon:
            network = DaemonNetwork(daemon)
            local = "::1" if ipv6 else "127.0.0.1"
            names = ("127.0.0.1", "::1")
            yield DatagramsUnderTest(network, network, local, local, "localhost", names)


class TestDaemonHttp(HttpConformance):
    @asynccontextmanager
    async def open_http(self, site: HttpSite) -> AsyncIterator[HttpUnderTest]:
        async with (
            connected() as daemon,
            served(site, DaemonHttp(DaemonNetwork(daemon), "Millstream/test")) as under_test,
        ):
            yield under_test


class TestDaemonFileSystem(AtADistance, InDirectory, FileSystemConformance):
    @asynccontextmanager
    async def open_filesystem(self) -> AsyncIterator[FileSystemUnderTest]:
        async with AsyncExitStack() as stack:
            apart = stack.enter_context(another_disk(self.path))
            roots = {"here": self.path} | ({"apart": apart} if apart else {})
            daemon = await stack.enter_async_context(connected(roots, self.latency))
            other = "apart" if apart else None
            yield FileSystemUnderTest(DaemonFileSystem(daemon), "here", self.put, self.get, other)


class TestDaemonDiskQueue(AtADistance, InDirectory, DiskQueueConformance):
    @asynccontextmanager
    async def open_disk(self, config: DiskConfig) -> AsyncIterator[DiskUnderTest]:
        async with connected({"here": self.path}, self.latency) as daemon:
            yield DiskUnderTest(BatchingDiskQueue(daemon, config), "here", self.put, self.get)


class TestDaemonDiskBelowARoot(InDirectory, DiskQueueConformance):
    """A root of the engine may be a directory within one of the daemon's."""

    @pytest.fixture(autouse=True)
    def _make_below(self, _make_root: None) -> None:
        self.path = self.path / "some" / "directory"
        self.path.mkdir(parents=True)

    @asynccontextmanager
    async def open_disk(self, config: DiskConfig) -> AsyncIterator[DiskUnderTest]:
        async with connected({"here": self.path.parents[1]}) as daemon:
            queue = BatchingDiskQueue(daemon, config)
            yield DiskUnderTest(queue, "here/some/directory", self.put, self.get)


class TestDaemonDiskAtAUnixSocket(InDirectory, DiskQueueConformance):
    @asynccontextmanager
    async def open_disk(self, config: DiskConfig) -> AsyncIterator[DiskUnderTest]:
        path = self.path.parent / "daemon"
        lent = (StorageRoot("here", "here", str(self.path)),)
        settings = IoDaemonConfig(token=TOKEN, host=None, unix_socket=path, roots=lent)
        async with IoDaemon(settings):
            opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            opened.connect(str(path))
            address = DaemonAddress(token=TOKEN, connected=opened)
            daemon = DaemonConnection(address)
            await daemon.ready()
            queue = BatchingDiskQueue(daemon, config)
            yield DiskUnderTest(queue, "here", self.put, self.get)
            await queue.close()
            opened.close()
