"""Disks that are full, unwritable or changed by somebody else."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from millstream import (
    DiskConfig,
    EngineConfig,
    Torrent,
    TorrentState,
    create_torrent,
    verify_torrent,
)
from millstream.errors import StorageError, TorrentFailedError
from millstream.events import PieceVerified, StateChanged, TorrentFailed
from millstream.interfaces.disk import Allocation
from millstream.storage.config import StorageConfig

from .conftest import LOOPBACK, UNENCRYPTED, Share, StartEngine, make_share
from .raw_peer import INTERESTED, PIECE, REQUEST, UNCHOKE, RawPeer, message

pytestmark = pytest.mark.timeout(60)

MIB = 1 << 20

# Small disks are filled to the end.
TO_THE_LAST_BYTE = EngineConfig(
    network=LOOPBACK,
    encryption=UNENCRYPTED,
    storage=StorageConfig(min_free_space=0, require_room=False),
)
PIECE_LENGTH = 256 << 10


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A file system of its own."""

    path: Path

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.path)], check=True)


@pytest.fixture
def mount_disk(tmp_path: Path) -> Iterator[Callable[[str], SmallDisk]]:
    """Mount a disk in memory with these options. Unmounting it fails if a handle is left open."""
    mounted: list[Path] = []

    def mount(options: str) -> SmallDisk:
        path = tmp_path / "disk"
        path.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            pytest.skip(f"mounting is not allowed here: {result.stderr.strip()}")
        mounted.append(path)
        return SmallDisk(path)

    yield mount
    for path in mounted:
        subprocess.run(["umount", str(path)], check=True)


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """Let no write of this process go beyond `size`: a full disk that needs no privilege."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
async def seeder(start_engine: StartEngine, tmp_path: Path) -> Callable[..., object]:
    """Seed a share from an engine of its own; returns the address."""

    async def seed(share: Share) -> str:
        engine = await start_engine(share.store(tmp_path / "seeded"))
        await engine.add(share.data, seed_mode=True)
        return f"127.0.0.1:{engine.listen_port}"

    return seed


async def failure(torrent: Torrent) -> StorageError:
    """Wait for the error state; returns the error, told alike in all places."""
    with pytest.raises(TorrentFailedError) as caught:
        await torrent.wait_complete()
    assert torrent.state is TorrentState.ERROR
    error = torrent.error
    assert isinstance(error, StorageError)
    assert torrent.status().error == str(error) == str(caught.value)
    assert error.path in str(error)
    assert error.cause in str(error)
    return error


def good_pieces(share: Share, directory: Path) -> set[int]:
    stored = share.stored(directory)
    spans = [
        (n, slice(n * share.piece_length, (n + 1) * share.piece_length))
        for n in range(share.piece_count)
    ]
    return {n for n, span in spans if stored[span] == share.content[span]}


def verified_pieces(torrent: Torrent) -> set[int]:
    return {n for n, state in enumerate(torrent.piece_states()) if state == 2}


# Full and unwritable disks.


async def test_disk_full_and_then_room_is_made(
    mount_disk: Callable[[str], SmallDisk], start_engine: StartEngine, seeder: Callable[..., object]
) -> None:
    disk = mount_disk("size=4m")
    share = make_share(10 * MIB, PIECE_LENGTH)
    address = await seeder(share)
    engine = await start_engine(disk.path, TO_THE_LAST_BYTE)
    torrent = await engine.add(share.data, peers=[address])
    events = torrent.events()

    error = await failure(torrent)

    assert error.errno == errno.ENOSPC
    assert error.path == str(disk.path / share.name)
    assert "No space left on device" in error.cause
    while not isinstance(event := await anext(events), TorrentFailed):
        pass
    assert event.error is error
    verified = verified_pieces(torrent)
    assert 0 < len(verified) < share.piece_count
    assert verified <= good_pieces(share, disk.path)

    disk.remount("size=20m")
    await torrent.start()
    assert torrent.error is None
    assert verified <= verified_pieces(torrent)
    await torrent.wait_complete()
    assert share.stored(disk.path) == share.content


async def test_disk_full_and_then_a_new_run(
    mount_disk: Callable[[str], SmallDisk], start_engine: StartEngine, seeder: Callable[..., object]
) -> None:
    disk = mount_disk("size=4m")
    share = make_share(10 * MIB, PIECE_LENGTH)
    address = await seeder(share)
    engine = await start_engine(disk.path, TO_THE_LAST_BYTE)
    torrent = await engine.add(share.data, peers=[address])
    await failure(torrent)
    await engine.close()
    verified = verified_pieces(torrent)

    disk.remount("size=20m")
    engine = await start_engine(disk.path, TO_THE_LAST_BYTE)
    torrent = await engine.add(share.data)
    await torrent.wait_checked()

    assert verified <= verified_pieces(torrent) == good_pieces(share, disk.path)
    torrent.add_peer(address)
    await torrent.wait_complete()
    assert share.stored(disk.path) == share.content


async def test_no_room_to_preallocate(
    mount_disk: Callable[[str], SmallDisk], start_engine: StartEngine, seeder: Callable[..., object]
) -> None:
    disk = mount_disk("size=4m")
    share = make_share(10 * MIB, PIECE_LENGTH)
    config = replace(TO_THE_LAST_BYTE, disk=DiskConfig(allocation=Allocation.FULL))
    engine = await start_engine(disk.path, config)
    torrent = await engine.add(share.data, peers=[await seeder(share)])

    error = await failure(torrent)
    assert (error.path, error.errno) == (str(disk.path / share.name), errno.ENOSPC)
    assert torrent.status().downloaded == 0

    disk.remount("size=20m")
    await torrent.start()
    await torrent.wait_complete()
    assert share.stored(disk.path) == share.content


async def test_read_only_disk(
    mount_disk: Callable[[str], SmallDisk], start_engine: StartEngine, seeder: Callable[..., object]
) -> None:
    disk = mount_disk("size=20m,ro")
    share = make_share(3 * MIB, PIECE_LENGTH)
    engine = await start_engine(disk.path / "below", TO_THE_LAST_BYTE)
    torrent = await engine.add(share.data, peers=[await seeder(share)])

    error = await failure(torrent)
    assert error.errno == errno.EROFS
    assert str(disk.path) in error.path

    disk.remount("rw")
    await torrent.start()
    await torrent.wait_complete()
    assert share.stored(disk.path / "below") == share.content


async def test_seeding_from_a_read_only_disk(
    mount_disk: Callable[[str], SmallDisk], share: Share, start_engine: StartEngine
) -> None:
    disk = mount_disk("size=4m")
    share.store(disk.path)
    disk.remount("ro")
    engine = await start_engine(disk.path)
    torrent = await engine.add(share.data)
    await torrent.wait_complete()
    peer = await leech_of(share, engine.listen_port)
    assert await request(peer, 0) == share.content[:16384]
    await peer.close()


async def test_a_full_disk_stops_only_its_own_torrent(
    mount_disk: Callable[[str], SmallDisk],
    start_engine: StartEngine,
    seeder: Callable[..., object],
    tmp_path: Path,
) -> None:
    disk = mount_disk("size=1m")
    doomed, other = make_share(4 * MIB, PIECE_LENGTH), make_share(4 * MIB, PIECE_LENGTH, "other")
    addresses = [await seeder(doomed), await seeder(other)]
    engine = await start_engine(tmp_path / "roomy")
    failing = await engine.add(doomed.data, save_path=disk.path, peers=addresses[:1])
    torrent = await engine.add(other.data, peers=addresses[1:])

    await failure(failing)
    await torrent.wait_complete()

    assert other.stored(tmp_path / "roomy") == other.content


async def test_write_that_fails_without_a_full_disk(
    start_engine: StartEngine, seeder: Callable[..., object], tmp_path: Path
) -> None:
    share = make_share(4 * MIB, PIECE_LENGTH)
    address = await seeder(share)
    engine = await start_engine(tmp_path / "downloads")
    torrent = await engine.add(share.data, sequential=True)
    await torrent.wait_checked()

    with no_file_longer_than(2 * MIB):
        torrent.add_peer(address)
        error = await failure(torrent)
    assert (error.path, error.errno) == (str(tmp_path / "downloads" / share.name), errno.EFBIG)
    verified = verified_pieces(torrent)
    assert verified <= set(range(8))
    assert verified <= good_pieces(share, tmp_path / "downloads")

    await torrent.start()
    await torrent.wait_complete()
    assert share.stored(tmp_path / "downloads") == share.content


@pytest.fixture
async def tree(tmp_path: Path) -> tuple[Path, bytes]:
    """A directory with an empty file and its torrent; returns its parent and the torrent."""
    root = tmp_path / "original"
    for name, size in {"a": 40_000, "b-empty": 0, "c/d": 50_000, "c/e-empty": 0}.items():
        path = root / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
    return root, await create_torrent(root / "tree", piece_length=16384)


def assert_same_tree(one: Path, other: Path) -> None:
    contents = [
        {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        for root in (one, other)
    ]
    assert contents[0] == contents[1]


async def seed_tree(start_engine: StartEngine, tree: tuple[Path, bytes]) -> str:
    engine = await start_engine(tree[0])
    await engine.add(tree[1], seed_mode=True)
    return f"127.0.0.1:{engine.listen_port}"


async def test_save_path_is_a_file(
    tree: tuple[Path, bytes], start_engine: StartEngine, tmp_path: Path
) -> None:
    """Somebody's file is in the way; it stays as it is, and when it is gone all is made."""
    original, data = tree
    address = await seed_tree(start_engine, tree)
    in_the_way = tmp_path / "downloads"
    in_the_way.write_text("precious")
    engine = await start_engine(in_the_way)
    torrent = await engine.add(data, peers=[address])

    error = await failure(torrent)
    assert str(in_the_way) in error.path
    assert error.errno in {errno.ENOTDIR, errno.EEXIST}
    assert in_the_way.read_text() == "precious"

    in_the_way.unlink()
    await torrent.start()
    await torrent.wait_complete()
    assert_same_tree(original, in_the_way)


