"""Torrents moved by real engines, to a real other disk, by processes that are killed meanwhile."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from millstream import Engine, EngineConfig, TorrentState
from millstream.core.file_priority import FilePriority
from millstream.events import PieceFailed
from millstream.testing.content import multi_file_torrent

from .conftest import LOOPBACK, StartEngine
from .directories import names, on_another_disk, tree, write

KILLS = int(os.environ.get("MILLSTREAM_KILLS", "14"))
PROGRAM = Path(__file__).with_name("killed_move.py")


PIECE_LENGTH = 1 << 18
SIZES = [9_000_000, 70_001, 0, 16_000_000, 5, 3_000_000]


@pytest.fixture(params=["same disk", "other disk"])
def new(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    if request.param == "same disk":
        yield tmp_path / "new"
        return
    with on_another_disk(tmp_path) as directory:
        yield directory / "new"


@pytest.fixture(scope="module")
def contents() -> dict[str, bytes]:
    rng = random.Random(1)
    return {f"t/d{number % 2}/{number}": rng.randbytes(size) for number, size in enumerate(SIZES)}


@pytest.fixture(scope="module")
def torrent_file(contents: dict[str, bytes]) -> bytes:
    files = [(tuple(path.split("/")[1:]), data) for path, data in contents.items()]
    return multi_file_torrent("t", files, PIECE_LENGTH)


async def serve(start_engine: StartEngine, root: Path, torrent_file: bytes, rate: int) -> Engine:
    seeder = await start_engine(root, EngineConfig(network=LOOPBACK))
    await (await seeder.add(torrent_file)).wait_complete()
    seeder.set_limits(download=None, upload=rate)
    return seeder


async def test_a_download_moves_while_it_runs(
    tmp_path: Path,
    new: Path,
    contents: dict[str, bytes],
    torrent_file: bytes,
    start_engine: StartEngine,
) -> None:
    seeder = await serve(start_engine, write(tmp_path / "s", contents), torrent_file, 20_000_000)
    old = tmp_path / "old"
    engine = await start_engine(old, EngineConfig(network=LOOPBACK))
    torrent = await engine.add(torrent_file, peers=[f"127.0.0.1:{seeder.listen_port}"])
    failed: list[object] = []
    torrent.listen(lambda event: failed.append(event) if isinstance(event, PieceFailed) else None)
    moves = 0
    while torrent.state is not TorrentState.SEEDING or moves < 3:
        await asyncio.sleep(0.1)
        await torrent.move(new if moves % 2 == 0 else old)
        moves += 1
    await torrent.wait_complete()
    await torrent.rename_folder("t/d1", "t/deeper/still")
    await torrent.move(new if moves % 2 == 0 else old)
    here, there = Path(torrent.save_path), old if torrent.save_path == str(new) else new
    assert tree(here) == {
        path.replace("t/d1", "t/deeper/still"): data for path, data in contents.items()
    }
    assert names(there) == []
    assert failed == []
    assert torrent.status().downloaded == sum(SIZES)


async def test_a_seed_serves_while_its_files_move(
    tmp_path: Path,
    new: Path,
    contents: dict[str, bytes],
    torrent_file: bytes,
    start_engine: StartEngine,
) -> None:
    old = write(tmp_path / "old", contents)
    seeder = await serve(start_engine, old, torrent_file, 20_000_000)
    [torrent] = seeder.torrents
    leech = await start_engine(tmp_path / "leech", EngineConfig(network=LOOPBACK))
    taken = await leech.add(torrent_file, peers=[f"127.0.0.1:{seeder.listen_port}"])
    moves = 0
    while taken.state is not TorrentState.SEEDING:
        await torrent.move(new if moves % 2 == 0 else old)
        moves += 1
        await asyncio.sleep(0.05)
    assert moves >= 2
    assert tree(tmp_path / "leech") == contents
    assert taken.status().wasted == 0
    assert torrent.state is TorrentState.SEEDING


async def test_parts_and_deletion(
    tmp_path: Path,
    new: Path,
    contents: dict[str, bytes],
    torrent_file: bytes,
    start_engine: StartEngine,
) -> None:
    seeder = await serve(start_engine, write(tmp_path / "s", contents), torrent_file, 100_000_000)
    old = tmp_path / "old"
    engine = await start_engine(old, EngineConfig(network=LOOPBACK))
    torrent = await engine.add(
        torrent_file, peers=[f"127.0.0.1:{seeder.listen_port}"], select=[1, 4]
    )
    await torrent.wait_complete()
    await torrent.move(new)
    found = [f".{torrent.info_hash}.parts", "t/d0/4", "t/d1/1"]
    assert sorted(tree(new)) == found
    # The parts file has holes where nothing came.
    assert (new / found[0]).stat().st_blocks * 512 < 3 * PIECE_LENGTH + 100_000
    await torrent.set_file_priorities({3: FilePriority.HIGH})
    await torrent.wait_complete()
    assert tree(new)["t/d1/3"] == contents["t/d1/3"]
    assert torrent.status().wasted == 0
    (new / "t/mine").write_bytes(b"mine")
    await engine.remove(torrent, delete_data=True)
    assert tree(new) == {"t/mine": b"mine"}
    assert names(new) == ["mine", "t"]
    assert tree(old) == {}


@pytest.mark.slow
@pytest.mark.timeout(60 + 10 * KILLS)
async def test_a_process_that_is_killed_while_it_moves(
    tmp_path: Path, new: Path, contents: dict[str, bytes], torrent_file: bytes
) -> None:
    rng = random.Random(7)
    old = write(tmp_path / "old", contents)
    (tmp_path / "torrent").write_bytes(torrent_file)
    arguments = [tmp_path / "session.sqlite", tmp_path / "torrent", old, new]

    async def run(moves: int) -> tuple[asyncio.subprocess.Process, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, PROGRAM, *arguments, str(moves), stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(60):
            words = (await process.stdout.readline()).decode().split()
        assert words[0] == "at"
        assert set(bytes.fromhex(words[2])) == {2}, "it lost pieces"
        return process, words[1]

    async def kill_some(read: Callable[[], Awaitable[bytes]]) -> int:
        lines = 0
        while await read():
            lines += 1
        return lines

    moved = 0
    for _ in range(-(-KILLS // 2)):
        process, _ = await run(1000)
        await asyncio.sleep(rng.uniform(0, 0.5))
        process.kill()
        moved += await kill_some(process.stdout.readline)
        await process.wait()
        for path, data in contents.items():
            assert any(
                (root / path).is_file() and (root / path).read_bytes() == data
                for root in (old, new)
            ), path
    process, place = await run(0)
    await process.wait()
    there = old if place == str(new) else new
    assert tree(Path(place)) == contents
    assert names(there) == []
    assert moved
