"""Millstream as a program would use it: its public API, its default settings.

    python -m bench.clients.millstream_client leech TORRENT DIRECTORY PORT...
    python -m bench.clients.millstream_client leech-rc4 TORRENT DIRECTORY PORT...
    python -m bench.clients.millstream_client magnet MAGNET DIRECTORY PORT
    python -m bench.clients.millstream_client seed TORRENT DIRECTORY
    python -m bench.clients.millstream_client seed-rc4 TORRENT DIRECTORY
    python -m bench.clients.millstream_client recheck TORRENT DIRECTORY
    python -m bench.clients.millstream_client create CONTENT PIECE_LENGTH TORRENT

`libtorrent_client` takes the same arguments and reports the same values.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import millstream
from bench.clients.runner_link import die_with_run, report
from millstream.events import PieceVerified

PLAIN = millstream.EncryptionConfig(policy=millstream.Encryption.DISABLE)
RC4 = millstream.EncryptionConfig(policy=millstream.Encryption.REQUIRE)
# Room for every peer at once, and no waiting for the turn to connect: the transfer is measured.
CONFIG = millstream.EngineConfig(
    network=millstream.NetworkConfig(
        listen_hosts=("127.0.0.1",),
        max_connections=1000,
        max_half_open=1000,
        max_connect_rate=10000,
    ),
    swarm=millstream.SwarmConfig(max_connections_per_torrent=1000),
    encryption=PLAIN,
)
RC4_CONFIG = replace(CONFIG, encryption=RC4)


async def leech(config: millstream.EngineConfig, torrent: str, directory: str, *ports: str) -> None:
    async with millstream.create_native_engine(config, save_path=directory) as engine:
        start = time.perf_counter()
        added = await engine.add(torrent, peers=[f"127.0.0.1:{port}" for port in ports])
        await added.wait_complete()
        report(seconds=time.perf_counter() - start, waited=0.0)


async def magnet(link: str, directory: str, port: str) -> None:
    async with millstream.create_native_engine(CONFIG, save_path=directory) as engine:
        start = time.perf_counter()
        added = await engine.add(link, peers=[f"127.0.0.1:{port}"])
        async for event in added.events():
            if isinstance(event, PieceVerified):
                break
        report(seconds=time.perf_counter() - start, waited=0.0)


async def seed(config: millstream.EngineConfig, torrent: str, directory: str) -> None:
    async with millstream.create_native_engine(config, save_path=directory) as engine:
        await engine.add(torrent, seed_mode=True)
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
        report(port=engine.listen_port)
        await ended.wait()


async def recheck(torrent: str, directory: str) -> None:
    start = time.perf_counter()
    found = await millstream.verify_torrent(torrent, directory)
    report(seconds=time.perf_counter() - start)
    if found.good_pieces != found.piece_count:
        raise RuntimeError(f"{len(found.bad)} pieces are bad")


async def create(content: str, piece_length: str, torrent: str) -> None:
    start = time.perf_counter()
    made = await millstream.create_torrent(content, piece_length=int(piece_length))
    report(seconds=time.perf_counter() - start)
    Path(torrent).write_bytes(made)  # noqa: ASYNC240 - nothing else runs


def main(command: str, *arguments: str) -> None:
    if not command.startswith("seed"):
        die_with_run()
    commands = {
        "leech": partial(leech, CONFIG),
        "leech-rc4": partial(leech, RC4_CONFIG),
        "magnet": magnet,
        "seed": partial(seed, CONFIG),
        "seed-rc4": partial(seed, RC4_CONFIG),
        "recheck": recheck,
        "create": create,
    }
    asyncio.run(commands[command](*arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
