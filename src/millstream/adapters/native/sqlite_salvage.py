"""Reading what can be read of a broken database."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress

# Rows looked for in vain, one by one, between those that a walk from either end reaches. A page
# has about four thousand bytes, and no entry takes less than ten.
MAX_MISSES = 5_000

# The header (SQLite's "Database File Format", 1.2 and 1.3): what it begins with, and its length.
_MAGIC = b"SQLite format 3\0"
_HEADER_LENGTH = 100

_WALK = "SELECT rowid, key, value FROM entries NOT INDEXED ORDER BY rowid"
_PROBE = "SELECT rowid, key, value FROM entries NOT INDEXED WHERE rowid = ?"


def salvage(path: str) -> list[tuple[str, bytes]]:
    """The readable entries of a session's database; none if it is no database at all.

    A broken page ends a walk through the table, so it is walked from both ends, and rows between
    are looked for by their numbers. Raises OSError.
    """
    found: dict[int, tuple[str, bytes]] = {}
    _drop_part_of_page(path)
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
        # A file that lost its end would not be opened otherwise: it has fewer pages than it says.
        connection.execute("PRAGMA writable_schema = ON")
        first = _walk(connection, _WALK, found)
        last = _walk(connection, f"{_WALK} DESC", found)
        number, misses = (first or 0) + 1, 0
        while (first, last) != (None, None) and misses < MAX_MISSES and number != last:
            before = len(found)
            for row in _readable(connection.cursor(), _PROBE, number):
                _keep(found, *row)
            misses = misses + 1 if len(found) == before else 0
            number += 1
    return list(dict(found[number] for number in sorted(found)).items())


def _drop_part_of_page(path: str) -> None:
    """Cut off what is left of the last page: SQLite takes what that page lacks for zeros."""
    with open(path, "rb") as file:
        header = file.read(_HEADER_LENGTH)
    if len(header) == _HEADER_LENGTH and header.startswith(_MAGIC):
        page = int.from_bytes(header[16:18], "big")
        page = 1 << 16 if page == 1 else page
        if page:
            size = os.path.getsize(path)
            os.truncate(path, size - size % page)


def _walk(
    connection: sqlite3.Connection, query: str, found: dict[int, tuple[str, bytes]]
) -> int | None:
    """Keep the rows as far as the walk gets; returns the last one's number."""
    number = None
    for row in _readable(connection.cursor(), query):
        _keep(found, *row)
        number = row[0]
    return number


def _readable(
    cursor: sqlite3.Cursor, query: str, *values: int
) -> Iterator[tuple[int, object, object]]:
    with suppress(sqlite3.Error):
        yield from cursor.execute(query, values)


def _keep(found: dict[int, tuple[str, bytes]], number: int, key: object, value: object) -> None:
    if isinstance(key, str) and isinstance(value, bytes):
        found[number] = key, value
