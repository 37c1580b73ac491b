"""Whatever the torrents and the limits: they are kept, and a plan that was carried out is final."""

import math

from hypothesis import given
from hypothesis import strategies as st

from millstream.core.queue_config import QueueConfig
from millstream.core.queue_order import QueueMove, QueueOrder
from millstream.core.queueing import MIN_TURN, QueueEntry, QueueKind, Turn, plan

NOW = 0.0
limits = st.none() | st.integers(0, 6)
configs = st.builds(
    QueueConfig,
    active_downloads=limits,
    active_seeds=limits,
    active_total=limits,
    count_slow=st.booleans(),
)


@st.composite
def entries(draw):
    made = []
    for key in range(draw(st.integers(0, 20))):
        kind = draw(st.sampled_from(QueueKind))
        turn = None
        if draw(st.booleans()):
            turn = Turn(kind, NOW - draw(st.sampled_from([0.0, MIN_TURN / 2, 2 * MIN_TURN])))
            turn.is_slow = draw(st.booleans())
        exempt = draw(st.integers(0, 4)) == 0
        made.append(QueueEntry(key, kind, turn, exempt, draw(st.booleans())))
    return made


def carry_out(made, torrents):
    for entry in torrents:
        if entry.key in made.stops:
            assert entry.turn is not None
            entry.turn = None
        elif entry.key in made.starts:
            assert entry.turn is None
            entry.turn = Turn(entry.kind, NOW)


def check_limits(torrents, config):
    running = [entry for entry in torrents if entry.turn is not None and not entry.is_exempt]
    for kind, limit in (
        (QueueKind.DOWNLOAD, config.active_downloads),
        (QueueKind.SEED, config.active_seeds),
    ):
        counted = [
            entry
            for entry in running
            if entry.kind is kind and (config.count_slow or not entry.turn.is_slow)
        ]
        assert limit is None or len(counted) <= limit
    assert config.active_total is None or len(running) <= config.active_total


@given(entries(), configs)
def test_limits_are_kept_as_soon_as_the_user_wants_them(torrents, config):
    carry_out(plan(torrents, config, NOW, at_once=True), torrents)
    check_limits(torrents, config)
    assert all(entry.turn is not None for entry in torrents if entry.is_exempt)
    again = plan(torrents, config, NOW, at_once=True)
    assert not again.starts
    assert not again.stops


@given(entries(), configs)
def test_limits_are_kept_when_the_first_turns_are_over(torrents, config):
    made = plan(torrents, config, NOW)
    carry_out(made, torrents)
    before = plan(torrents, config, NOW)
    assert not before.starts
    assert not before.stops
    assert made.again_at == math.inf or NOW < made.again_at <= NOW + MIN_TURN
    carry_out(plan(torrents, config, NOW + 2 * MIN_TURN), torrents)
    check_limits(torrents, config)


@given(entries(), configs)
def test_nobody_waits_where_there_is_room(torrents, config):
    carry_out(plan(torrents, config, NOW, at_once=True), torrents)
    running = [entry for entry in torrents if entry.turn is not None and not entry.is_exempt]
    total_full = config.active_total is not None and len(running) >= config.active_total
    for kind, limit in (
        (QueueKind.DOWNLOAD, config.active_downloads),
        (QueueKind.SEED, config.active_seeds),
    ):
        if not total_full and any(not entry.turn and entry.kind is kind for entry in torrents):
            counted = [
                entry
                for entry in running
                if entry.kind is kind and (config.count_slow or not entry.turn.is_slow)
            ]
            assert limit is not None
            assert len(counted) >= limit


moves = st.tuples(st.lists(st.integers(0, 9), max_size=4), st.sampled_from(QueueMove))


@given(st.lists(moves, max_size=8))
def test_an_order_always_has_everybody_once(moved):
    order = QueueOrder()
    for key in range(10):
        order.add(key)
    for keys, where in moved:
        before = list(order)
        assert order.move(keys, where) is (list(order) != before)
        assert sorted(order) == list(range(10))
        assert [order.position(key) for key in order] == list(range(10))
        others = [key for key in before if key not in keys]
        assert [key for key in order if key not in keys] == others
        assert [key for key in order if key in keys] == [key for key in before if key in keys]
