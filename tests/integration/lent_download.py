"""A program whose engine has a daemon's sockets and files, and is killed: `port token root peer torrent`.

It prints each piece that it verifies.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from millstream import EngineConfig, NetworkConfig
from millstream.adapters.daemon import DaemonAddress
from millstream.events import PieceVerified
from millstream.presets.daemon import create_daemon_engine


async def main(port: str, token: str, root: str, peer: str, torrent_file: str) -> None:
    config = EngineConfig(network=NetworkConfig(listen_hosts=("127.0.0.1",)))
    daemon = DaemonAddress(token=token, port=int(port))
    data = Path(torrent_file).read_bytes()  # noqa: ASYNC240 - nothing else runs
    async with create_daemon_engine(config, daemon=daemon, roots=[root]) as engine:
        torrent = await engine.add(data)
        await torrent.wait_checked()
        events = torrent.events()
        torrent.add_peer(peer)
        async for event in events:
            if isinstance(event, PieceVerified):
                sys.stdout.write(f"piece {event.piece}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
