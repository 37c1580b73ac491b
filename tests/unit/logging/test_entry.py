from __future__ import annotations

import dataclasses
import logging
import sys

import pytest

from millstream.logging.entry import MAX_EXCEPTION, MAX_MESSAGE, LogEntry


def fail(words):
    raise ValueError(words)


def record(name="millstream.disk", message="%d left", *arguments, **fields):
    made = logging.LogRecord(name, logging.INFO, "x.py", 1, message, arguments, None)
    vars(made).update(fields)
    return made


def test_a_record_of_ours():
    made = record("millstream.peer", "%d left", 3, component="peer", torrent="ab", peer="h:1")
    assert LogEntry.of(made) == LogEntry(
        time=made.created,
        level=20,
        component="peer",
        message="3 left",
        torrent="ab",
        peer="h:1",
    )
    assert LogEntry.of(made).level_name == "INFO"


@pytest.mark.parametrize(
    ("name", "component"),
    [
        ("millstream.disk", "disk"),
        ("millstream.tracker_service.http", "tracker_service"),
        ("millstream", "millstream"),
        ("asyncio", "asyncio"),
        ("aiohttp.server", "aiohttp"),
    ],
)
def test_a_record_of_somebody_else(name, component):
    entry = LogEntry.of(record(name, "hello"))
    assert (entry.component, entry.torrent, entry.peer) == (component, None, None)


def test_an_entry_is_bounded():
    assert len(LogEntry.of(record("x", "y" * 10_000)).message) == MAX_MESSAGE
    made = record()
    made.args = (1,)
    try:
        fail("z" * 20_000)
    except ValueError:
        made.exc_info = sys.exc_info()
    entry = LogEntry.of(made)
    assert entry.exception is not None
    assert len(entry.exception) == MAX_EXCEPTION


def test_an_entry_is_a_value():
    entry = LogEntry.of(record("x", "y"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        entry.message = "z"
