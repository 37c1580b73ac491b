"""The engine in memory: for tests, simulations and experiments."""

from __future__ import annotations

import random

from millstream.adapters.memory import (
    MemoryClock,
    MemoryCryptography,
    MemoryDiskQueue,
    MemoryFileSystem,
    MemoryNetwork,
)
from millstream.engine.config import EngineConfig, NetworkConfig
from millstream.engine.engine import Engine
from millstream.interfaces.clock import LocalClock
from millstream.interfaces.disk import DiskQueue
from millstream.interfaces.http import HttpClient
from millstream.interfaces.network import Network
from millstream.interfaces.platform import Platform
from millstream.interfaces.session_store import SessionStore


def create_memory_engine(
    config: EngineConfig | None = None,
    *,
    network: Network | None = None,
    files: MemoryFileSystem | None = None,
    save_path: str = "memory",
    disk_latency: float = 0.0,
    disk_rate: float | None = None,
    http: HttpClient | None = None,
    clock: LocalClock | None = None,
    session: SessionStore | None = None,
    disk: DiskQueue | None = None,
) -> Engine:
    """Create an engine whose network and files are objects; no sockets, no files, no threads.

    Under `millstream.testing.run_virtual` it lives in virtual time, and with a seed in its config
    does the same every time.

    Args:
        config: the settings; None for the defaults.
        network: a host of a `MemoryNetwork`, shared with other engines; None for a lonely one.
        files: what is stored; None for an empty file system.
        save_path: the root of torrents that are added without one.
        disk_latency: seconds before a disk job begins.
        disk_rate: bytes a second of the disk; None for no limit.
        http: a `MemoryHttp`; None goes without.
        clock: the hour, for limits that follow it; None begins on a Monday at midnight.
        session: where its torrents are remembered, a `MemorySessionStore` for one; None remembers
            nothing.
        disk: instead of one made with `disk_latency` and `disk_rate`; a
            `millstream.testing.faulty_disk.FaultyDisk` for one.
    """
    config = config or EngineConfig(network=NetworkConfig(listen_hosts=("127.0.0.1",)))
    files = files or MemoryFileSystem()
    if network is None:
        network = MemoryNetwork(random.Random(config.seed)).host("127.0.0.1")
    platform = Platform(
        network=network,
        disk=disk or MemoryDiskQueue(files, config.disk, latency=disk_latency, rate=disk_rate),
        files=files,
        cryptography=MemoryCryptography(random.Random(config.seed)),
        clock=clock or MemoryClock(),
        http=http,
        store=session,
    )
    return Engine(config, platform, save_path)
