"""Millstream on an io-daemon's sockets and files.

    python -m bench.clients.lent_client batched TORRENT DAEMON_PORT PORT...
    python -m bench.clients.lent_client unbatched TORRENT DAEMON_PORT PORT...

The second writes each piece by an HTTP request of its own (`unbatched_disk`). Both download as
`millstream_client leech` does, and report besides how often the disk was asked to write.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path

import millstream
from bench.clients.lending_daemon import ROOT, TOKEN
from bench.clients.millstream_client import CONFIG
from bench.clients.runner_link import die_with_run, report
from bench.clients.unbatched_disk import UnbatchedDiskQueue
from millstream.adapters.daemon import BatchingDiskQueue, DaemonAddress
from millstream.presets.daemon import create_daemon_engine


async def leech(way: str, torrent: str, daemon_port: str, *ports: str) -> None:
    daemon = DaemonAddress(token=TOKEN, port=int(daemon_port))
    engine = create_daemon_engine(CONFIG, daemon=daemon, roots=[ROOT])
    if way == "unbatched":
        engine = without_batches(engine, daemon)
    # The engine's own files are the daemon's, which has none but the download.
    source = Path(torrent).read_bytes()  # noqa: ASYNC240 - nothing else runs
    async with engine:
        start = time.perf_counter()
        added = await engine.add(source, peers=[f"127.0.0.1:{port}" for port in ports])
        await added.wait_complete()
        seconds = time.perf_counter() - start
        disk = engine._platform.disk  # noqa: SLF001
        if isinstance(disk, BatchingDiskQueue):
            metrics = disk.snapshot().metrics
            asked, writes = metrics.write_batches, metrics.writes
        else:
            asked = writes = disk.requests  # type: ignore[attr-defined]
        report(seconds=seconds, asked=asked, writes=writes)


def without_batches(engine: millstream.Engine, daemon: DaemonAddress) -> millstream.Engine:
    """The same engine, but for its disk."""
    disk = UnbatchedDiskQueue(daemon.port, daemon.token, CONFIG.disk)
    other = millstream.Engine(CONFIG, replace(engine._platform, disk=disk), ROOT)  # noqa: SLF001
    other.roots.set_default(other.roots.add(ROOT, ROOT, ROOT).token)
    return other


if __name__ == "__main__":
    die_with_run()
    asyncio.run(leech(*sys.argv[1:]))
