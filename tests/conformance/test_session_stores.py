"""The native session stores against the conformance suite, and what only files can suffer."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from millstream.adapters.native import sqlite_store
from millstream.adapters.native.json_store import JsonSessionStore
from millstream.adapters.native.sqlite_store import SqliteSessionStore
from millstream.errors import StorageError
from millstream.testing import SessionStoreConformance

STORES = [SqliteSessionStore, JsonSessionStore]
every_store = pytest.mark.parametrize("store_class", STORES)


class InFile:
    @pytest.fixture(autouse=True)
    def _choose_path(self, tmp_path: Path) -> None:
        self.path = tmp_path / "not" / "yet" / "session"

    @asynccontextmanager
    async def open_store(self) -> AsyncIterator:
        store = self.store_class(self.path)
        try:
            yield store
        finally:
            await store.close()


class TestSqliteSessionStore(InFile, SessionStoreConformance):
    store_class = SqliteSessionStore


class TestJsonSessionStore(InFile, SessionStoreConformance):
    store_class = JsonSessionStore


@every_store
async def test_another_store_finds_what_this_one_stored(store_class, tmp_path):
    first = store_class(tmp_path / "session")
    await first.apply({"a": b"1", "b": bytes(range(256))})
    await first.close()
    second = store_class(tmp_path / "session")
    assert await second.get_many(["a", "b"]) == {"a": b"1", "b": bytes(range(256))}
    await second.close()


@every_store
async def test_it_is_locked_while_it_is_open(store_class, tmp_path):
    first, second = store_class(tmp_path / "session"), store_class(tmp_path / "session")
    await first.set("a", b"1")
    with pytest.raises(StorageError, match=r"session: another process uses this session"):
        await second.get("a")
    await first.close()
    assert await second.get("a") == b"1"
    await second.close()


@every_store
async def test_it_is_locked_by_another_process_and_free_when_that_is_killed(store_class, tmp_path):
    path = tmp_path / "session"
    program = (
        "import asyncio, sys, time\n"
        f"from {store_class.__module__} import {store_class.__name__} as Store\n"
        "async def hold():\n"
        "    await Store(sys.argv[1]).set('a', b'1')\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
        "asyncio.run(hold())\n"
    )
    with subprocess.Popen(  # noqa: ASYNC220 - the test waits for it anyway
        [sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        store = store_class(path)
        with pytest.raises(StorageError, match="another process"):
            await store.get("a")
        holder.kill()
    assert await store.get("a") == b"1"
    await store.close()


@every_store
@pytest.mark.parametrize("content", [b"", b"garbage" * 1000, b"\0" * 5000, b"[" * 100_000])
async def test_a_file_that_is_none_is_set_aside(store_class, content, tmp_path, caplog):
    path = tmp_path / "session"
    path.write_bytes(content)
    store = store_class(path)
    assert await store.keys() == []
    await store.set("a", b"1")
    await store.close()
    assert await store.get("a") == b"1"
    await store.close()
    if content or store_class is JsonSessionStore:  # an empty file is a new database
        assert (tmp_path / "session.corrupt").read_bytes() == content
        assert "session.corrupt" in caplog.text
    else:
        assert "session is empty" in caplog.text


@every_store
async def test_those_set_aside_before_are_kept(store_class, tmp_path):
    path = tmp_path / "session"
    for content in (b"first " * 100, b"second" * 100, b"third " * 100):
        path.write_bytes(content)
        store = store_class(path)
        assert await store.keys() == []
        await store.close()
    kept = {found.read_bytes() for found in tmp_path.glob("session.corrupt*")}
    assert kept == {b"first " * 100, b"second" * 100, b"third " * 100}


async def _fill(store) -> dict[str, bytes]:
    entries = {f"torrent:{n:04}:state": bytes([n % 256]) * (n * 7 % 3000) for n in range(600)}
    await store.apply(entries)
    await store.close()
    return entries


@pytest.mark.parametrize("where", [0.1, 0.5, 0.9])
async def test_what_is_readable_of_a_broken_database_is_recovered(where, tmp_path, caplog):
    path = tmp_path / "session"
    entries = await _fill(SqliteSessionStore(path))
    data = bytearray(path.read_bytes())
    at = int(len(data) * where) // 4096 * 4096
    data[at : at + 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    store = SqliteSessionStore(path)
    found = await store.get_many(entries)
    assert found.items() <= entries.items()
    assert len(found) > 500
    await store.set("torrents", b"new")
    await store.close()
    await store.clear()
    await store.close()


async def test_a_database_that_was_cut_is_recovered(tmp_path):
    path = tmp_path / "session"
    entries = await _fill(SqliteSessionStore(path))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    store = SqliteSessionStore(path)
    found = await store.get_many(entries)
    assert found.items() <= entries.items()
    assert len(found) > 250
    await store.apply({"a": b"1"})
    assert await store.get("a") == b"1"
    await store.close()


async def test_what_is_readable_of_broken_json_is_recovered(tmp_path, caplog):
    path = tmp_path / "session"
    entries = await _fill(JsonSessionStore(path))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    store = JsonSessionStore(path)
    found = {key: await store.get(key) for key in await store.keys()}
    assert found.items() <= entries.items()
    assert len(found) > 250
    await store.close()
    assert "entries recovered" in caplog.text


async def test_a_session_of_a_newer_version_is_left_alone(tmp_path):
    path = tmp_path / "session"
    await _fill(SqliteSessionStore(path))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    await _refused(SqliteSessionStore(path), "newer version")
    path.write_text('{"format": "millstream session", "version": 99, "entries": {}}')
    await _refused(JsonSessionStore(path), "newer version")


async def test_a_database_of_somebody_else_is_left_alone(tmp_path):
    path = tmp_path / "session"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE precious (x)")
    await _refused(SqliteSessionStore(path), "no session of Millstream")


async def _refused(store, why: str) -> None:
    path = Path(store.path)
    before = _content(path)
    with pytest.raises(StorageError, match=why):
        await store.get("a")
    await store.close()
    assert _content(path) == before


def _content(path: Path) -> tuple[bytes, list[str]]:
    return path.read_bytes(), sorted(each.name for each in path.parent.glob("*.corrupt"))


async def test_an_older_schema_is_migrated_all_or_nothing(tmp_path, monkeypatch):
    path = tmp_path / "session"
    await _fill(SqliteSessionStore(path))

    def migrate(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE entries SET value = CAST(value || X'00' AS BLOB)")
        if fails:
            raise sqlite3.OperationalError("no room")

    monkeypatch.setattr(sqlite_store, "SCHEMA_VERSION", 2)
    monkeypatch.setitem(sqlite_store.MIGRATIONS, 1, migrate)
    fails, store = True, SqliteSessionStore(path)
    with pytest.raises(StorageError, match="no room"):
        await store.get("a")
    await store.close()
    fails = False
    for _ in range(2):
        assert await store.get("torrent:0001:state") == b"\1" * 7 + b"\0"
        await store.close()


@every_store
async def test_a_place_that_cannot_be_written_is_an_error_with_its_name(store_class, tmp_path):
    (tmp_path / "file").touch()
    store = store_class(tmp_path / "file" / "session")
    with pytest.raises(StorageError, match="file"):
        await store.get("a")
    await store.close()
