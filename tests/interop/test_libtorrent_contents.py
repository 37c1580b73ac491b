"""Whatever the files, both ways: they arrive, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from millstream import Metainfo, TorrentState, create_torrent

from .conftest import StartLibtorrent, StartMillstream
from .contents import (
    Tree,
    assert_same_files,
    files_crossing_borders,
    files_with_empty_ones,
    non_ascii_names,
    single_file,
    tree_of_pieces,
)

pytestmark = [pytest.mark.interop, pytest.mark.timeout(60)]

KIB = 1024
CONTENTS = [
    pytest.param(single_file(3 * 16 * KIB), 16 * KIB, id="single file"),
    pytest.param(single_file(1), 16 * KIB, id="single byte"),
    pytest.param(single_file(5 * 32 * KIB + 1), 32 * KIB, id="last piece of a byte"),
    pytest.param(single_file(5 * 32 * KIB + 20_000), 32 * KIB, id="last piece short"),
    pytest.param(files_crossing_borders(), 16 * KIB, id="files crossing borders of short pieces"),
    pytest.param(files_crossing_borders(), 64 * KIB, id="files crossing borders"),
    pytest.param(files_with_empty_ones(), 16 * KIB, id="empty files"),
    pytest.param(non_ascii_names(), 16 * KIB, id="non-ASCII names"),
    pytest.param(tree_of_pieces(16 * KIB), 16 * KIB, id="16 KiB pieces"),
    pytest.param(tree_of_pieces(256 * KIB), 256 * KIB, id="256 KiB pieces"),
    pytest.param(tree_of_pieces(1024 * KIB), 1024 * KIB, id="1 MiB pieces"),
    pytest.param(tree_of_pieces(16 * 1024 * KIB), 16 * 1024 * KIB, id="16 MiB pieces"),
]


@pytest.mark.parametrize(("tree", "piece_length"), CONTENTS)
async def test_libtorrent_seeds(
    tree: Tree,
    piece_length: int,
    tmp_path: Path,
    libtorrent: StartLibtorrent,
    millstream: StartMillstream,
) -> None:
    from .libtorrent_peer import make_torrent

    seeded = tree.write(tmp_path / "seeded")
    data = make_torrent(tree, seeded, piece_length)
    seeder = libtorrent(data, seeded)
    await seeder.wait_complete()

    engine = await millstream(tmp_path / "leeched")
    torrent = await engine.add(data, peers=[seeder.address])
    await torrent.wait_complete()

    assert torrent.state is TorrentState.SEEDING
    assert torrent.status().progress == 1
    assert_same_files(seeded, tmp_path / "leeched")


@pytest.mark.parametrize(("tree", "piece_length"), CONTENTS)
async def test_millstream_seeds(
    tree: Tree,
    piece_length: int,
    tmp_path: Path,
    libtorrent: StartLibtorrent,
    millstream: StartMillstream,
) -> None:
    seeded, data = await tree.share(tmp_path / "seeded", piece_length)
    engine = await millstream(seeded)
    torrent = await engine.add(data)
    await torrent.wait_complete()

    leech = libtorrent(data, tmp_path / "leeched")
    await leech.wait_checked()
    leech.connect(engine.listen_port)
    await leech.wait_complete()

    leech.close()
    assert_same_files(seeded, tmp_path / "leeched")


@pytest.mark.parametrize(
    "tree", [single_file(50_000), files_crossing_borders(), non_ascii_names()], ids=lambda t: t.name
)
async def test_both_read_each_others_torrents_alike(tree: Tree, tmp_path: Path) -> None:
    from .libtorrent_peer import make_torrent, v1_info_hash

    tree.write(tmp_path)
    theirs = make_torrent(tree, tmp_path, 16 * KIB)
    ours = await create_torrent(tmp_path / tree.name, piece_length=16 * KIB)

    assert str(Metainfo.parse(theirs).info_hash) == v1_info_hash(theirs)
    assert str(Metainfo.parse(ours).info_hash) == v1_info_hash(ours)
    assert {"/".join(f.path) for f in Metainfo.parse(ours).files} == {
        "/".join(f.path) for f in Metainfo.parse(theirs).files
    }
