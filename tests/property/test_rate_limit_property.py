"""Whatever greedy members do, and whenever the turns come, a limit holds over any ten seconds."""

from bisect import bisect_left

from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.core.rate_limit import RateLimit
from millstream.core.token_bucket import BURST_TIME, TokenBucket

WINDOW = 10.0
WARM_UP = 1.0
SECONDS = 14.0

rates = st.integers(64 << 10, 50 << 20)
# How late the loop's timers are, seconds: less than the bucket stores, or time is lost.
delays = st.floats(0, 0.05)


def check_windows(moved, rate):
    """Over every window after the warm-up, between any two spendings, it is rate x time."""
    times = [time for time, _ in moved]
    sums = [0]
    for _, length in moved:
        sums.append(sums[-1] + length)
    for begin, (time, _) in enumerate(moved):
        if time < WARM_UP or time + WINDOW > SECONDS - 0.5:
            continue
        end = bisect_left(times, time + WINDOW)
        total = sums[end] - sums[begin]
        assert abs(total - WINDOW * rate) <= 0.05 * WINDOW * rate


@given(rates, st.data())
@settings(max_examples=40, deadline=None)
def test_members_that_read_what_comes_stay_within_five_percent(rate, data):
    members = data.draw(st.integers(1, 12))
    delay = data.draw(delays)
    sizes = data.draw(st.lists(st.integers(1, 1 << 20), min_size=1, max_size=20))
    limit = RateLimit(rate, 0.0)
    share = limit.share(None, 0.0)
    for member in range(members):
        share.add(member)
    for member in range(members):
        share.wait(member, 0.0)
    moved = []
    now = 0.0
    turn = 0
    while (now := limit.next_turn(now) + delay) < SECONDS:
        for member in limit.turn(now):
            while share.allowance(member, now):
                turn += 1
                # Half of them bring all that one receive may bring.
                length = sizes[turn % len(sizes)] if turn % 2 else share.receive_quota
                length = min(length, share.receive_quota)
                share.spend(member, length)
                moved.append((now, length))
            share.wait(member, now)
    check_windows(moved, rate)


@given(
    st.integers(1024, 1 << 30),
    st.lists(st.tuples(st.floats(0, 2), st.integers(0, 1 << 20)), max_size=200),
)
def test_a_bucket_never_grants_more_than_its_rate_and_one_burst(rate, steps):
    bucket = TokenBucket(rate, 0.0)
    now, spent, last = 0.0, 0, 0
    for pause, length in steps:
        now += pause
        if bucket.available(now) > 0:
            bucket.spend(length)
            spent += length
            last = length
        assert spent - last <= rate * (now + BURST_TIME) + 1
        assert bucket.ready_at(0.1, now) >= now
