"""Turns among members of several torrents, in virtual time."""

from collections import Counter

import pytest

from millstream.core.rate_limit import MIN_GRANT, TURN_TIME, USUAL_GRANT, RateLimit
from millstream.errors import ConfigError

RATE = 1_000_000


def greedy(limit, shares, seconds, *, start=0.0, most=None):
    """Members that move all they may: bytes moved by each, over so many seconds."""
    moved = Counter()
    for share in shares:
        for member in share.members:
            share.wait(member, start)
    now = start
    homes = {member: share for share in shares for member in share.members}
    while (when := limit.next_turn(now)) is not None and when < start + seconds:
        now = when
        for member in limit.turn(now):
            share = homes[member]
            while allowance := share.allowance(member, now):
                length = min(allowance, most or share.receive_quota)
                share.spend(member, length)
                moved[member] += length
            share.wait(member, now)
    return moved


def torrents(limit, *sizes, rates=None):
    shares = [limit.share(rate, 0.0) for rate in rates or [None] * len(sizes)]
    for number, size in enumerate(sizes):
        for member in range(size):
            shares[number].add((number, member))
    return shares


@pytest.mark.parametrize(
    ("rate", "members"),
    [(20 << 10, 1), (20 << 10, 20), (RATE, 1), (RATE, 2), (RATE, 60), (100_000_000, 3)],
)
def test_a_limit_holds_and_is_used_up(rate, members):
    limit = RateLimit(rate, 0.0)
    moved = greedy(limit, torrents(limit, members), 10)
    assert moved.total() == pytest.approx(10 * rate, rel=0.05)


def test_every_member_gets_the_same():
    limit = RateLimit(RATE, 0.0)
    moved = greedy(limit, torrents(limit, 20), 10)
    assert len(moved) == 20
    assert max(moved.values()) - min(moved.values()) <= 2 * USUAL_GRANT


def test_torrents_get_the_same_however_many_members_they_have():
    limit = RateLimit(RATE, 0.0)
    moved = greedy(limit, torrents(limit, 1, 50), 10)
    assert moved[0, 0] == pytest.approx(moved.total() / 2, rel=0.03)


def test_what_one_torrent_may_not_take_the_others_get():
    limit = RateLimit(RATE, 0.0)
    shares = torrents(limit, 3, 3, 3, rates=[RATE // 10, None, None])
    moved = greedy(limit, shares, 10)
    by_torrent = Counter()
    for (number, _), length in moved.items():
        by_torrent[number] += length
    assert by_torrent[0] == pytest.approx(RATE, rel=0.05)
    assert by_torrent[1] == pytest.approx(4.5 * RATE, rel=0.05)
    assert by_torrent[2] == pytest.approx(4.5 * RATE, rel=0.05)


def test_a_torrent_s_own_limit_holds_without_one_of_all():
    limit = RateLimit(None, 0.0)
    free, limited = torrents(limit, 1, 2, rates=[None, RATE])
    assert not free.is_limited
    assert limited.is_limited
    assert greedy(limit, [limited], 10).total() == pytest.approx(10 * RATE, rel=0.05)


def test_more_torrents_than_a_turn_holds_packets_take_turns():
    limit = RateLimit(20 << 10, 0.0)  # a turn holds 2 KiB
    moved = greedy(limit, torrents(limit, *[1] * 15), 20)
    assert len(moved) == 15
    assert max(moved.values()) - min(moved.values()) <= 2 * MIN_GRANT


def test_a_block_may_be_taken_on_a_small_grant_and_is_paid_back():
    limit = RateLimit(20 << 10, 0.0)
    moved = greedy(limit, torrents(limit, 3), 60, most=None)
    assert moved.total() == pytest.approx(60 * (20 << 10), rel=0.05)
    limit = RateLimit(20 << 10, 0.0)
    [share] = torrents(limit, 1)
    share.wait((0, 0), 0.0)
    now, blocks = 0.0, 0
    while (now := limit.next_turn(now)) < 60:
        assert limit.turn(now) == [(0, 0)]
        assert share.allowance((0, 0), now) > 0
        share.spend((0, 0), 16 << 10)
        blocks += 1
        assert share.allowance((0, 0), now) == 0
        share.wait((0, 0), now)
    assert blocks == pytest.approx(60 * 20 / 16, abs=1)


def test_who_has_no_grant_may_move_nothing():
    limit = RateLimit(RATE, 0.0)
    [share] = torrents(limit, 1)
    assert share.allowance((0, 0), 1.0) == 0
    assert limit.next_turn(1.0) is None
    assert share.wait((0, 0), 1.0) == 1.0
    assert share.waiting == [(0, 0)]
    assert limit.turn(1.0) == [(0, 0)]
    assert share.waiting == []
    assert share.allowance((0, 0), 1.0) > 0


def test_a_grant_ends_with_the_next_turn():
    limit = RateLimit(RATE, 0.0)
    [share] = torrents(limit, 2)
    share.wait((0, 0), 1.0)
    limit.turn(1.0)
    share.wait((0, 1), 1.0)
    assert limit.next_turn(1.0) == 1.0 + TURN_TIME
    limit.turn(1.0 + TURN_TIME)
    assert share.allowance((0, 0), 1.2) == 0
    assert share.allowance((0, 1), 1.2) > 0


def test_what_is_moved_without_a_grant_counts():
    limit = RateLimit(RATE, 0.0)
    [share] = torrents(limit, 1)
    share.spend((0, 0), RATE)
    assert share.wait((0, 0), 0.0) == pytest.approx(1 + TURN_TIME)
    assert limit.turn(0.5) == []
    assert share.waiting == [(0, 0)]


def test_members_that_fell_silent_come_back_with_no_more_than_a_turn():
    limit = RateLimit(RATE, 0.0)
    [share] = torrents(limit, 50)
    assert share.receive_quota * 50 <= RATE * TURN_TIME
    for number in range(10):
        share.remove((0, number))
    assert share.receive_quota == RATE * TURN_TIME // 40


def test_who_is_gone_gets_no_turn():
    limit = RateLimit(RATE, 0.0)
    one, two = torrents(limit, 2, 1)
    for share in (one, two):
        for member in share.members:
            share.wait(member, 0.0)
    one.remove((0, 0))
    one.remove((0, 0))
    two.remove((1, 0))
    assert limit.turn(1.0) == [(0, 1)]
    assert limit.next_turn(1.0) is None
    assert limit.member_count == 1


def test_the_limit_may_change_at_any_time():
    limit = RateLimit(RATE, 0.0)
    shares = torrents(limit, 5)
    assert greedy(limit, shares, 10).total() == pytest.approx(10 * RATE, rel=0.05)
    limit.set_rate(RATE // 5, 10.0)
    slower = greedy(limit, shares, 10, start=10.0)
    assert slower.total() == pytest.approx(2 * RATE, rel=0.05)
    shares[0].set_rate(RATE // 10, 20.0)
    slowest = greedy(limit, shares, 10, start=20.0)
    assert slowest.total() == pytest.approx(RATE, rel=0.05)
    limit.set_rate(None, 30.0)
    assert shares[0].is_limited
    shares[0].set_rate(None, 30.0)
    assert not shares[0].is_limited


def test_a_rate_too_low_is_refused():
    with pytest.raises(ConfigError):
        RateLimit(1, 0.0)
    limit = RateLimit(None, 0.0)
    with pytest.raises(ConfigError):
        limit.share(1, 0.0)
