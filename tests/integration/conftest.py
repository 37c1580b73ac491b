"""Engines on real sockets and files."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from millstream import Engine, EngineConfig, Metainfo, NetworkConfig, create_native_engine
from millstream.engine.config import Encryption, EncryptionConfig
from millstream.events import PieceVerified
from millstream.protocol.metainfo import FileEntry
from millstream.protocol.metainfo_building import build

from .raw_peer import RawPeer
from .victim import HALF, Victim, attach_good_peer, magnet_of

StartEngine = Callable[..., Awaitable[Engine]]
MakeVictim = Callable[..., Awaitable[Victim]]

LOOPBACK = NetworkConfig(listen_hosts=("127.0.0.1",))
# Raw peers speak plainly, but for those in test_encryption.py.
UNENCRYPTED = EncryptionConfig(policy=Encryption.DISABLE)


@dataclass(frozen=True, slots=True)
class Share:
    """A torrent of one file, and the file's bytes."""

    name: str
    content: bytes
    data: bytes
    piece_length: int

    @property
    def metainfo(self) -> Metainfo:
        return Metainfo.parse(self.data)

    @property
    def info_hash(self) -> bytes:
        return bytes(self.metainfo.info_hash)

    @property
    def piece_count(self) -> int:
        return self.metainfo.piece_count

    def store(self, directory: Path) -> Path:
        """Write the whole file below a directory; returns the directory."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / self.name).write_bytes(self.content)
        return directory

    def stored(self, directory: Path) -> bytes:
        return (directory / self.name).read_bytes()


def make_share(size: int, piece_length: int, name: str = "shared.bin") -> Share:
    content = random.Random(name).randbytes(size)
    digests = b"".join(
        hashlib.sha1(content[at : at + piece_length]).digest()
        for at in range(0, size, piece_length)
    )
    files = [FileEntry((name,), size)]
    data = build(name, files, piece_length, digests, is_multi_file=False)
    return Share(name, content, data, piece_length)


@pytest.fixture
def share() -> Share:
    """Eight pieces of two blocks, the last one short."""
    return make_share(7 * 32768 + 20_000, 32768)


@pytest.fixture(autouse=True)
async def _close_raw_peers() -> AsyncIterator[None]:
    yield
    for peer in RawPeer.everyone:
        peer.writer.transport.abort()
    RawPeer.everyone.clear()


@pytest.fixture
async def start_engine() -> AsyncIterator[StartEngine]:
    """Start engines: `await start_engine(save_path, config)`; closed at the end if not before."""
    seeds = itertools.count(1)
    async with AsyncExitStack() as engines:

        async def start(save_path: Path, config: EngineConfig | None = None) -> Engine:
            config = config or EngineConfig(network=LOOPBACK, encryption=UNENCRYPTED)
            config = replace(config, seed=next(seeds))
            return await engines.enter_async_context(
                create_native_engine(config, save_path=save_path)
            )

        yield start


@pytest.fixture
async def make_victim(
    start_engine: StartEngine, share: Share, tmp_path: Path
) -> AsyncIterator[MakeVictim]:
    """Make victims: `await make_victim(network_config, magnet=True)`."""
    async with AsyncExitStack() as stack:

        async def make(network: NetworkConfig = LOOPBACK, *, magnet: bool = False) -> Victim:
            directory = tmp_path / "downloads"
            config = EngineConfig(network=network, encryption=UNENCRYPTED)
            engine = await start_engine(directory, config)
            torrent = await engine.add(magnet_of(share) if magnet else share.data)
            events = torrent.events()
            if not magnet:
                await torrent.wait_checked()
            victim, serving = await attach_good_peer(engine, torrent, share, directory)
            stack.push_async_callback(asyncio.gather, serving)
            stack.push_async_callback(victim.good.close)
            verified = 0
            while not magnet and verified < HALF:
                verified += isinstance(await anext(events), PieceVerified)
            return victim

        yield make


@pytest.fixture
async def victim(make_victim: MakeVictim) -> Victim:
    return await make_victim()
