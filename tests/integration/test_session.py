"""Sessions on real files: what an engine remembers, and stores that are locked or broken."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from millstream import EngineConfig, TorrentState, create_native_engine
from millstream.adapters.memory import MemorySessionStore
from millstream.errors import NetworkError, StorageError
from millstream.interfaces.disk import Hash

from .conftest import LOOPBACK, Share, make_share
from .test_leaks import nothing_left

CONFIG = EngineConfig(network=LOOPBACK)

stores = pytest.mark.parametrize("name", ["session.sqlite", "session.json"])


def session_threads() -> int:
    return sum(thread.name.startswith("millstream-session") for thread in threading.enumerate())


def count_hashes(engine) -> list[Hash]:
    hashed: list[Hash] = []
    disk = engine._platform.disk
    submit = disk.submit_hash
    disk.submit_hash = lambda job: (hashed.append(job), submit(job))
    return hashed


@stores
async def test_a_complete_torrent_is_believed_until_its_file_changes(
    name: str, share: Share, tmp_path: Path
) -> None:
    share.store(tmp_path)
    path = tmp_path / share.name
    session = tmp_path / "state" / name
    async with create_native_engine(CONFIG, save_path=tmp_path, session=session) as engine:
        await (await engine.add(share.data)).wait_complete()
    for change, expected in ((None, 0), ("touch", share.piece_count), (None, 0)):
        if change == "touch":
            os.utime(path)
        async with (
            nothing_left(),
            create_native_engine(CONFIG, save_path=tmp_path, session=session) as engine,
        ):
            hashed = count_hashes(engine)
            [torrent] = (await engine.restore_session()).torrents
            await torrent.wait_complete()
            assert torrent.metainfo == share.metainfo
            assert len(hashed) == expected


async def test_a_store_of_ones_own(share: Share, tmp_path: Path) -> None:
    store = MemorySessionStore()
    async with create_native_engine(CONFIG, save_path=tmp_path, session=store) as engine:
        await engine.add(share.data, start=False)
    async with create_native_engine(CONFIG, save_path=tmp_path, session=store) as engine:
        [torrent] = (await engine.restore_session()).torrents
        assert torrent.state is TorrentState.STOPPED


async def test_what_is_remembered_is_in_the_store_at_once(share: Share, tmp_path: Path) -> None:
    store = MemorySessionStore()
    async with create_native_engine(CONFIG, save_path=tmp_path, session=store) as engine:
        torrent = await engine.add(share.data, start=False)
        await torrent.remember()
        copy = MemorySessionStore()
        await copy.apply({key: await store.get(key) for key in await store.keys()})
    async with create_native_engine(CONFIG, save_path=tmp_path, session=copy) as engine:
        [torrent] = (await engine.restore_session()).torrents
        assert torrent.state is TorrentState.STOPPED
    async with create_native_engine(CONFIG, save_path=tmp_path) as engine:
        await (await engine.add(share.data, start=False)).remember()  # nothing to remember it in


@stores
async def test_a_second_engine_is_told_that_the_session_is_taken(
    name: str, share: Share, tmp_path: Path
) -> None:
    session = tmp_path / name
    async with create_native_engine(CONFIG, save_path=tmp_path, session=session) as first:
        await first.add(share.data, start=False)
        threads = session_threads()
        second = create_native_engine(CONFIG, save_path=tmp_path, session=session)
        with pytest.raises(StorageError, match=f"{name}: another process uses this session"):
            await second.start()
        await second.close()
        assert session_threads() == threads
        assert len(first.torrents) == 1


async def test_a_port_that_is_taken_leaves_the_session_free(tmp_path: Path) -> None:
    session = tmp_path / "session"
    async with create_native_engine(CONFIG, save_path=tmp_path) as other:
        taken = replace(CONFIG, network=replace(LOOPBACK, listen_port=other.listen_port))
        engine = create_native_engine(taken, save_path=tmp_path, session=session)
        with pytest.raises(NetworkError):
            await engine.start()
        assert session_threads() == 0
        async with create_native_engine(CONFIG, save_path=tmp_path, session=session):
            pass


@stores
async def test_a_broken_store_is_set_aside_and_what_is_readable_comes_back(
    name: str, tmp_path: Path
) -> None:
    session = tmp_path / name
    shares = [make_share(40_000, 16384, f"file {number}") for number in range(40)]
    async with create_native_engine(CONFIG, save_path=tmp_path, session=session) as engine:
        for each in shares:
            await engine.add(each.data, start=False)
    broken = bytearray(session.read_bytes())
    middle = len(broken) // 2 // 4096 * 4096
    broken[middle : middle + 4096] = b"\xff" * 4096
    session.write_bytes(broken)
    for _ in range(2):
        async with create_native_engine(CONFIG, save_path=tmp_path, session=session) as engine:
            restored = await engine.restore_session()
            assert 25 < len(restored.torrents) <= 40
            known = {each.metainfo.info_hash for each in shares}
            assert {each.info_hash for each in restored.torrents} | set(restored.failed) <= known
    if name.endswith(".json"):
        assert (tmp_path / f"{name}.corrupt").read_bytes() == broken
    else:
        assert (tmp_path / f"{name}.corrupt").stat().st_size == len(broken)


async def test_rubbish_in_place_of_a_store_starts_a_new_session(
    share: Share, tmp_path: Path
) -> None:
    session = tmp_path / "session"
    session.write_bytes(b"rubbish" * 1000)
    async with create_native_engine(CONFIG, save_path=tmp_path, session=session) as engine:
        assert (await engine.restore_session()).torrents == ()
        await engine.add(share.data)
    assert (tmp_path / "session.corrupt").read_bytes() == b"rubbish" * 1000
