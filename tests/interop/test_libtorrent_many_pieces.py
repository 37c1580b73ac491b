"""Twenty thousand pieces."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from millstream import create_torrent

from .conftest import StartLibtorrent, StartMillstream
from .contents import assert_same_files

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.timeout(110)]

PIECES = 20_000
PIECE_LENGTH = 16 * 1024


def write_numbered_pieces(path: Path) -> None:
    """Every piece is its number and a hole, so that the file costs little and no two are alike."""
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        for piece in range(PIECES):
            os.pwrite(file.fileno(), piece.to_bytes(8, "big"), piece * PIECE_LENGTH)
        file.truncate(PIECES * PIECE_LENGTH)


async def test_libtorrent_seeds_20_000_pieces(
    tmp_path: Path, libtorrent: StartLibtorrent, millstream: StartMillstream
) -> None:
    write_numbered_pieces(tmp_path / "seeded/many.bin")
    data = await create_torrent(tmp_path / "seeded/many.bin", piece_length=PIECE_LENGTH)
    seeder = libtorrent(data, tmp_path / "seeded", trusting=True)
    await seeder.wait_complete()
    engine = await millstream(tmp_path / "leeched")

    torrent = await engine.add(data, peers=[seeder.address])
    await torrent.wait_complete()

    assert torrent.status().pieces_have == torrent.metainfo.piece_count == PIECES
    assert_same_files(tmp_path / "seeded", tmp_path / "leeched")


async def test_millstream_seeds_20_000_pieces(
    tmp_path: Path, libtorrent: StartLibtorrent, millstream: StartMillstream
) -> None:
    write_numbered_pieces(tmp_path / "seeded/many.bin")
    data = await create_torrent(tmp_path / "seeded/many.bin", piece_length=PIECE_LENGTH)
    engine = await millstream(tmp_path / "seeded")
    await engine.add(data, seed_mode=True)

    leech = libtorrent(data, tmp_path / "leeched")
    await leech.wait_checked()
    leech.connect(engine.listen_port)
    await leech.wait_complete()

    leech.close()
    assert_same_files(tmp_path / "seeded", tmp_path / "leeched")
