"""A libtorrent that seeds rotten files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from millstream import PeerAddress, TorrentState
from millstream.events import PeerBanned, PeerConnected, PieceFailed, PieceVerified

from .conftest import StartLibtorrent, StartMillstream
from .contents import Tree, assert_same_files, single_file

pytestmark = [pytest.mark.interop, pytest.mark.timeout(60)]

PIECE_LENGTH = 64 * 1024
PIECES = 32


def rotten_copy(tree: Tree, root: Path, every: int) -> Path:
    """The same files with a bit flipped in every so many bytes."""
    tree.write(root)
    path = root / tree.name
    data = bytearray(path.read_bytes())
    for at in range(every // 2, len(data), every):
        data[at] ^= 1
    path.write_bytes(data)
    return root


async def test_corrupt_seeder_beside_a_good_one(
    tmp_path: Path, libtorrent: StartLibtorrent, millstream: StartMillstream
) -> None:
    tree = single_file(PIECES * PIECE_LENGTH)
    seeded, data = await tree.share(tmp_path / "seeded", PIECE_LENGTH)
    # The good one is slow, so that the bad one gets to send something.
    good = libtorrent(data, seeded, upload_limit=128 << 10)
    bad = libtorrent(data, rotten_copy(tree, tmp_path / "rotten", PIECE_LENGTH), trusting=True)
    for seeder in (good, bad):
        await seeder.wait_complete()
    engine = await millstream(tmp_path / "leeched")
    torrent = await engine.add(data, peers=[good.address])
    events = torrent.events()
    seen: list[object] = []
    while not any(isinstance(event, PeerConnected) for event in seen):
        seen.append(await anext(events))

    torrent.add_peer(bad.address)
    while not any(isinstance(event, PeerBanned) for event in seen):
        seen.append(await anext(events))
    culprit = PeerAddress.parse(bad.address)
    assert isinstance(seen[-1], PeerBanned)
    assert seen[-1].address == culprit
    assert "corrupt" in seen[-1].reason
    assert any(isinstance(event, PieceFailed) for event in seen)
    connections = bad.connections_seen

    # Banned peers stay banned. The third peer is the proof that peers were tried after this.
    torrent.add_peer(bad.address)
    third = libtorrent(data, seeded)
    await third.wait_complete()
    torrent.add_peer(third.address)
    while PeerAddress.parse(third.address) not in {
        event.address for event in seen if isinstance(event, PeerConnected)
    }:
        seen.append(await anext(events))
    good.lift_limits()
    await torrent.wait_complete()
    await engine.close()
    seen += [event async for event in events]

    assert bad.connections_seen == connections
    assert [e.address for e in seen if isinstance(e, PeerBanned)] == [culprit]
    assert_same_files(seeded, tmp_path / "leeched")


@pytest.mark.parametrize("every", [16 * 1024, PIECE_LENGTH], ids=["each block", "each piece"])
async def test_corrupt_seeder_alone(
    every: int, tmp_path: Path, libtorrent: StartLibtorrent, millstream: StartMillstream
) -> None:
    tree = single_file(PIECES * PIECE_LENGTH)
    _, data = await tree.share(tmp_path / "seeded", PIECE_LENGTH)
    bad = libtorrent(data, rotten_copy(tree, tmp_path / "rotten", every), trusting=True)
    await bad.wait_complete()
    engine = await millstream(tmp_path / "leeched")
    torrent = await engine.add(data, peers=[bad.address])
    events = torrent.events()

    seen = []
    while not any(isinstance(event, PeerBanned) for event in seen):
        seen.append(await anext(events))
    # Whatever is at the disk has been judged when the torrent has stopped.
    await torrent.stop()

    assert not any(isinstance(event, PieceVerified) for event in seen)
    assert torrent.status().pieces_have == 0
    stored = tmp_path / "leeched" / tree.name
    assert stored.read_bytes().count(0) == PIECES * PIECE_LENGTH, "a bad byte was written"


async def test_banned_seeder_does_not_get_in_by_itself(
    tmp_path: Path, libtorrent: StartLibtorrent, millstream: StartMillstream
) -> None:
    tree = single_file(PIECES * PIECE_LENGTH)
    _, data = await tree.share(tmp_path / "seeded", PIECE_LENGTH)
    rotten = rotten_copy(tree, tmp_path / "rotten", PIECE_LENGTH)
    bad = libtorrent(data, rotten, trusting=True)
    await bad.wait_complete()
    engine = await millstream(tmp_path / "leeched")
    torrent = await engine.add(data, peers=[bad.address])
    events = torrent.events()
    while not isinstance(await anext(events), PeerBanned):
        pass
    await bad.wait_seen("peer_disconnected", 1)

    bad.connect(engine.listen_port)
    await bad.wait_seen("peer_disconnected", 2)
    await engine.close()

    assert not [event async for event in events if isinstance(event, PeerConnected)]
    assert torrent.status().pieces_have == 0


async def test_good_pieces_of_a_corrupt_seeder_are_kept(
    tmp_path: Path, libtorrent: StartLibtorrent, millstream: StartMillstream
) -> None:
    """Only the last piece is rotten, and what was good before it stays."""
    tree = single_file(PIECES * PIECE_LENGTH)
    seeded, data = await tree.share(tmp_path / "seeded", PIECE_LENGTH)
    rotten = tree.write(tmp_path / "rotten")
    whole = bytearray((rotten / tree.name).read_bytes())
    whole[-1] ^= 0xFF
    (rotten / tree.name).write_bytes(whole)
    bad = libtorrent(data, rotten, trusting=True)
    await bad.wait_complete()
    engine = await millstream(tmp_path / "leeched")
    torrent = await engine.add(data, peers=[bad.address], sequential=True)
    events = torrent.events()
    while not isinstance(await anext(events), PeerBanned):
        pass
    assert torrent.state is TorrentState.DOWNLOADING

    good = libtorrent(data, seeded)
    await good.wait_complete()
    torrent.add_peer(good.address)
    await torrent.wait_complete()

    assert_same_files(seeded, tmp_path / "leeched")


async def test_corrupt_millstream_is_found_out_by_libtorrent(
    tmp_path: Path, libtorrent: StartLibtorrent, millstream: StartMillstream
) -> None:
    """The other way round: `seed_mode` trusts its files, and the leech does not."""
    tree = single_file(PIECES * PIECE_LENGTH)
    seeded, data = await tree.share(tmp_path / "seeded", PIECE_LENGTH)
    rotten = await millstream(rotten_copy(tree, tmp_path / "rotten", PIECE_LENGTH))
    bad = await rotten.add(data, seed_mode=True)
    leech = libtorrent(data, tmp_path / "leeched")
    await leech.wait_checked()
    events = bad.events()
    leech.connect(rotten.listen_port)
    while not isinstance(await anext(events), PeerConnected):
        pass

    good = await millstream(seeded)
    await good.add(data)
    leech.connect(good.listen_port)
    await asyncio.wait_for(leech.wait_complete(), 60)

    leech.close()
    assert_same_files(seeded, tmp_path / "leeched")
