"""An io-daemon for one engine of the bench.

    python -m bench.clients.lending_daemon DIRECTORY

It lends DIRECTORY as `bench`, reports its port, and serves until its input closes.
"""

from __future__ import annotations

import asyncio
import sys

from bench.clients.runner_link import report
from millstream.io_daemon.config import IoDaemonConfig
from millstream.io_daemon.server import IoDaemon
from millstream.storage.roots import StorageRoot

ROOT = "bench"
# A secret to nobody: the daemon lives for one run, at a port of this machine.
TOKEN = "millstream-bench"  # noqa: S105


async def lend(directory: str) -> None:
    config = IoDaemonConfig(token=TOKEN, roots=(StorageRoot(ROOT, ROOT, directory),))
    async with IoDaemon(config) as daemon:
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
        report(port=daemon.port)
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(lend(*sys.argv[1:]))
