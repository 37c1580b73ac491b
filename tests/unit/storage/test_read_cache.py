from __future__ import annotations

import random
from collections import Counter

import pytest

from millstream.protocol.infohash import InfoHash
from millstream.storage import read_cache
from millstream.storage.read_cache import ReadBuffer, ReadCache

ONE, TWO = InfoHash(b"1" * 20), InfoHash(b"2" * 20)
KIB = 1 << 10
RUN = 64 * KIB


def keep(cache: ReadCache, piece: int, *, torrent: InfoHash = ONE, begin: int = 0) -> ReadBuffer:
    """A run was read, sent and is done with."""
    buffer = cache.take(begin, begin + RUN)
    cache.keep(torrent, piece, buffer)
    cache.done(buffer)
    return buffer


def test_what_was_read_is_found():
    cache = ReadCache(4 * RUN)
    buffer = cache.take(RUN, 2 * RUN)
    cache.keep(ONE, 5, buffer)
    assert cache.find(ONE, 5, RUN, 2 * RUN) is buffer
    assert cache.find(ONE, 5, RUN + 10, RUN + 20) is buffer
    assert buffer.users == 3


@pytest.mark.parametrize(
    ("torrent", "piece", "begin", "end"),
    [
        (TWO, 5, RUN, 2 * RUN),
        (ONE, 4, RUN, 2 * RUN),
        (ONE, 5, RUN - 1, 2 * RUN),
        (ONE, 5, RUN, 2 * RUN + 1),
        (ONE, 5, 0, RUN),
    ],
)
def test_what_was_not_read_is_not_found(torrent, piece, begin, end):
    cache = ReadCache(4 * RUN)
    keep(cache, 5, begin=RUN)
    assert cache.find(torrent, piece, begin, end) is None


@pytest.mark.parametrize(
    ("length", "capacity"),
    [
        (1, 16 * KIB),
        (16 * KIB, 16 * KIB),
        (16 * KIB + 1, 32 * KIB),
        (RUN, RUN),
        (RUN + 1, 2 * RUN),
    ],
)
def test_buffers_come_in_powers_of_two(length, capacity):
    buffer = ReadCache(RUN).take(100, 100 + length)
    assert len(buffer.view) == capacity
    assert (buffer.begin, buffer.end, buffer.users) == (100, 100 + length, 1)


def test_the_least_recently_used_is_given_up_first():
    cache = ReadCache(2 * RUN)
    for piece in (0, 1):
        keep(cache, piece)
    cache.done(cache.find(ONE, 0, 0, RUN))
    keep(cache, 2)
    assert [cache.find(ONE, piece, 0, RUN) is not None for piece in range(3)] == [
        True,
        False,
        True,
    ]


def test_a_buffer_is_used_again_only_when_nobody_sends_from_it():
    cache = ReadCache(RUN)
    buffer = cache.take(0, RUN)
    cache.keep(ONE, 0, buffer)
    keep(cache, 1)  # gives piece 0 up
    assert cache.find(ONE, 0, 0, RUN) is None
    assert cache.take(0, RUN).view is not buffer.view
    cache.done(buffer)
    assert cache.take(0, RUN).view is buffer.view


def test_a_buffer_is_not_used_again_while_it_is_hot():
    cache = ReadCache(RUN)
    buffer = keep(cache, 0)
    assert cache.take(0, RUN).view is not buffer.view


def test_a_later_run_of_the_piece_takes_its_place():
    cache = ReadCache(4 * RUN)
    first = keep(cache, 0)
    keep(cache, 0, begin=RUN)
    assert cache.find(ONE, 0, 0, RUN) is None
    assert cache.find(ONE, 0, RUN, 2 * RUN) is not None
    assert cache.take(0, RUN).view is first.view


def test_a_read_that_failed_leaves_its_buffer():
    cache = ReadCache(RUN)
    buffer = cache.take(0, RUN)
    cache.done(buffer)
    assert cache.find(ONE, 0, 0, RUN) is None
    assert cache.take(0, RUN).view is buffer.view


def test_what_is_too_long_to_keep_is_still_sent():
    cache = ReadCache(RUN - 1)
    buffer = cache.take(0, RUN)
    cache.keep(ONE, 0, buffer)
    assert buffer.users == 1
    assert cache.find(ONE, 0, 0, RUN) is None
    cache.done(buffer)
    assert cache._hot_bytes == 0
    assert cache._free_bytes == RUN


def test_a_torrent_is_forgotten():
    cache = ReadCache(4 * RUN)
    keep(cache, 0)
    keep(cache, 0, torrent=TWO)
    cache.forget(ONE)
    assert cache.find(ONE, 0, 0, RUN) is None
    assert cache.find(TWO, 0, 0, RUN) is not None


def test_a_long_random_run_keeps_the_books_and_the_bounds(monkeypatch):
    monkeypatch.setattr(read_cache, "MAX_FREE_BYTES", 2 * RUN)
    rng = random.Random(1)
    cache = ReadCache(8 * RUN)
    users: list[ReadBuffer] = []
    for _ in range(2_000):
        if users and rng.random() < 0.5:
            cache.done(users.pop(rng.randrange(len(users))))
            continue
        piece, begin = rng.randrange(12), rng.randrange(2) * RUN
        end = begin + rng.choice([1, RUN // 4, RUN])
        buffer = cache.find(ONE, piece, begin, end)
        if buffer is None:
            buffer = cache.take(begin, end)
            cache.keep(ONE, piece, buffer)
        users.append(buffer)
        assert cache._hot_bytes == sum(len(hot.view) for hot in cache._hot.values())
        assert cache._free_bytes == sum(
            capacity * len(views) for capacity, views in cache._free.items()
        )
        assert cache._hot_bytes <= 8 * RUN
        assert cache._free_bytes <= 2 * RUN
        counts = Counter(map(id, users))
        assert all(user.users == counts[id(user)] for user in users)
        # Nothing that somebody sends from, and nothing hot, is free.
        free = {id(view) for views in cache._free.values() for view in views}
        assert free.isdisjoint(id(user.view) for user in users)
        assert free.isdisjoint(id(hot.view) for hot in cache._hot.values())
