from __future__ import annotations

import math

from millstream.core.candidates import Candidates
from millstream.core.known_peer import KnownPeer, PeerSource
from millstream.protocol.compact import PeerAddress


def peer(number: int, **known: object) -> KnownPeer:
    return KnownPeer(PeerAddress(f"1.2.3.{number}", 6881), PeerSource.TRACKER, **known)


def take(candidates: Candidates, now: float) -> list[KnownPeer]:
    found = []
    while candidates.best(now) is not None:
        found.append(candidates.pop())
    return found


def test_peers_come_when_they_are_due_the_best_first():
    candidates = Candidates()
    late, worse, good = (
        peer(1, next_try=10.0),
        peer(2, failures=1, next_try=3.0),
        peer(3, next_try=5.0),
    )
    for one in (late, worse, good):
        candidates.add(one)
    assert len(candidates) == 3
    assert candidates.next_due() == 3.0
    assert take(candidates, 2.0) == []
    assert take(candidates, 5.0) == [good, worse]
    assert candidates.next_due() == 10.0
    assert take(candidates, 10.0) == [late]
    assert candidates.next_due() == math.inf
    assert not len(candidates)


def test_equals_come_in_the_order_they_were_added():
    candidates = Candidates()
    peers = [peer(number) for number in range(9)]
    for one in peers:
        candidates.add(one)
    assert take(candidates, 0.0) == peers


def test_a_removed_peer_does_not_come():
    candidates = Candidates()
    ready, waiting = peer(1), peer(2, next_try=5.0)
    candidates.add(ready)
    candidates.add(waiting)
    assert candidates.best(0.0) is not None
    assert candidates.next_due() == -math.inf
    assert candidates.remove(ready)
    assert not candidates.remove(ready)
    assert candidates.next_due() == 5.0
    assert candidates.remove(waiting)
    assert candidates.next_due() == math.inf
    assert take(candidates, 9.0) == []


def test_a_peer_that_changed_comes_once_with_its_new_rank():
    candidates = Candidates()
    first, second = peer(1), peer(2)
    candidates.add(first)
    candidates.add(second)
    assert candidates.best(0.0) is not None
    candidates.remove(first)
    first.failures = 1
    candidates.add(first)
    assert take(candidates, 0.0) == [second, first]


def test_what_is_passed_over_does_not_pile_up():
    candidates = Candidates()
    one = peer(1, next_try=5.0)
    for _ in range(10_000):
        candidates.add(one)
        candidates.remove(one)
    candidates.add(one)
    assert len(candidates._waiting) + len(candidates._ready) < 200
    assert take(candidates, 5.0) == [one]