async def test_a_file_of_the_torrent_is_a_directory(
    tree: tuple[Path, bytes], start_engine: StartEngine, tmp_path: Path
) -> None:
    """What is there of the other files counts when the way is free."""
    original, data = tree
    address = await seed_tree(start_engine, tree)
    downloads = tmp_path / "downloads"
    shutil.copytree(original, downloads)
    in_the_way = downloads / "tree/c/d"
    in_the_way.unlink()
    in_the_way.mkdir()
    (in_the_way / "precious").touch()
    engine = await start_engine(downloads)
    torrent = await engine.add(data, peers=[address])

    error = await failure(torrent)
    assert (error.path, error.errno) == (str(in_the_way), errno.EISDIR)
    assert (in_the_way / "precious").exists()

    shutil.rmtree(in_the_way)
    await torrent.start()
    await torrent.wait_complete()
    assert_same_tree(original, downloads)
    assert torrent.status().downloaded < 5 * 16384, "what was there came again"


# Files changed by somebody else while they are seeded.


async def request(peer: RawPeer, piece: int) -> bytes:
    """The first block of a piece, or nothing if the connection ends instead."""
    peer.send(message(REQUEST, piece, 0, 16384))
    try:
        while True:
            kind, payload = await peer.receive()
            if kind == PIECE:
                return payload[8:]
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def leech_of(share: Share, port: int | None) -> RawPeer:
    peer = await RawPeer.connect(port)
    await peer.greet(share.info_hash)
    peer.send(message(INTERESTED))
    await peer.receive_kind(UNCHOKE)
    return peer


