"""Real disks that fail, vanish and come back; machines that stall; sessions that are taken."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from millstream import Engine, EngineConfig, Torrent, TorrentState, create_native_engine
from millstream.adapters.native import file_pool
from millstream.core.limits_config import LimitsConfig
from millstream.engine import sleep_watch
from millstream.errors import RootUnavailableError, StorageError
from millstream.storage.config import StorageConfig

from .conftest import LOOPBACK, UNENCRYPTED, Share, StartEngine, make_share
from .programs import millstream, run

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(sys.platform != "linux", reason="mounts, capabilities and pwrite of Linux"),
]

MIB = 1 << 20
PIECE_LENGTH = 64 << 10

# Looked at as often as may be.
QUICK = EngineConfig(
    network=LOOPBACK,
    encryption=UNENCRYPTED,
    storage=StorageConfig(check_interval=1, file_check_interval=5, min_free_space=0),
)


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.02)


@pytest.fixture
async def seed(start_engine: StartEngine, tmp_path: Path) -> Callable[..., object]:
    """Seed shares from an engine of their own, at so many bytes a second; returns the address."""

    async def begin(*shares: Share, rate: int | None = None) -> str:
        config = replace(QUICK, limits=LimitsConfig(upload=rate))
        engine = await start_engine(tmp_path / "original", config)
        for share in shares:
            share.store(tmp_path / "original")
            await engine.add(share.data, seed_mode=True)
        return f"127.0.0.1:{engine.listen_port}"

    return begin


def assert_honest(torrent: Torrent, share: Share, directory: Path) -> None:
    """What it says it has is there."""
    stored = (directory / share.name).read_bytes()
    for piece, state in enumerate(torrent.piece_states()):
        span = slice(piece * share.piece_length, (piece + 1) * share.piece_length)
        if state == 2:
            assert stored[span] == share.content[span], piece


def failing_pwrite(
    monkeypatch: pytest.MonkeyPatch, fail: Callable[[int, memoryview, int], int]
) -> None:
    monkeypatch.setattr(os, "pwrite", fail)


# Writes.


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES])
async def test_the_system_refuses_a_write(
    number: int,
    start_engine: StartEngine,
    seed: Callable[..., object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the middle of a piece: half of it is written."""
    share = make_share(4 * MIB, PIECE_LENGTH)
    address = await seed(share)
    engine = await start_engine(tmp_path / "down", QUICK)
    pwrite, calls = os.pwrite, 0

    def fail(descriptor: int, data: memoryview, at: int) -> int:
        nonlocal calls
        calls += 1
        if calls > 10:
            if calls % 2:
                return pwrite(descriptor, data[: len(data) // 2], at)
            raise OSError(number, os.strerror(number))
        return pwrite(descriptor, data, at)

    failing_pwrite(monkeypatch, fail)
    torrent = await engine.add(share.data, peers=[address])
    await until(lambda: torrent.state is TorrentState.ERROR)
    assert isinstance(torrent.error, StorageError)
    assert torrent.error.errno == number
    assert torrent.error.path == str(tmp_path / "down" / share.name)
    assert torrent.status().pieces_have > 0
    assert_honest(torrent, share, tmp_path / "down")

    monkeypatch.undo()
    await torrent.start()
    await until(lambda: torrent.state is TorrentState.SEEDING)
    assert share.stored(tmp_path / "down") == share.content


async def test_writes_that_are_short(
    start_engine: StartEngine,
    seed: Callable[..., object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The system takes as much as it likes; the rest is written after that."""
    share, chance = make_share(2 * MIB, PIECE_LENGTH), random.Random(1)
    address = await seed(share)
    engine = await start_engine(tmp_path / "down", QUICK)
    pwrite = os.pwrite
    failing_pwrite(
        monkeypatch, lambda fd, data, at: pwrite(fd, data[: chance.randint(1, 40_000)], at)
    )
    torrent = await engine.add(share.data, peers=[address])
    await torrent.wait_complete()
    assert share.stored(tmp_path / "down") == share.content


async def test_a_write_of_nothing_is_an_error(
    start_engine: StartEngine,
    seed: Callable[..., object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    share = make_share(MIB, PIECE_LENGTH)
    address = await seed(share)
    engine = await start_engine(tmp_path / "down", QUICK)
    failing_pwrite(monkeypatch, lambda _fd, _data, _at: 0)
    torrent = await engine.add(share.data, peers=[address])
    await until(lambda: torrent.state is TorrentState.ERROR)
    assert "takes no more" in torrent.status().error
    monkeypatch.undo()
    await torrent.start()
    await torrent.wait_complete()
    assert share.stored(tmp_path / "down") == share.content


_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2


@contextmanager
def bound_by_permissions() -> Iterator[None]:
    """Threads that begin within may not do what modes forbid, though they are root's."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    before = (ctypes.c_uint32 * 6)()
    if libc.capget(header, before):
        pytest.skip(f"no capabilities here: {os.strerror(ctypes.get_errno())}")
    bound = (ctypes.c_uint32 * 6)(*before)
    bound[0] &= ~(1 << _CAP_DAC_OVERRIDE | 1 << _CAP_DAC_READ_SEARCH)
    assert not libc.capset(header, bound)
    try:
        yield
    finally:
        assert not libc.capset(header, before)


async def test_a_directory_without_permission(
    start_engine: StartEngine, seed: Callable[..., object], tmp_path: Path
) -> None:
    share = make_share(MIB, PIECE_LENGTH)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with bound_by_permissions():
        address = await seed(share)
        engine = await start_engine(closed, QUICK)
        torrent = await engine.add(share.data, peers=[address])
        await until(lambda: torrent.state is TorrentState.ERROR)
        assert (torrent.error.path, torrent.error.errno) == (
            str(closed / share.name),
            errno.EACCES,
        )
        closed.chmod(0o700)
        await torrent.start()
        await torrent.wait_complete()
        assert share.stored(closed) == share.content


# Files that somebody changes while they are downloaded, and are open.


@pytest.mark.parametrize("how", ["deleted", "replaced", "cut"])
async def test_an_open_file_is_changed_under_a_download(
    how: str,
    start_engine: StartEngine,
    seed: Callable[..., object],
    tmp_path: Path,
) -> None:
    """What is written to a file that has no name any more is nowhere."""
    share = make_share(4 * MIB, PIECE_LENGTH)
    address = await seed(share, rate=MIB)
    engine = await start_engine(tmp_path / "down", QUICK)
    torrent = await engine.add(share.data, peers=[address])
    path = tmp_path / "down" / share.name
    await until(lambda: torrent.status().pieces_have > 8)
    if how == "deleted":
        path.unlink()
    elif how == "replaced":
        copy = path.with_suffix(".copy")
        with copy.open("wb") as file:
            file.truncate(len(share.content))
        copy.rename(path)
    else:
        os.truncate(path, 2 * PIECE_LENGTH)
    await asyncio.sleep(file_pool.SIGHT_INTERVAL)
    await until(lambda: torrent.state is TorrentState.SEEDING)
    assert torrent.error is None
    await until(lambda: path.read_bytes() == share.content)
    await engine.close()
    engine = await start_engine(tmp_path / "down", QUICK)
    again = await engine.add(share.data)
    await again.wait_checked()
    assert again.status().pieces_have == share.piece_count


# A root that goes.


class Disk:
    """A directory that is a disk: moved away, or a mount that is taken away."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._away = path.with_name("away")

    def make(self) -> None:
        self.path.mkdir()

    def go(self) -> None:
        self.path.rename(self._away)

    def come_back(self) -> None:
        if self.path.exists():
            self.path.rmdir()
        self._away.rename(self.path)

    def end(self) -> None:
        """Nothing is left to do."""


class EmptyMountPoint(Disk):
    """What is moved away leaves an empty directory behind."""

    def go(self) -> None:
        super().go()
        self.path.mkdir()


class BindMount(Disk):
    """A mount in truth, taken away though files are open."""

    def make(self) -> None:
        self.path.mkdir()
        self._away.mkdir()
        self._mount()

    def _mount(self) -> None:
        command = ["mount", "--bind", str(self._away), str(self.path)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            pytest.skip(f"mounting is not allowed here: {result.stderr.strip()}")

    def go(self) -> None:
        subprocess.run(["umount", "-l", str(self.path)], check=True)

    def come_back(self) -> None:
        self._mount()

    def end(self) -> None:
        subprocess.run(["umount", "-l", str(self.path)], check=False, capture_output=True)


@pytest.fixture(params=[Disk, EmptyMountPoint, BindMount])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    made = request.param(tmp_path / "disk")
    made.make()
    yield made
    made.end()


@pytest.mark.slow
@pytest.mark.parametrize("restart", [False, True])
async def test_a_disk_goes_and_comes_back(
    restart: bool, disk: Disk, seed: Callable[..., object], tmp_path: Path
) -> None:
    """Three torrents on it wait, one elsewhere goes on; nothing is put where the disk used to be."""
    complete = make_share(MIB, PIECE_LENGTH, "complete")
    shares = [make_share(MIB, PIECE_LENGTH, f"share {n}") for n in range(2)]
    other = make_share(MIB, PIECE_LENGTH, "other")
    complete.store(disk.path)
    address = await seed(complete, *shares, other, rate=MIB // 2)
    session = tmp_path / "session.json"
    async with AsyncExitStack() as stack:

        async def boot() -> Engine:
            return await stack.enter_async_context(
                create_native_engine(QUICK, save_path=tmp_path / "down", session=session)
            )

        engine = await boot()
        root = engine.roots.add(disk.path, "Films")
        waiting = [
            await engine.add(share.data, root=root.token, peers=[address])
            for share in (complete, *shares)
        ]
        elsewhere = await engine.add(other.data, peers=[address])
        await until(lambda: all(torrent.status().pieces_have > 4 for torrent in waiting))
        await engine.save_session()
        had = [torrent.status().pieces_have for torrent in waiting]

        disk.go()
        await until(lambda: all(isinstance(t.error, RootUnavailableError) for t in waiting), 5)
        assert "'Films' is not available" in waiting[1].status().error
        assert elsewhere.error is None
        if restart:
            await engine.close()
            engine = await boot()
            found = (await engine.restore_session()).torrents
            waiting, elsewhere = list(found[:3]), found[3]
            assert all(isinstance(torrent.error, RootUnavailableError) for torrent in waiting)
            elsewhere.add_peer(address)
        await elsewhere.wait_complete()
        await asyncio.sleep(1.5)
        assert all(isinstance(torrent.error, RootUnavailableError) for torrent in waiting)
        assert not disk.path.exists() or not list(disk.path.iterdir())

        disk.come_back()
        await until(lambda: all(torrent.error is None for torrent in waiting), 5)
        await asyncio.gather(*(torrent.wait_checked() for torrent in waiting))
        for torrent, before, share in zip(waiting, had, (complete, *shares), strict=True):
            assert torrent.status().pieces_have >= before
            assert_honest(torrent, share, disk.path)
            torrent.add_peer(address)
        await asyncio.gather(*(torrent.wait_complete() for torrent in waiting))
        for share in (complete, *shares):
            assert share.stored(disk.path) == share.content
        assert other.stored(tmp_path / "down") == other.content


# A process that stands still.


async def test_a_process_that_was_stopped_for_a_while(
    start_engine: StartEngine,
    seed: Callable[..., object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing breaks, and it goes on with whoever is still there."""
    monkeypatch.setattr(sleep_watch, "LEAST_JUMP", 1.0)
    share = make_share(3 * MIB, PIECE_LENGTH)
    address = await seed(share, rate=MIB)
    engine = await start_engine(tmp_path / "down", QUICK)
    torrent = await engine.add(share.data, peers=[address])
    await until(lambda: torrent.status().pieces_have > 4)
    jumps: list[object] = []
    watch = engine._housekeeping._sleep_watch
    jumped = watch._jumped
    watch._jumped = lambda jump: (jumps.append(jump), jumped(jump))[1]
    await until(lambda: watch._last is not None)
    time.sleep(1.5)  # noqa: ASYNC251 - the loop is to stand still
    await until(lambda: bool(jumps))
    await torrent.wait_complete()
    assert share.stored(tmp_path / "down") == share.content


# Sessions.


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    path = tmp_path / "small"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        pytest.skip(f"mounting is not allowed here: {result.stderr.strip()}")
    yield path
    subprocess.run(["umount", str(path)], check=True)


async def save_often(engine: Engine, torrent: Torrent) -> None:
    """The store may have some room within its file."""
    for number in range(200):
        torrent.set_limits(download=100_000 + number, upload=None)
        await engine.save_session()


@pytest.mark.parametrize("name", ["session.db", "session.json"])
async def test_a_session_on_a_disk_that_is_full(
    name: str, small_disk: Path, share: Share, tmp_path: Path
) -> None:
    """What was saved before stays, torrents go on, and what is new is saved when there is room."""
    session, filler = small_disk / name, small_disk / "filler"
    other = make_share(MIB, PIECE_LENGTH, "other")
    share.store(tmp_path / "down")
    other.store(tmp_path / "down")
    async with create_native_engine(QUICK, save_path=tmp_path / "down", session=session) as engine:
        await (await engine.add(share.data)).wait_complete()
        await engine.save_session()
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(1024)):
                pass
        torrent = await engine.add(other.data)
        await torrent.wait_complete()
        with pytest.raises(StorageError, match=r"session"):
            await save_often(engine, torrent)
        assert torrent.state is TorrentState.SEEDING
        filler.unlink()
        await engine.save_session()
    async with create_native_engine(QUICK, save_path=tmp_path / "down", session=session) as engine:
        restored = await engine.restore_session()
        assert {torrent.name for torrent in restored.torrents} == {share.name, other.name}
        for torrent in restored.torrents:
            await torrent.wait_complete()


@pytest.fixture
async def taken(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Path]:
    """A session that an engine of this process uses."""
    session = tmp_path / f"session.{request.param}"
    async with create_native_engine(QUICK, save_path=tmp_path, session=session):
        yield session


@pytest.mark.slow
@pytest.mark.parametrize("taken", ["db", "json"], indirect=True)
async def test_a_session_that_another_process_uses(taken: Path, tmp_path: Path) -> None:
    code, _, errors = await run("daemon", "--session", taken, "--port", 0, "-o", tmp_path)
    assert code == 5
    assert f"{taken}: another process uses this session" in " ".join(errors.split())
    assert "Traceback" not in errors


@pytest.mark.slow
async def test_a_session_is_free_again_when_its_process_was_killed(tmp_path: Path) -> None:
    session = tmp_path / "session.db"
    options = ("daemon", "--session", session, "--port", 0, "-o", tmp_path, "--json")
    async with millstream(*options) as first:
        await first.event("daemon")
        code, _, errors = await run(*options)
        assert code == 5
        assert "another process" in errors
        await first.kill()
        async with millstream(*options) as second:
            await second.event("daemon")
            assert await second.stop() == 0
