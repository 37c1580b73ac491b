"""Kinds of torrents and of connections that libtorrent makes."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from millstream import Metainfo

from .conftest import StartLibtorrent, StartMillstream
from .contents import Tree, assert_same_files, files_below, files_crossing_borders, single_file

pytestmark = [pytest.mark.interop, pytest.mark.timeout(60)]

PIECE_LENGTH = 16 * 1024
LEECH_AND_SEED = pytest.mark.parametrize("libtorrent_seeds", [True, False], ids=["leech", "seed"])


def name(tree: Tree) -> str:
    return tree.name


def has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def libtorrent_torrent(tree: Tree, root: Path, kind: str) -> bytes:
    from . import libtorrent_peer

    return libtorrent_peer.make_torrent(tree, root, PIECE_LENGTH, getattr(libtorrent_peer, kind))


@LEECH_AND_SEED
@pytest.mark.parametrize("kind", ["V1_WITH_PADS", "HYBRID"])
@pytest.mark.parametrize("tree", [files_crossing_borders(), single_file(50_000)], ids=name)
async def test_pad_files_and_hybrids(
    kind: str,
    tree: Tree,
    libtorrent_seeds: bool,
    tmp_path: Path,
    libtorrent: StartLibtorrent,
    millstream: StartMillstream,
) -> None:
    seeded = tree.write(tmp_path / "seeded")
    data = libtorrent_torrent(tree, seeded, kind)
    theirs = libtorrent(data, tmp_path / ("seeded" if libtorrent_seeds else "leeched"))
    await theirs.wait_checked()
    engine = await millstream(tmp_path / ("leeched" if libtorrent_seeds else "seeded"))
    torrent = await engine.add(data, peers=[theirs.address])

    await torrent.wait_complete()
    await theirs.wait_complete()

    theirs.close()
    assert files_below(tmp_path / "leeched") == sorted(tree.paths)
    assert_same_files(seeded, tmp_path / "leeched")


def test_only_version_2_is_refused_in_one_sentence(tmp_path: Path) -> None:
    from millstream.errors import MalformedTorrentError

    from . import libtorrent_peer as lt

    tree = single_file(50_000)
    data = lt.make_torrent(tree, tree.write(tmp_path), PIECE_LENGTH, lt.V2_ONLY)

    with pytest.raises(MalformedTorrentError, match=r"BEP 52"):
        Metainfo.parse(data)


@LEECH_AND_SEED
@pytest.mark.skipif(not has_ipv6_loopback(), reason="this machine has no IPv6 loopback")
async def test_ipv6(
    libtorrent_seeds: bool,
    tmp_path: Path,
    libtorrent: StartLibtorrent,
    millstream: StartMillstream,
) -> None:
    seeded, data = await single_file(5 * PIECE_LENGTH + 1).share(tmp_path / "seeded", PIECE_LENGTH)
    theirs = libtorrent(data, tmp_path / ("seeded" if libtorrent_seeds else "leeched"), host="::1")
    await theirs.wait_checked()
    engine = await millstream(tmp_path / ("leeched" if libtorrent_seeds else "seeded"), host="::1")
    torrent = await engine.add(data)
    if libtorrent_seeds:
        torrent.add_peer(theirs.address)
    else:
        await torrent.wait_checked()
        theirs.connect(engine.listen_port, host="::1")

    await torrent.wait_complete()
    await theirs.wait_complete()

    theirs.close()
    assert_same_files(seeded, tmp_path / "leeched")


@LEECH_AND_SEED
@pytest.mark.parametrize("libtorrent_connects", [True, False], ids=["incoming", "outgoing"])
async def test_libtorrent_with_its_own_ideas_of_encryption_and_utp(
    libtorrent_connects: bool,
    libtorrent_seeds: bool,
    tmp_path: Path,
    libtorrent: StartLibtorrent,
    millstream: StartMillstream,
) -> None:
    """Whoever connects: its first tries, by uTP and encrypted, fail, and it falls back to TCP."""
    seeded, data = await single_file(5 * PIECE_LENGTH + 1).share(tmp_path / "seeded", PIECE_LENGTH)
    theirs = libtorrent(data, tmp_path / ("seeded" if libtorrent_seeds else "leeched"), stock=True)
    await theirs.wait_checked()
    engine = await millstream(tmp_path / ("leeched" if libtorrent_seeds else "seeded"))
    torrent = await engine.add(data)
    await torrent.wait_checked()
    if libtorrent_connects:
        theirs.connect(engine.listen_port)
    else:
        torrent.add_peer(theirs.address)

    await torrent.wait_complete()
    await theirs.wait_complete()

    theirs.close()
    assert_same_files(seeded, tmp_path / "leeched")
