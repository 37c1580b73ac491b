"""Millstream against libtorrent, over real sockets on the loopback."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from millstream import Engine, EngineConfig, NetworkConfig, create_native_engine
from millstream.engine.config import EncryptionConfig

if TYPE_CHECKING:
    from .libtorrent_peer import LibtorrentPeer

StartLibtorrent = Callable[..., "LibtorrentPeer"]
StartMillstream = Callable[..., Awaitable[Engine]]


@pytest.fixture(scope="session", autouse=True)
def _libtorrent_is_there() -> None:
    pytest.importorskip("libtorrent", reason="libtorrent cannot be imported", exc_type=ImportError)


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """Pytest's, but emptied at once: hundreds of megabytes pass through here."""
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.fixture
def libtorrent(tmp_path: Path) -> Iterator[StartLibtorrent]:
    """Start libtorrent peers: `libtorrent(torrent, save_path, ...)`."""
    from .libtorrent_peer import LibtorrentPeer

    peers: list[LibtorrentPeer] = []

    def start(torrent: bytes, save_path: Path, **options: object) -> LibtorrentPeer:
        save_path.mkdir(parents=True, exist_ok=True)
        peers.append(LibtorrentPeer(torrent, save_path, **options))
        return peers[-1]

    yield start
    for peer in peers:
        peer.close()


@pytest.fixture
async def millstream(tmp_path: Path) -> AsyncIterator[StartMillstream]:
    """Start engines: `await millstream(save_path)`; closed at the end if they are not before."""
    # Peer ids come from the seed: two engines with one seed would be taken for one peer.
    seeds = itertools.count(1)
    async with AsyncExitStack() as engines:

        async def start(
            save_path: Path,
            *,
            port: int = 0,
            host: str = "127.0.0.1",
            encryption: EncryptionConfig | None = None,
        ) -> Engine:
            network = NetworkConfig(listen_hosts=(host,), listen_port=port)
            config = EngineConfig(
                network=network, encryption=encryption or EncryptionConfig(), seed=next(seeds)
            )
            return await engines.enter_async_context(
                create_native_engine(config, save_path=save_path)
            )

        yield start
