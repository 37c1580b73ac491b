"""Several peers, and peers that come and go."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from millstream import Torrent, TorrentState
from millstream.events import PeerDisconnected, PieceVerified

from .conftest import StartLibtorrent, StartMillstream
from .contents import assert_same_files, files_below, single_file, tree_of_pieces

pytestmark = [pytest.mark.interop, pytest.mark.timeout(60)]

KIB = 1024
MIB = 1024 * KIB
HALF = 32 * 16 * KIB
# Slow enough that a seeder is still at it when its leech has half.
CRAWL = 2 * MIB


async def wait_verified(torrent: Torrent, pieces: int) -> None:
    events = torrent.events()
    left = pieces - torrent.status().pieces_have
    while left > 0:
        left -= isinstance(await anext(events), PieceVerified)


def blank(path: Path, begin: int, end: int) -> None:
    """Overwrite a part of a file with zeros."""
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(bytes(end - begin))


class Split(NamedTuple):
    """A file, a torrent of it, and two directories that have half of it each: 32 pieces."""

    whole: Path
    data: bytes
    halves: tuple[Path, Path]


@pytest.fixture
async def split(tmp_path: Path) -> Split:
    tree = single_file(2 * HALF)
    whole, data = await tree.share(tmp_path / "seeded", 16 * KIB)
    halves = tmp_path / "half-0", tmp_path / "half-1"
    for number, half in enumerate(halves):
        shutil.copytree(whole, half)
        blank(half / tree.name, (1 - number) * HALF, (2 - number) * HALF)
    return Split(whole, data, halves)


async def test_libtorrent_seeder_goes_away_half_way_and_comes_back(
    tmp_path: Path, libtorrent: StartLibtorrent, millstream: StartMillstream
) -> None:
    seeded, data = await single_file(2 * MIB).share(tmp_path / "seeded", 32 * KIB)
    seeder = libtorrent(data, seeded, upload_limit=CRAWL)
    await seeder.wait_complete()
    engine = await millstream(tmp_path / "leeched")
    torrent = await engine.add(data, peers=[seeder.address])
    await wait_verified(torrent, 32)
    events = torrent.events()

    seeder.close()
    while not isinstance(await anext(events), PeerDisconnected):
        pass
    status = torrent.status()
    assert (status.state, status.peers) == (TorrentState.DOWNLOADING, 0)
    assert 0.5 <= status.progress < 1
    libtorrent(data, seeded, port=seeder.port)
    await torrent.wait_complete()

    assert torrent.status().downloaded < 2 * MIB + 32 * 32 * KIB, "what it had came again"
    assert_same_files(seeded, tmp_path / "leeched")


async def test_millstream_seeder_goes_away_half_way_and_comes_back(
    tmp_path: Path, libtorrent: StartLibtorrent, millstream: StartMillstream
) -> None:
    seeded, data = await single_file(2 * MIB).share(tmp_path / "seeded", 32 * KIB)
    engine = await millstream(seeded)
    port = engine.listen_port
    torrent = await engine.add(data)
    await torrent.wait_complete()
    leech = libtorrent(data, tmp_path / "leeched", download_limit=CRAWL)
    await leech.wait_checked()
    leech.connect(port)
    await leech.wait_progress(0.5)

    await engine.close()
    assert leech.progress < 1
    leech.lift_limits()
    again = await millstream(seeded, port=port)
    await again.add(data)
    leech.connect(port)
    await leech.wait_complete()

    leech.close()
    assert_same_files(seeded, tmp_path / "leeched")


async def test_two_libtorrent_seeders_with_half_each(
    tmp_path: Path, split: Split, libtorrent: StartLibtorrent, millstream: StartMillstream
) -> None:
    halves = [libtorrent(split.data, half) for half in split.halves]
    for half in halves:
        await half.wait_checked()
        half.want_nothing_more()
    assert [sum(half.pieces) for half in halves] == [32, 32]

    engine = await millstream(tmp_path / "leeched")
    torrent = await engine.add(split.data, peers=[half.address for half in halves])
    await torrent.wait_complete()

    assert_same_files(split.whole, tmp_path / "leeched")


async def test_two_libtorrent_halves_are_made_whole_through_millstream(
    tmp_path: Path, split: Split, libtorrent: StartLibtorrent, millstream: StartMillstream
) -> None:
    halves = [libtorrent(split.data, half) for half in split.halves]
    for half in halves:
        await half.wait_checked()

    engine = await millstream(tmp_path / "leeched")
    torrent = await engine.add(split.data, peers=[half.address for half in halves])
    await torrent.wait_complete()
    for half in halves:
        await half.wait_complete()
        half.close()

    for place in split.halves:
        assert_same_files(split.whole, place)
    assert_same_files(split.whole, tmp_path / "leeched")


async def test_two_millstream_seeders_with_half_each(
    tmp_path: Path, split: Split, libtorrent: StartLibtorrent, millstream: StartMillstream
) -> None:
    leech = libtorrent(split.data, tmp_path / "leeched")
    await leech.wait_checked()
    halves = []
    for half in split.halves:
        engine = await millstream(half)
        torrent = await engine.add(split.data, peers=[leech.address])
        await torrent.wait_checked()
        assert torrent.status().pieces_have == 32
        halves.append(torrent)

    await leech.wait_complete()
    for torrent in halves:
        await torrent.wait_complete()

    leech.close()
    assert_same_files(split.whole, tmp_path / "leeched")
    for place in split.halves:
        assert_same_files(split.whole, place)


async def test_three_libtorrent_seeders_at_once(
    tmp_path: Path, libtorrent: StartLibtorrent, millstream: StartMillstream
) -> None:
    seeded, data = await tree_of_pieces(MIB).share(tmp_path / "seeded", 64 * KIB)
    seeders = [libtorrent(data, seeded, upload_limit=2 * CRAWL) for _ in range(3)]
    for seeder in seeders:
        await seeder.wait_complete()

    engine = await millstream(tmp_path / "leeched")
    torrent = await engine.add(data, peers=[seeder.address for seeder in seeders])
    await torrent.wait_complete()

    assert all(seeder.uploaded for seeder in seeders)
    assert_same_files(seeded, tmp_path / "leeched")


async def test_three_libtorrent_leeches_at_once(
    tmp_path: Path, libtorrent: StartLibtorrent, millstream: StartMillstream
) -> None:
    seeded, data = await tree_of_pieces(MIB).share(tmp_path / "seeded", 64 * KIB)
    leeches = [libtorrent(data, tmp_path / f"leeched-{number}") for number in range(3)]
    engine = await millstream(seeded)
    torrent = await engine.add(data, peers=[leech.address for leech in leeches])

    for leech in leeches:
        await leech.wait_complete()
        leech.close()

    assert torrent.status().uploaded >= 3 * torrent.metainfo.total_length
    for number in range(3):
        assert_same_files(seeded, tmp_path / f"leeched-{number}")


async def test_both_connect_at_once(
    tmp_path: Path, libtorrent: StartLibtorrent, millstream: StartMillstream
) -> None:
    """One of the two connections has to remain, whichever."""
    seeded, data = await single_file(MIB).share(tmp_path / "seeded", 32 * KIB)
    for number in range(4):  # peer ids are random, and the greater one decides
        seeder = libtorrent(data, seeded)
        await seeder.wait_complete()
        engine = await millstream(tmp_path / f"leeched-{number}")
        torrent = await engine.add(data)
        await torrent.wait_checked()

        seeder.connect(engine.listen_port)
        torrent.add_peer(seeder.address)
        await torrent.wait_complete()

        assert_same_files(seeded, tmp_path / f"leeched-{number}")


async def test_restart_of_the_leech_keeps_what_it_had(
    tmp_path: Path, libtorrent: StartLibtorrent, millstream: StartMillstream
) -> None:
    tree = single_file(2 * MIB)
    seeded, data = await tree.share(tmp_path / "seeded", 32 * KIB)
    seeder = libtorrent(data, seeded, upload_limit=CRAWL)
    await seeder.wait_complete()
    engine = await millstream(tmp_path / "leeched")
    torrent = await engine.add(data, peers=[seeder.address])
    await wait_verified(torrent, 32)
    await engine.close()
    kept = torrent.status().pieces_have
    assert 32 <= kept < 64
    assert files_below(tmp_path / "leeched") == [tree.name]

    seeder.lift_limits()
    again = await millstream(tmp_path / "leeched")
    resumed = await again.add(data)
    await resumed.wait_checked()
    assert resumed.status().pieces_have == kept
    resumed.add_peer(seeder.address)
    await resumed.wait_complete()

    assert resumed.status().downloaded == (64 - kept) * 32 * KIB
    assert_same_files(seeded, tmp_path / "leeched")
