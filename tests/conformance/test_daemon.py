"""The daemon's adapter against the conformance suites: a real io-daemon, on a loopback socket."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from unittest import SkipTest

import pytest

from millstream.adapters.daemon import (
    BatchingDiskQueue,
    DaemonAddress,
    DaemonConnection,
    DaemonFileSystem,
    DaemonNetwork,
)
from millstream.adapters.daemon.http import DaemonHttp
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
from millstream.testing.conformance_http import HttpConformance, HttpSite, HttpUnderTest

from .test_http import served
from .test_native import InDirectory, another_disk, has_ipv6_loopback

TOKEN = "a token of the tests".replace(" ", "-")


@asynccontextmanager
async def connected(roots: dict[str, Path | str] | None = None) -> AsyncIterator[DaemonConnection]:
    """A daemon that lends these directories, and a connection to it."""
    lent = tuple(StorageRoot(token, token, str(path)) for token, path in (roots or {}).items())
    async with IoDaemon(IoDaemonConfig(token=TOKEN, roots=lent)) as daemon:
        connection = DaemonConnection(
            DaemonAddress(token=TOKEN, port=daemon.port), socket_window=FIRST_WINDOW
        )
        try:
            yield connection
        finally:
            await connection.close()


class TestDaemonNetwork(NetworkConformance):
    @asynccontextmanager
    async def open_network(self, *, ipv6: bool = False) -> AsyncIterator[NetworkUnderTest]:
        if ipv6 and not has_ipv6_loopback():
            raise SkipTest("this machine has no IPv6 loopback")
        async with connected() as daemon:
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


class TestDaemonDatagrams(DatagramConformance):
    @asynccontextmanager
    async def open_datagrams(self, *, ipv6: bool = False) -> AsyncIterator[DatagramsUnderTest]:
        if ipv6 and not has_ipv6_loopback():
            raise SkipTest("this machine has no IPv6 loopback")
        async with connected() as daemon:
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


class TestDaemonFileSystem(InDirectory, FileSystemConformance):
    directory = ""

    @asynccontextmanager
    async def open_filesystem(self) -> AsyncIterator[FileSystemUnderTest]:
        async with AsyncExitStack() as stack:
            apart = stack.enter_context(another_disk(self.path))
            roots = {"here": self.path} | ({"apart": apart} if apart else {})
            files = DaemonFileSystem(await stack.enter_async_context(connected(roots)))
            root = f"here{self.directory}"
            yield FileSystemUnderTest(
                files, root, self.put, self.get, f"apart{self.directory}" if apart else None
            )


class TestDaemonDiskQueue(InDirectory, DiskQueueConformance):
    @asynccontextmanager
    async def open_disk(self, config: DiskConfig) -> AsyncIterator[DiskUnderTest]:
        async with connected({"here": self.path}) as daemon:
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
