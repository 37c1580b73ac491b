"""The session in an SQLite database: what changes is written, not all.

One thread has the connection. The write-ahead log makes a batch atomic, whenever the process or the
power ends; `synchronous=FULL` makes it lasting before the call returns. The lock is exclusive for
as long as the store is open, since two engines on one session would overwrite each other.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from millstream.adapters.native.set_aside import set_aside
from millstream.adapters.native.sqlite_salvage import salvage
from millstream.errors import StorageError
from millstream.logging.component_logger import component_logger

_LOG = component_logger("store")

T = TypeVar("T")

# Says in the file's header whose it is: "Mlst".
APPLICATION_ID = 0x4D6C7374

SCHEMA_VERSION = 1
_SCHEMA = "CREATE TABLE entries (key TEXT NOT NULL UNIQUE, value BLOB NOT NULL)"

MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {}
"""By schema version: what makes it the next one, inside the transaction that opens the file."""

# Another engine that is just closing is waited for, seconds.
LOCK_WAIT = 0.5

# Values asked for in one statement; SQLite's SQLITE_MAX_VARIABLE_NUMBER was once 999.
_KEYS_PER_QUERY = 500

_WAL_FILES = ("-wal", "-shm")


class SqliteSessionStore:
    """Implements `interfaces.session_store.SessionStore`.

    A file that SQLite cannot read is set aside as `<name>.corrupt`, and a new one begun with all of
    it that could be read.

    Args:
        path: the file; it and its directory are created where missing.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)
        self._connection: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def get(self, key: str) -> bytes | None:
        """See `interfaces.session_store.SessionStore`."""
        return (await self.get_many((key,))).get(key)

    async def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """See `interfaces.session_store.SessionStore`."""
        wanted = list(keys)

        def read(connection: sqlite3.Connection) -> dict[str, bytes]:
            found: dict[str, bytes] = {}
            for at in range(0, len(wanted), _KEYS_PER_QUERY):
                some = wanted[at : at + _KEYS_PER_QUERY]
                marks = ",".join("?" * len(some))
                query = f"SELECT key, value FROM entries WHERE key IN ({marks})"  # noqa: S608
                found.update(connection.execute(query, some))
            return found

        return await self._run(read)

    async def set(self, key: str, value: bytes) -> None:
        """See `interfaces.session_store.SessionStore`."""
        await self.apply({key: value})

    async def delete(self, key: str) -> None:
        """See `interfaces.session_store.SessionStore`."""
        await self.apply({key: None})

    async def keys(self, prefix: str = "") -> list[str]:
        """See `interfaces.session_store.SessionStore`."""

        def read(connection: sqlite3.Connection) -> list[str]:
            found = []
            query = "SELECT key FROM entries WHERE key >= ? ORDER BY key"
            for (key,) in connection.execute(query, (prefix,)):
                if not key.startswith(prefix):
                    break
                found.append(key)
            return found

        return await self._run(read)

    async def clear(self) -> None:
        """See `interfaces.session_store.SessionStore`."""

        def remove(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM entries")

        await self._run(remove)

    async def apply(self, batch: Mapping[str, bytes | None]) -> None:
        """See `interfaces.session_store.SessionStore`."""
        # Read here and now: the mapping is the caller's.
        values = [(key, bytes(value)) for key, value in batch.items() if value is not None]
        gone = [(key,) for key, value in batch.items() if value is None]

        def write(connection: sqlite3.Connection) -> None:
            _store(connection, values)
            connection.executemany("DELETE FROM entries WHERE key = ?", gone)

        if values or gone:
            await self._run(write)

    async def close(self) -> None:
        """See `interfaces.session_store.SessionStore`."""
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._disconnect)
            thread.shutdown()

    # In the thread.

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do the work in a transaction of its own."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="millstream-session")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._do, work)

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            try:
                return self._transact(work)
            except sqlite3.DatabaseError as error:
                if not _is_corrupt(error):
                    raise
                self._begin_anew(error)
                return self._transact(work)
        except sqlite3.Error as error:
            if _code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                cause = "another process uses this session; only one can at a time"
                raise StorageError(self.path, cause) from error
            raise StorageError(self.path, str(error)) from error
        except OSError as error:
            raise StorageError(self.path, error.strerror or str(error), error.errno) from error

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connection
        if connection is None:
            connection = self._connection = self._connect()
        with _Transaction(connection):
            return work(connection)

    def _connect(self) -> sqlite3.Connection:
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        if os.path.exists(self.path) and not os.path.getsize(self.path):
            # To SQLite that is a new one. It may be what is left of a session.
            _LOG.warning("%s is empty: a new session begins in it", self.path)
        connection = sqlite3.connect(
            self.path, timeout=LOCK_WAIT, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA synchronous = FULL")
            with _Transaction(connection):
                self._migrate(connection)
            # Not before it is known to be ours: this changes the file.
            connection.execute("PRAGMA journal_mode = WAL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        [application] = connection.execute("PRAGMA application_id").fetchone()
        [version] = connection.execute("PRAGMA user_version").fetchone()
        [tables] = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if not tables and not version:
            connection.execute(_SCHEMA)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            version = SCHEMA_VERSION
        elif application != APPLICATION_ID:
            raise StorageError(self.path, "this database is no session of Millstream")
        elif version > SCHEMA_VERSION:
            raise StorageError(self.path, "a newer version of Millstream wrote this session")
        while version < SCHEMA_VERSION:
            MIGRATIONS[version](connection)
            version += 1
        connection.execute(f"PRAGMA user_version = {version}")

    def _begin_anew(self, reason: sqlite3.DatabaseError) -> None:
        """Set the file aside, and begin another with what can be read of it."""
        self._disconnect()
        aside = set_aside(self.path, _WAL_FILES)
        entries = salvage(aside)
        self._connection = self._connect()
        with _Transaction(self._connection):
            _store(self._connection, entries)
        _LOG.warning(
            "%s is corrupt (%s): kept as %s, %d entries recovered",
            self.path,
            reason,
            aside,
            len(entries),
        )

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class _Transaction:
    """`with`: all that is done, or nothing."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN EXCLUSIVE")

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        if kind is None:
            self._connection.execute("COMMIT")
        # After some errors, such as a full disk, SQLite has rolled back already.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _store(connection: sqlite3.Connection, entries: Iterable[tuple[str, bytes]]) -> None:
    connection.executemany(
        "INSERT INTO entries VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        entries,
    )


def _code(error: sqlite3.Error) -> int:
    """The kind of the error; 0 if it is none of SQLite's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_corrupt(error: sqlite3.Error) -> bool:
    return _code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
