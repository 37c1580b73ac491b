"""A program that downloads with a session, and is killed: `session save_path flush peer torrent`.

It prints what it has once its files are checked, each piece it verifies, and when it is complete.
"""

from __future__ import annotations

import asyncio
import sys

from millstream import EngineConfig, NetworkConfig, create_native_engine
from millstream.engine import persistence
from millstream.events import PieceVerified


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def main(session: str, save_path: str, flush: str, peer: str, torrent_file: str) -> None:
    persistence.FLUSH_INTERVAL = float(flush)
    config = EngineConfig(network=NetworkConfig(listen_hosts=("127.0.0.1",)))
    async with create_native_engine(config, save_path=save_path, session=session) as engine:
        restored = await engine.restore_session()
        assert not restored.failed, restored.failed
        torrent = restored.torrents[0] if restored.torrents else await engine.add(torrent_file)
        await torrent.wait_checked()
        events = torrent.events()
        states = torrent.piece_states()
        say("have", bool(restored.torrents), states.hex())
        torrent.add_peer(peer)
        finished = asyncio.create_task(torrent.wait_complete())
        finished.add_done_callback(lambda _done: say("complete"))
        async for event in events:
            if isinstance(event, PieceVerified):
                say("piece", event.piece)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