async def test_file_truncated_while_it_is_seeded(
    share: Share, start_engine: StartEngine, tmp_path: Path
) -> None:
    path = share.store(tmp_path / "seeded") / share.name
    engine = await start_engine(tmp_path / "seeded")
    torrent = await engine.add(share.data)
    await torrent.wait_complete()
    peer = await leech_of(share, engine.listen_port)
    assert await request(peer, 0) == share.content[:16384]

    os.truncate(path, 3 * share.piece_length)
    assert await request(peer, 5) == b""
    await peer.close()

    # What is there is served on, and the rest is wanted; the other tests fetch it.
    assert torrent.state is TorrentState.DOWNLOADING
    assert verified_pieces(torrent) == {0, 1, 2}
    share.store(tmp_path / "seeded")
    await torrent.recheck()
    await torrent.wait_complete()
    peer = await leech_of(share, engine.listen_port)
    assert await request(peer, 5) == share.content[5 * share.piece_length :][:16384]
    await peer.close()


async def test_many_reads_that_fail_at_once(
    share: Share, start_engine: StartEngine, seeder: Callable[..., object], tmp_path: Path
) -> None:
    """The file is looked at once, and what a peer asked for is refused until it is there again."""
    address = await seeder(share)
    path = share.store(tmp_path / "emptied") / share.name
    engine = await start_engine(tmp_path / "emptied")
    torrent = await engine.add(share.data, seed_mode=True)
    peer = await leech_of(share, engine.listen_port)
    path.write_bytes(b"")
    peer.send(*(message(REQUEST, piece, 0, 16384) for piece in (7, 0, 6, 1, 5, 2, 4, 3)))
    while torrent.status().pieces_have:  # noqa: ASYNC110 - no event tells of it
        await asyncio.sleep(0.01)
    assert torrent.state is TorrentState.DOWNLOADING
    await peer.close()

    torrent.add_peer(address)
    await torrent.wait_complete()
    peer = await leech_of(share, engine.listen_port)
    for piece in range(8):
        at = piece * share.piece_length
        assert await request(peer, piece) == share.content[at : at + 16384]
    assert torrent.state is TorrentState.SEEDING
    assert share.stored(tmp_path / "emptied") == share.content
    await peer.close()


