from __future__ import annotations

import logging

import pytest

from millstream.errors import ConfigError
from millstream.logging.component_logger import component_logger
from millstream.logging.ring_buffer import CAPACITY, RingBufferLogger
from millstream.protocol.infohash import InfoHash

FIRST = InfoHash(b"\x0a" * 20)
SECOND = InfoHash(b"\x0b" * 20)


@pytest.fixture
def attach():
    """Adds ring buffers to the loggers of Millstream, and takes them off again."""
    logger = logging.getLogger("millstream")
    level = logger.level
    logger.setLevel(logging.DEBUG)
    added = []

    def add(ring):
        logger.addHandler(ring)
        added.append(ring)
        return ring

    yield add
    for ring in added:
        logger.removeHandler(ring)
    logger.setLevel(level)


def messages(entries):
    return [entry.message for entry in entries]


def test_the_latest_are_kept(attach):
    ring = attach(RingBufferLogger(3))
    log = component_logger("engine")
    for number in range(5):
        log.info("%d", number)
    assert len(ring) == 3
    assert messages(ring.snapshot()) == ["2", "3", "4"]
    assert messages(ring.snapshot(limit=2)) == ["3", "4"]
    assert ring.snapshot(limit=0) == []
    assert len(ring.snapshot(limit=99)) == 3
    ring.clear()
    assert ring.snapshot() == []


def test_the_default_capacity(attach):
    ring = attach(RingBufferLogger())
    for number in range(CAPACITY + 1):
        component_logger("engine").info("%d", number)
    assert len(ring) == CAPACITY


def test_filters(attach):
    ring = attach(RingBufferLogger())
    component_logger("peer", torrent=FIRST).debug("a")
    component_logger("peer", torrent=SECOND).info("b")
    component_logger("tracker", torrent=FIRST).warning("c")
    component_logger("engine").error("d")
    assert messages(ring.snapshot(level="info")) == ["b", "c", "d"]
    assert messages(ring.snapshot(level=logging.ERROR)) == ["d"]
    assert messages(ring.snapshot(component="peer")) == ["a", "b"]
    assert messages(ring.snapshot(torrent=FIRST)) == ["a", "c"]
    assert messages(ring.snapshot(torrent="0B0b")) == ["b"]
    assert messages(ring.snapshot(torrent=FIRST, component="tracker", level="DEBUG")) == ["c"]
    assert messages(ring.snapshot(torrent=FIRST, limit=1)) == ["c"]
    assert ring.snapshot(component="nobody") == []


def test_a_snapshot_is_a_copy(attach):
    ring = attach(RingBufferLogger())
    component_logger("engine").info("a")
    before = ring.snapshot()
    component_logger("engine").info("b")
    assert messages(before) == ["a"]


def test_its_own_level(attach):
    ring = attach(RingBufferLogger(level="warning"))
    component_logger("engine").info("a")
    component_logger("engine").warning("b")
    assert messages(ring.snapshot()) == ["b"]


def test_arguments_are_shown_as_they_were(attach):
    ring = attach(RingBufferLogger())
    peers = ["x"]
    component_logger("engine").info("%s", peers)
    peers.append("y")
    assert messages(ring.snapshot()) == ["['x']"]


def test_listeners(attach):
    ring = attach(RingBufferLogger())
    heard = []
    unsubscribe = ring.subscribe(heard.append)
    component_logger("engine").info("a")
    unsubscribe()
    unsubscribe()
    component_logger("engine").info("b")
    assert messages(heard) == ["a"]


def test_a_listener_that_fails_fails_nobody_else(attach, monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", False)
    ring = attach(RingBufferLogger())
    ring.subscribe(lambda _: 1 / 0)
    component_logger("engine").info("a")
    component_logger("engine").info("%d", "no number")
    assert messages(ring.snapshot()) == ["a"]


@pytest.mark.parametrize("capacity", [0, -1])
def test_no_capacity(capacity):
    with pytest.raises(ConfigError, match="must be 1 or more"):
        RingBufferLogger(capacity)


def test_no_such_level():
    with pytest.raises(ConfigError, match="no log level"):
        RingBufferLogger(level="loud")
    with pytest.raises(ConfigError, match="no log level"):
        RingBufferLogger().snapshot(level="loud")


def test_entries_have_numbers_by_which_what_is_new_is_asked_for(attach):
    ring = attach(RingBufferLogger(3))
    assert (ring.oldest, ring.latest, ring.numbered()) == (1, 0, [])
    log = component_logger("engine")
    for number in range(1, 6):
        log.info("%d", number)
    numbers = [number for number, _ in ring.numbered()]
    assert (ring.oldest, ring.latest, numbers) == (3, 5, [3, 4, 5])
    assert all(str(number) == entry.message for number, entry in ring.numbered())
    assert messages(entry for _, entry in ring.numbered(after=3)) == ["4", "5"]
    assert messages(entry for _, entry in ring.numbered(after=3, limit=1)) == ["5"]
    assert ring.numbered(after=5) == []
    ring.clear()
    assert (ring.oldest, ring.latest) == (6, 5)
