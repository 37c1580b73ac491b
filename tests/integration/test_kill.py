"""A real process that downloads is killed again and again: it claims no wrong piece and ends right.

`MILLSTREAM_KILLS=100` kills it a hundred times, as `make kill` does.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from millstream import EngineConfig

from .conftest import LOOPBACK, Share, make_share

KILLS = int(os.environ.get("MILLSTREAM_KILLS", "10"))
PROGRAM = Path(__file__).with_name("killed_download.py")
RATE = 3_000_000
# What it verified so long before it was killed, seconds, is never lost: a second, and time for a
# machine that does other things, too.
MEMORY = 1.5

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60 + 10 * KILLS)]


class Victim:
    """One run of the program, and what it said when."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.has_begun, self.is_complete = asyncio.Event(), asyncio.Event()
        self.was_restored = False
        self.have: set[int] = set()
        self.verified: dict[int, float] = {}
        self.listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for line in self.process.stdout:
            match line.decode().split():
                case ["have", restored, states]:
                    self.was_restored = restored == "True"
                    self.have = {n for n, state in enumerate(bytes.fromhex(states)) if state}
                    self.has_begun.set()
                case ["piece", number]:
                    self.verified[int(number)] = asyncio.get_running_loop().time()
                case ["complete"]:
                    self.is_complete.set()

    async def kill(self) -> set[int]:
        """Kill it; returns the pieces that it must not forget."""
        self.process.kill()
        killed_at = asyncio.get_running_loop().time()
        await self.process.wait()
        await self.listening
        old = {piece for piece, when in self.verified.items() if when < killed_at - MEMORY}
        return self.have | old


async def run(directory: Path, session: str, flush: float, peer: str) -> Victim:
    arguments = [directory / session, directory, str(flush), peer, directory / "torrent"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, PROGRAM, *arguments, stdout=asyncio.subprocess.PIPE
    )
    victim = Victim(process)
    async with asyncio.timeout(30):
        await victim.has_begun.wait()
    return victim


def wrong_pieces(share: Share, directory: Path, claimed: set[int]) -> list[int]:
    stored, length = share.stored(directory), share.piece_length
    return [
        piece
        for piece in sorted(claimed)
        if stored[piece * length : (piece + 1) * length]
        != share.content[piece * length : (piece + 1) * length]
    ]


@pytest.mark.parametrize("session", ["session.sqlite", "session.json"])
async def test_killed_again_and_again(
    session: str,
    tmp_path: Path,
    start_engine: Callable[..., Awaitable],
) -> None:
    rng = random.Random(session)
    share = make_share(10_000_000, 32768, "killed.bin")
    seeder = await start_engine(share.store(tmp_path / "seed"), EngineConfig(network=LOOPBACK))
    await (await seeder.add(share.data)).wait_complete()
    seeder.set_limits(download=None, upload=RATE)
    peer = f"127.0.0.1:{seeder.listen_port}"
    directory = tmp_path / "killed"
    kept: set[int] | None = None
    kills = resumed = 0
    while kills < -(-KILLS // 2) or not resumed:
        if kept is None:
            directory.mkdir()
            (directory / "torrent").write_bytes(share.data)
        victim = await run(directory, session, rng.choice([0.1, 0.7, 30.0]), peer)
        assert wrong_pieces(share, directory, victim.have) == []
        if kept is not None:
            # Killed before it said that it had added the torrent, it need not have.
            assert victim.was_restored or not kept
            assert kept <= victim.have
            resumed += bool(kept)
        try:
            async with asyncio.timeout(rng.uniform(0, 2.2)):
                await victim.is_complete.wait()
        except TimeoutError:
            kept = await victim.kill()
            kills += 1
        else:
            await victim.kill()
            assert share.stored(directory) == share.content
            shutil.rmtree(directory)
            kept = None
    if kept is not None:
        victim = await run(directory, session, 0.5, peer)
        assert kept <= victim.have
        async with asyncio.timeout(30):
            await victim.is_complete.wait()
        await victim.kill()
        assert share.stored(directory) == share.content
