"""A closed engine leaves nothing: no task, thread, file handle, socket or timer."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from millstream import (
    EngineConfig,
    TorrentState,
    create_native_engine,
    create_torrent,
    verify_torrent,
)
from millstream.errors import EngineClosedError, MillstreamError, StorageError
from millstream.presets.loading import load_torrent

from .conftest import LOOPBACK, UNENCRYPTED, Share, make_share
from .raw_peer import HAVE_ALL, REQUEST, UNCHOKE, RawPeer, message

pytestmark = pytest.mark.timeout(60)


def open_handles() -> dict[str, str]:
    handles = {}
    for handle in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own
            handles[handle.name] = str(handle.readlink())
    return handles


def timers() -> list[asyncio.TimerHandle]:
    return [t for t in asyncio.get_running_loop()._scheduled if not t.cancelled()]


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    handles, tasks, scheduled = open_handles(), asyncio.all_tasks(), timers()
    threads = set(threading.enumerate())  # what tests before this left idle for a while
    yield
    await asyncio.sleep(0)  # for what was said to be closed "soon"
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == tasks
    assert open_handles() == handles
    news = [t for t in threading.enumerate() if t not in threads]
    for thread in news:
        thread.join(1.0)  # nobody waits for what was given up, and that ends soon
    assert [t.name for t in news if t.is_alive() and t.name.startswith("millstream")] == []
    assert [t for t in timers() if t not in scheduled] == []


@pytest.fixture
def deaf_address() -> Iterator[str]:
    """An address where connecting neither succeeds nor fails: its backlog is full."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        host, port = listening.getsockname()
        waiting = []
        for _ in range(3):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex((host, port))
        yield f"{host}:{port}"
        for one in waiting:
            one.close()


async def test_an_engine_that_did_nothing(tmp_path: Path) -> None:
    async with nothing_left():
        engine = create_native_engine(save_path=tmp_path)
        async with engine:
            assert engine.listen_port
        await engine.close()


async def test_after_a_download(share: Share, tmp_path: Path) -> None:
    share.store(tmp_path / "seeded")
    config = EngineConfig(network=LOOPBACK)
    async with nothing_left():
        async with (
            create_native_engine(config, save_path=tmp_path / "seeded") as seeder,
            create_native_engine(config, save_path=tmp_path / "leeched") as leech,
        ):
            await (await seeder.add(share.data)).wait_complete()
            peers = [f"127.0.0.1:{seeder.listen_port}"]
            torrent = await leech.add(share.data, peers=peers)
            await torrent.wait_complete()
        assert torrent.state is TorrentState.STOPPED


async def test_closed_half_way_through_a_download(share: Share, tmp_path: Path) -> None:
    async with nothing_left():
        engine = create_native_engine(EngineConfig(network=LOOPBACK), save_path=tmp_path)
        await engine.start()
        torrent = await engine.add(share.data)
        await torrent.wait_checked()
        peer = await RawPeer.connect(engine.listen_port)
        await peer.greet(share.info_hash)
        peer.send(message(HAVE_ALL), message(UNCHOKE))
        await peer.receive_kind(REQUEST)  # which is not answered
        stranger = await RawPeer.connect(engine.listen_port)
        waiters = [asyncio.create_task(torrent.wait_complete()) for _ in range(2)]
        events = torrent.events()
        await asyncio.sleep(0)

        await engine.close()

        for waiter in waiters:
            with pytest.raises(EngineClosedError):
                await waiter
        assert [event async for event in events]
        for one in (peer, stranger):
            await one.wait_closed()
            await one.close()


async def test_closed_while_checking(tmp_path: Path) -> None:
    share = make_share(600 * 16384, 16384)
    share.store(tmp_path)
    for turns in range(4):
        async with nothing_left(), create_native_engine(save_path=tmp_path) as engine:
            torrent = await engine.add(share.data)
            for _ in range(turns):
                await asyncio.sleep(0)
            assert torrent.state is TorrentState.CHECKING


