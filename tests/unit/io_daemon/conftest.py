"""A lent directory, and what is outside of it."""

from __future__ import annotations

import asyncio

import pytest

from millstream.interfaces.disk import DiskConfig
from millstream.io_daemon.config import IoDaemonConfig
from millstream.io_daemon.disk_batches import DiskBatches
from millstream.io_daemon.lent_files import LentFiles
from millstream.io_daemon.lent_roots import LentRoots
from millstream.io_daemon.server import IoDaemon
from millstream.storage.roots import StorageRoot

from .io_client import IoClient


@pytest.fixture
def root(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    directory = tmp_path / "root"
    directory.mkdir()
    (directory / "out").symlink_to("../outside")
    return directory


@pytest.fixture
def roots(root):
    return LentRoots([StorageRoot("r", "R", str(root))])


@pytest.fixture
def files(roots):
    return LentFiles(roots)


@pytest.fixture
async def batches(files, roots):
    batches = DiskBatches(files, roots.get, DiskConfig(workers=2))
    batches.start()
    yield batches
    await batches.close()


TOKEN = "0123456789" * 2
SITE = "https://app.example"


@pytest.fixture
async def daemon(root):
    config = IoDaemonConfig(
        token=TOKEN,
        roots=(StorageRoot("r", "R", str(root)),),
        origins=(SITE,),
        disk=DiskConfig(workers=2),
    )
    async with IoDaemon(config) as running:
        yield running


@pytest.fixture
def url(daemon):
    return f"http://127.0.0.1:{daemon.port}"


@pytest.fixture
async def client(url):
    async with IoClient(url, TOKEN) as connected:
        yield connected


class Peer:
    """A server of TCP, and whoever comes to it."""

    def __init__(self):
        self.came = asyncio.Queue()
        self.writers = []

    async def start(self, ssl=None):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=ssl)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _accept(self, reader, writer):
        self.writers.append(writer)
        self.came.put_nowait((reader, writer))

    async def accepted(self):
        async with asyncio.timeout(5):
            return await self.came.get()

    async def close(self):
        self._server.close()
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.sleep(0)


@pytest.fixture
async def peer():
    peer = Peer()
    await peer.start()
    yield peer
    await peer.close()
