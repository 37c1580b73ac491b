from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from millstream.core.known_peer import (
    FIRST_SLOW_RETRY,
    LONGEST_RETRY,
    LONGEST_SLOW_RETRY,
    QUICK_REFUSAL,
    KnownPeer,
    PeerSource,
)
from millstream.protocol.compact import PeerAddress

ADDRESS = PeerAddress("1.2.3.4", 6881)
HOUR = 3600.0


def peer(source: PeerSource = PeerSource.TRACKER, **known: object) -> KnownPeer:
    return KnownPeer(ADDRESS, source, **known)


def tries(of: KnownPeer, until: float, took: float = 0.0) -> list[float]:
    """When it is tried, if each try fails after so long."""
    now, times = 0.0, []
    while now < until:
        times.append(now)
        of.tried_at = now
        of.failed(now + took)
        now = of.next_try
    return times


@pytest.mark.parametrize("source", [PeerSource.USER, PeerSource.MAGNET])
def test_a_named_peer_that_refuses_is_tried_for_ever(source):
    times = tries(peer(source), HOUR)
    assert times[:6] == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0]
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert max(waits) == LONGEST_RETRY
    assert len(times) > 100


@pytest.mark.parametrize(
    "source", [PeerSource.TRACKER, PeerSource.PEX | PeerSource.DHT, PeerSource.INCOMING]
)
def test_another_that_refuses_is_tried_four_times_in_ten_seconds_and_then_rarely(source):
    times = tries(peer(source), HOUR)
    assert [time for time in times if time <= 10] == [0.0, 1.0, 3.0, 7.0]
    assert times[4] == 7.0 + FIRST_SLOW_RETRY
    assert len(times) <= 10


def test_waits_have_an_end():
    known = peer(failures=10_000)
    known.failed(0.0)
    assert known.next_try == LONGEST_SLOW_RETRY
    named = peer(PeerSource.USER, failures=10_000)
    named.failed(0.0)
    assert named.next_try == LONGEST_RETRY


def test_who_lets_us_wait_gets_no_quick_retries():
    assert len([time for time in tries(peer(), 60.0, took=QUICK_REFUSAL) if time <= 60]) == 1


def test_success_clears_failures():
    known = peer(failures=5, fell_back=True)
    known.succeeded(100.0, 10.0)
    assert (known.failures, known.next_try, known.was_useful) == (0, 110.0, True)
    assert not known.fell_back
    assert known.last_seen == 100.0
    named = peer(PeerSource.USER, failures=5)
    named.succeeded(100.0, 10.0)
    assert named.next_try == 101.0


def test_a_connection_that_held_is_no_failure_and_no_reason_to_hurry():
    known = peer(failures=2)
    known.held(100.0, 10.0)
    assert known.failures == 0
    assert known.next_try == 100.0 + FIRST_SLOW_RETRY
    assert not known.was_useful


def test_after_two_refusals_encryption_and_plaintext_alternate():
    known = peer(plaintext=True, fell_back=True, try_at_once=True)
    known.failed(0.0)
    assert (known.failures, known.next_try, known.plaintext) == (0, 0.0, True)
    known.failed(0.0)
    assert (known.failures, known.plaintext) == (1, False)
    known.failed(10.0)
    assert (known.failures, known.plaintext) == (2, True)


def test_who_was_reached_plainly_is_tried_encrypted_when_that_fails():
    known = peer(plaintext=True)
    known.failed(0.0)
    assert not known.plaintext


def better(attribute: Callable[[KnownPeer], tuple[object, ...]], *peers: KnownPeer) -> bool:
    ranks = [attribute(known) for known in peers]
    return ranks == sorted(ranks) and len(set(ranks)) == len(ranks)


def test_candidates_are_ordered():
    local = KnownPeer(PeerAddress("192.168.1.2", 1), PeerSource.LSD)
    assert local.is_local
    assert better(
        lambda known: known.order,
        peer(PeerSource.USER, failures=3),
        local,
        peer(priority=900),
        peer(priority=800),
        peer(tried_at=5.0, priority=1000),
        peer(tried_at=9.0, priority=1000),
        peer(failures=1, priority=1000),
    )


def test_an_unknown_priority_is_neither_good_nor_bad():
    assert better(lambda known: known.order, peer(priority=0xFFFFFFFF), peer(), peer(priority=0))


def test_the_worst_are_the_failed_the_unproven_and_the_old():
    assert better(
        lambda known: known.worth,
        peer(failures=3, was_useful=True),
        peer(failures=1),
        peer(PeerSource.RESUME, mention=9),
        peer(PeerSource.PEX, mention=8),
        peer(PeerSource.DHT | PeerSource.PEX, mention=7),
        peer(mention=5),
        peer(mention=6),
        peer(PeerSource.RESUME, was_useful=True),
    )
