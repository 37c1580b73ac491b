"""Engines among themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from millstream import Engine, EngineConfig, Torrent, TransferConfig

from .conftest import LOOPBACK, Share, StartEngine, make_share

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def share() -> Share:
    """64 pieces of one block."""
    return make_share(63 * 16384 + 5_000, 16384)


def address(engine: Engine) -> str:
    return f"127.0.0.1:{engine.listen_port}"


async def test_leech_serves_leech(share: Share, start_engine: StartEngine, tmp_path: Path) -> None:
    """A chain: the last one only knows a leech and gets everything through it."""
    seeder = await start_engine(share.store(tmp_path / "seeded"))
    middle = await start_engine(tmp_path / "middle")
    last = await start_engine(tmp_path / "last")
    seed = await seeder.add(share.data)
    await seed.wait_complete()
    between = await middle.add(share.data)
    await between.wait_checked()
    leech = await last.add(share.data, peers=[address(middle)])
    await leech.wait_checked()
    between.add_peer(address(seeder))

    await leech.wait_complete()

    assert share.stored(tmp_path / "last") == share.content
    assert share.stored(tmp_path / "middle") == share.content
    assert seed.status().uploaded == len(share.content)
    assert between.status().uploaded == leech.status().downloaded == len(share.content)


async def test_two_halves_make_each_other_whole(
    share: Share, start_engine: StartEngine, tmp_path: Path
) -> None:
    """There is no seed: what one lacks the other has."""
    torrents: list[Torrent] = []
    engines: list[Engine] = []
    for number in range(2):
        directory = share.store(tmp_path / str(number))
        content = bytearray(share.content)
        for piece in range(number, share.piece_count, 2):
            end = min((piece + 1) * share.piece_length, len(content))
            content[piece * share.piece_length : end] = bytes(end - piece * share.piece_length)
        (directory / share.name).write_bytes(content)
        engines.append(await start_engine(directory))
        torrents.append(await engines[-1].add(share.data))
        await torrents[-1].wait_checked()
        assert torrents[-1].status().pieces_have == share.piece_count // 2

    torrents[0].add_peer(address(engines[1]))
    for number, torrent in enumerate(torrents):
        await torrent.wait_complete()
        assert share.stored(tmp_path / str(number)) == share.content


async def test_everybody_knows_everybody(
    share: Share, start_engine: StartEngine, tmp_path: Path
) -> None:
    """Both ends connect at once, and one connection of each pair has to remain."""
    engines = [await start_engine(share.store(tmp_path / "0"))]
    engines += [await start_engine(tmp_path / str(number)) for number in range(1, 4)]
    torrents = [await engine.add(share.data) for engine in engines]
    for torrent in torrents:
        await torrent.wait_checked()
        for engine in engines:
            torrent.add_peer(address(engine))

    await asyncio.gather(*(torrent.wait_complete() for torrent in torrents))

    for number in range(4):
        assert share.stored(tmp_path / str(number)) == share.content


async def test_more_leeches_than_upload_slots(
    share: Share, start_engine: StartEngine, tmp_path: Path
) -> None:
    """One slot and three leeches that only know the seed: each gets its turn."""
    config = EngineConfig(network=LOOPBACK, transfer=TransferConfig(upload_slots=1))
    seeder = await start_engine(share.store(tmp_path / "seeded"), config)
    seed = await seeder.add(share.data)
    await seed.wait_complete()
    leeches = [await start_engine(tmp_path / str(number)) for number in range(3)]
    torrents = [await leech.add(share.data, peers=[address(seeder)]) for leech in leeches]

    await asyncio.gather(*(torrent.wait_complete() for torrent in torrents))

    assert seed.status().uploaded >= 3 * len(share.content)
    for number in range(3):
        assert share.stored(tmp_path / str(number)) == share.content


async def test_buffers_for_a_single_piece(start_engine: StartEngine, tmp_path: Path) -> None:
    """The bound on buffered pieces is smaller than a piece: then they come one by one."""
    share = make_share(5 * (2 << 20) + 1, 2 << 20, "large pieces")
    config = EngineConfig(network=LOOPBACK, transfer=TransferConfig(max_buffered_bytes=1 << 20))
    seeder = await start_engine(share.store(tmp_path / "seeded"))
    await (await seeder.add(share.data)).wait_complete()
    engine = await start_engine(tmp_path / "leeched", config)
    torrent = await engine.add(share.data, peers=[address(seeder)])

    await torrent.wait_complete()

    assert share.stored(tmp_path / "leeched") == share.content


async def test_two_torrents_between_two_engines(
    share: Share, start_engine: StartEngine, tmp_path: Path
) -> None:
    """Each engine seeds one and downloads the other."""
    other = make_share(40 * 16384, 16384, "other.bin")
    one = await start_engine(share.store(tmp_path / "one"))
    two = await start_engine(other.store(tmp_path / "two"))
    seeds = [await one.add(share.data), await two.add(other.data)]
    for seed in seeds:
        await seed.wait_complete()
    torrents = [
        await one.add(other.data, peers=[address(two)]),
        await two.add(share.data, peers=[address(one)]),
    ]

    await asyncio.gather(*(torrent.wait_complete() for torrent in torrents))

    assert other.stored(tmp_path / "one") == other.content
    assert share.stored(tmp_path / "two") == share.content