async def test_file_deleted_before_it_is_asked_for(
    share: Share, start_engine: StartEngine, seeder: Callable[..., object], tmp_path: Path
) -> None:
    address = await seeder(share)
    path = share.store(tmp_path / "emptied") / share.name
    engine = await start_engine(tmp_path / "emptied")
    torrent = await engine.add(share.data, seed_mode=True)
    path.unlink()
    peer = await leech_of(share, engine.listen_port)

    assert await request(peer, 0) == b""
    await peer.close()

    assert torrent.state is TorrentState.DOWNLOADING
    assert torrent.status().pieces_have == 0
    torrent.add_peer(address)
    await torrent.wait_complete()
    assert path.read_bytes() == share.content


async def test_file_deleted_while_it_is_seeded(
    share: Share, start_engine: StartEngine, tmp_path: Path
) -> None:
    """An open file outlives its name: it may be served on, rightly, or not at all."""
    path = share.store(tmp_path / "seeded") / share.name
    engine = await start_engine(tmp_path / "seeded")
    torrent = await engine.add(share.data)
    await torrent.wait_complete()
    peer = await leech_of(share, engine.listen_port)
    await request(peer, 0)

    path.unlink()

    assert await request(peer, 5) in {b"", share.content[5 * share.piece_length :][:16384]}
    await peer.close()


async def test_deleted_file_is_found_missing_and_made_again(
    share: Share, start_engine: StartEngine, seeder: Callable[..., object], tmp_path: Path
) -> None:
    """Handles kept open from before must not hide that the file is gone."""
    downloads = tmp_path / "downloads"
    address = await seeder(share)
    engine = await start_engine(downloads)
    torrent = await engine.add(share.data, peers=[address])
    await torrent.wait_complete()
    peer = await leech_of(share, engine.listen_port)
    await request(peer, 0)
    await peer.close()

    (downloads / share.name).unlink()
    await torrent.recheck()
    await torrent.wait_checked()
    assert torrent.status().pieces_have == 0
    await torrent.wait_complete()

    assert share.stored(downloads) == share.content
    report = await verify_torrent(share.data, downloads)
    assert report.good_pieces == share.piece_count


async def test_file_deleted_half_way_through_a_download(
    share: Share, start_engine: StartEngine, seeder: Callable[..., object], tmp_path: Path
) -> None:
    downloads = tmp_path / "downloads"
    engine = await start_engine(downloads)
    torrent = await engine.add(share.data)
    events = torrent.events()
    await torrent.wait_checked()
    peer = await RawPeer.connect(engine.listen_port)
    await peer.greet(share.info_hash)
    peer.send(message(4, 0), message(4, 1))  # have
    serving = asyncio.create_task(peer.serve(share.content, share.piece_length))
    for _ in range(2):
        while not isinstance(await anext(events), PieceVerified):
            pass
    await torrent.stop()
    await serving
    await peer.close()

    (downloads / share.name).unlink()
    await torrent.recheck()
    await torrent.wait_checked()
    assert torrent.status().pieces_have == 0
    await torrent.start()
    torrent.add_peer(await seeder(share))
    await torrent.wait_complete()

    assert share.stored(downloads) == share.content


