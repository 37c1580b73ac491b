"""A program that moves its torrent to and fro, and is killed: `session torrent one other moves`.

It says where the torrent is and what it has once that is known, and after each move where it is.
"""

from __future__ import annotations

import asyncio
import sys

from millstream import EngineConfig, NetworkConfig, create_native_engine


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def main(session: str, torrent_file: str, one: str, other: str, moves: str) -> None:
    config = EngineConfig(network=NetworkConfig(listen_hosts=("127.0.0.1",)))
    async with create_native_engine(config, save_path=one, session=session) as engine:
        restored = await engine.restore_session()
        assert not restored.failed, restored.failed
        torrent = restored.torrents[0] if restored.torrents else await engine.add(torrent_file)
        await torrent.wait_checked()
        say("at", torrent.save_path, torrent.piece_states().hex())
        for _ in range(int(moves)):
            await torrent.move(other if torrent.save_path == one else one)
            say("moved", torrent.save_path)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