async def test_closed_while_connecting(share: Share, tmp_path: Path, deaf_address: str) -> None:
    async with (
        nothing_left(),
        create_native_engine(EngineConfig(network=LOOPBACK), save_path=tmp_path) as e,
    ):
        torrent = await e.add(share.data, peers=[deaf_address])
        await torrent.wait_checked()
        while not e._links.connector._attempts:  # noqa: ASYNC110 - no event tells of attempts
            await asyncio.sleep(0)


async def test_connecting_for_one_torrent_while_another_is_closed(
    share: Share, tmp_path: Path, deaf_address: str
) -> None:
    """Closing takes a while for the first torrent, and the second must not use it to connect."""
    large = make_share(600 * 16384, 16384, "large.bin")
    large.store(tmp_path)
    async with (
        nothing_left(),
        create_native_engine(EngineConfig(network=LOOPBACK), save_path=tmp_path) as e,
    ):
        checking = await e.add(large.data)
        torrent = await e.add(share.data)
        await torrent.wait_checked()
        await checking.recheck()
        await asyncio.sleep(0)
        torrent.add_peer(deaf_address)


async def test_after_an_error(share: Share, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with nothing_left(), create_native_engine(save_path=tmp_path / "file") as engine:
        torrent = await engine.add(share.data)
        with pytest.raises(MillstreamError):
            await torrent.wait_complete()
        await torrent.start()


async def test_after_removing_torrents(share: Share, tmp_path: Path) -> None:
    share.store(tmp_path)
    async with create_native_engine(save_path=tmp_path) as engine:
        before = open_handles()
        for _ in range(3):
            torrent = await engine.add(share.data)
            await torrent.wait_complete()
            await engine.remove(torrent)
            await engine.remove(torrent)
        assert open_handles() == before
        assert engine.torrents == []


async def test_after_making_and_verifying_torrents(share: Share, tmp_path: Path) -> None:
    share.store(tmp_path)
    async with nothing_left():
        await create_torrent(tmp_path / share.name)
        with pytest.raises(MillstreamError):
            await create_torrent(tmp_path / "nothing")


async def test_cancelled_making_of_a_torrent(tmp_path: Path) -> None:
    large = make_share(600 * 16384, 16384, "large.bin")
    large.store(tmp_path)
    begun = asyncio.Event()

    def progress(_hashed: int, _all: int) -> None:
        begun.set()

    async with nothing_left():
        making = asyncio.create_task(
            create_torrent(tmp_path / large.name, piece_length=16384, progress=progress)
        )
        await begun.wait()
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making


async def test_connections_that_come_and_go_leave_no_timers(share: Share, tmp_path: Path) -> None:
    config = EngineConfig(network=LOOPBACK, encryption=UNENCRYPTED)
    async with create_native_engine(config, save_path=tmp_path) as engine:
        before = len(timers())
        for _ in range(50):
            peer = await RawPeer.connect(engine.listen_port)
            peer.send(b"nonsense")
            await peer.wait_closed()
            await peer.close()
        assert len(timers()) <= before + 5


async def test_a_closed_engine_is_forgotten(share: Share, tmp_path: Path) -> None:
    async def use() -> weakref.ref[object]:
        async with create_native_engine(EngineConfig(network=LOOPBACK), save_path=tmp_path) as e:
            torrent = await e.add(share.data)
            await torrent.wait_checked()
            peer = await RawPeer.connect(e.listen_port)
            await peer.greet(share.info_hash)
        await peer.wait_closed()
        await peer.close()
        return weakref.ref(e)

    engine = await use()
    await asyncio.sleep(0)
    gc.collect()
    assert engine() is None


async def test_after_torrents_that_are_none(tmp_path: Path) -> None:
    async with nothing_left():
        with pytest.raises(StorageError):
            await verify_torrent(tmp_path / "none.torrent", tmp_path)
        with pytest.raises(StorageError):
            await load_torrent(tmp_path / "none.torrent")
        with pytest.raises(MillstreamError):
            await create_torrent(tmp_path / "none")