async def test_rotten_bytes_are_not_served_after_a_recheck(
    share: Share, start_engine: StartEngine, tmp_path: Path
) -> None:
    path = share.store(tmp_path / "seeded") / share.name
    path.write_bytes(bytes(len(share.content)))
    engine = await start_engine(tmp_path / "seeded")
    torrent = await engine.add(share.data, seed_mode=True)
    peer = await leech_of(share, engine.listen_port)
    assert await request(peer, 0) == bytes(16384)
    await peer.close()

    path.write_bytes(share.content)
    await torrent.recheck()
    await torrent.wait_complete()
    peer = await leech_of(share, engine.listen_port)
    assert await request(peer, 0) == share.content[:16384]
    await peer.close()


# Starting over.


async def test_a_new_run_takes_what_is_good_and_fetches_the_rest(
    share: Share, start_engine: StartEngine, seeder: Callable[..., object], tmp_path: Path
) -> None:
    downloads = tmp_path / "downloads"
    path = share.store(downloads) / share.name
    with path.open("r+b") as file:
        file.seek(2 * share.piece_length + 7)
        file.write(b"somebody else's")
        file.truncate(6 * share.piece_length + 1)
    address = await seeder(share)
    engine = await start_engine(downloads)
    torrent = await engine.add(share.data)
    await torrent.wait_checked()
    assert verified_pieces(torrent) == {0, 1, 3, 4, 5}

    torrent.add_peer(address)
    await torrent.wait_complete()

    assert share.stored(downloads) == share.content
    assert torrent.status().downloaded == 2 * share.piece_length + 20_000


async def test_file_that_is_too_long_keeps_its_tail(
    share: Share, start_engine: StartEngine, seeder: Callable[..., object], tmp_path: Path
) -> None:
    """It may be somebody's: only the torrent's own bytes are touched."""
    downloads = tmp_path / "downloads"
    path = share.store(downloads) / share.name
    path.write_bytes(bytes(100) + share.content[100:] + b"somebody else's")
    engine = await start_engine(downloads)
    torrent = await engine.add(share.data, peers=[await seeder(share)])
    await torrent.wait_complete()
    assert path.read_bytes() == share.content + b"somebody else's"


async def test_starting_during_the_check_checks_once(
    share: Share, start_engine: StartEngine, tmp_path: Path
) -> None:
    engine = await start_engine(share.store(tmp_path / "seeded"))
    torrent = await engine.add(share.data)
    assert torrent.state is TorrentState.CHECKING
    events = torrent.events()

    await torrent.start()
    await torrent.wait_complete()
    await engine.close()

    changes = [event async for event in events if isinstance(event, StateChanged)]
    assert [change.after for change in changes] == [TorrentState.SEEDING, TorrentState.STOPPED]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_stopping_within_the_check_and_starting_again(
    start_engine: StartEngine, tmp_path: Path
) -> None:
    """Answers of the disk to the first check are no answers to the second."""
    share = make_share(1200 * 16384, 16384)
    engine = await start_engine(share.store(tmp_path / "seeded"))
    torrent = await engine.add(share.data)
    while not torrent.status().checked_pieces:  # noqa: ASYNC110 - no event tells of single pieces
        await asyncio.sleep(0)
    assert torrent.state is TorrentState.CHECKING

    await torrent.stop()
    await torrent.start()
    await torrent.wait_checked()

    assert torrent.status().pieces_have == share.piece_count


async def test_stopping_and_starting_in_quick_succession(
    share: Share, start_engine: StartEngine, tmp_path: Path
) -> None:
    engine = await start_engine(share.store(tmp_path / "seeded"))
    for _ in range(3):
        torrent = await engine.add(share.data)
        for turns in range(6):
            for _ in range(turns):
                await asyncio.sleep(0)
            await torrent.stop()
            assert torrent.state is TorrentState.STOPPED
            await torrent.start()
        await torrent.wait_complete()
        assert torrent.status().pieces_have == share.piece_count
        await engine.remove(torrent)
