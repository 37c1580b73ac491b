from __future__ import annotations

from millstream.storage.buffers import PieceBufferPool


def test_reserving_is_arithmetic():
    pool = PieceBufferPool(100)
    pool.reserve(30)
    pool.reserve(50)
    assert (pool.reserved_bytes, pool.room) == (80, 20)
    pool.unreserve(30)
    assert (pool.reserved_bytes, pool.room) == (50, 50)


def test_an_overdrawn_pool_says_so():
    pool = PieceBufferPool(100)
    pool.reserve(130)
    assert pool.room == -30


def test_a_buffer_has_exactly_the_length():
    pool = PieceBufferPool(100)
    view = pool.take(7)
    assert len(view) == 7
    assert not view.readonly


def test_buffers_are_used_again_by_length_the_warmest_first():
    pool = PieceBufferPool(100)
    cold, warm, other = pool.take(10), pool.take(10), pool.take(5)
    for view in (cold, warm, other):
        pool.give_back(view)
    assert pool.free_bytes == 25
    assert pool.take(10) is warm
    assert pool.take(10) is cold
    assert pool.take(5) is other
    assert pool.free_bytes == 0


def test_two_users_never_share_a_buffer():
    pool = PieceBufferPool(100)
    pool.give_back(pool.take(10))
    first, second = pool.take(10), pool.take(10)
    first[:] = b"a" * 10
    second[:] = b"b" * 10
    assert bytes(first) == b"a" * 10


def test_half_the_bound_at_most_is_kept_free():
    pool = PieceBufferPool(100)
    views = [pool.take(20) for _ in range(4)]
    for view in views:
        pool.give_back(view)
    assert pool.free_bytes == 40


def test_a_buffer_beyond_the_bound_is_not_kept():
    pool = PieceBufferPool(100)
    pool.give_back(pool.take(51))
    assert pool.free_bytes == 0
