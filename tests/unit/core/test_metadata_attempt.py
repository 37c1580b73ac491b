from __future__ import annotations

from millstream.core.geometry import ConnectionId
from millstream.core.metadata_attempt import (
    BACKOFF_SECONDS,
    IDLE_PART,
    LEASE_SECONDS,
    MAX_BACKOFF_SECONDS,
    TIMEOUT_SECONDS,
    MetadataAttempt,
    MetadataSource,
)

A = ConnectionId(1)


def attempt_from(*, alone: bool = False) -> tuple[MetadataAttempt, MetadataSource]:
    attempt = MetadataAttempt(100, A if alone else None)
    source = MetadataSource(attempt)
    attempt.peers[A] = source
    return attempt, source


def test_a_source_that_fails_is_left_in_peace_longer_and_longer():
    attempt, source = attempt_from()
    pauses = []
    now = 0.0
    for _ in range(6):
        source.failed(now)
        assert not attempt.is_ready(now)
        start = now
        while not source.is_ready(now):
            now += 1.0
        pauses.append(now - start)
    assert pauses == [BACKOFF_SECONDS, 10.0, 20.0, 40.0, MAX_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS]
    source.failed(now)
    source.answered()
    assert source.is_ready(now)
    source.failed(now)
    assert source.is_ready(now + BACKOFF_SECONDS)


def test_answers_are_overdue_after_a_time():
    _, source = attempt_from()
    source.asked.update({3: 0.0, 4: 1.0})
    assert source.overdue(TIMEOUT_SECONDS - 0.1) == []
    assert source.overdue(TIMEOUT_SECONDS) == [3]


def test_late_answers_are_known_as_often_as_they_were_asked_for():
    _, source = attempt_from()
    for _ in range(2):
        source.asked[3] = 0.0
        source.give_up(3)
    assert not source.asked
    assert [source.came_late(3) for _ in range(3)] == [True, True, False]
    assert not source.late


def test_a_turn_has_an_end_and_the_next_is_longer():
    attempt, source = attempt_from()
    source.asked[0] = 0.0
    attempt.start(0.0)
    assert not attempt.must_yield(LEASE_SECONDS - 0.1)
    assert attempt.must_yield(LEASE_SECONDS)
    attempt.stop()
    assert attempt.assembly is None
    assert source.late == {0: 1}
    attempt.start(0.0)
    assert not attempt.must_yield(2 * LEASE_SECONDS - 0.1)
    assert attempt.must_yield(2 * LEASE_SECONDS)


def test_who_stands_still_makes_room_sooner():
    attempt, source = attempt_from()
    attempt.start(0.0)
    idle = IDLE_PART * LEASE_SECONDS
    assert not attempt.must_yield(idle)  # it may ask
    source.failed(idle)
    assert attempt.must_yield(idle)
    attempt.moved = 0.1
    assert not attempt.must_yield(idle)


def test_an_attempt_without_peers_is_kept_for_its_data():
    for alone in (False, True):
        attempt, _ = attempt_from(alone=alone)
        attempt.start(0.0)
        assert not attempt.is_abandoned
        del attempt.peers[A]
        assert attempt.is_abandoned
        attempt.assembly.put(A, 0, b"")
        assert attempt.is_abandoned is alone
        attempt.stop()
        assert attempt.is_abandoned
