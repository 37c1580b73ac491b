from __future__ import annotations

import pytest

from millstream.core import swarm as swarm_module
from millstream.core.swarm import FIRST_RETRY, LONGEST_RETRY, Swarm
from millstream.protocol.compact import PeerAddress

A, B, C = (PeerAddress(f"10.0.0.{number}", 6881) for number in (1, 2, 3))
A_FROM_ELSEWHERE = PeerAddress(A.host, 50_000)


def swarm_of(*addresses: PeerAddress) -> Swarm:
    swarm = Swarm()
    for address in addresses:
        swarm.add(address)
    return swarm


def test_a_peer_becomes_known_once():
    swarm = Swarm()
    assert swarm.add(A)
    assert not swarm.add(A)
    assert len(swarm) == 1


def test_there_is_a_limit(monkeypatch):
    monkeypatch.setattr(swarm_module, "MAX_KNOWN_PEERS", 2)
    swarm = swarm_of(A, B)
    assert not swarm.add(C)
    assert len(swarm) == 2


def test_peers_are_due_in_the_order_they_became_known_and_once():
    swarm = swarm_of(A, B, C)
    assert swarm.due(0.0, 2) == [A, B]
    assert swarm.due(0.0, 9) == [C]
    assert swarm.due(0.0, 9) == []
    assert not swarm.has_candidates()


def test_waits_double_up_to_a_limit():
    swarm = swarm_of(A)
    now, waits = 0.0, []
    for _ in range(7):
        swarm.lost(A, now, useful=False)
        wait = 0.5
        while not swarm.due(now + wait, 1):
            wait += 0.5
        waits.append(wait)
        now += wait
    assert waits[0] == FIRST_RETRY
    assert waits[1] == 2 * waits[0]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_RETRY


def test_a_useful_peer_is_tried_again_soon():
    swarm = swarm_of(A)
    for _ in range(5):
        swarm.lost(A, 0.0, useful=False)
    swarm.lost(A, 100.0, useful=True)
    assert swarm.due(100.0 + FIRST_RETRY, 1) == [A]


def test_losing_a_stranger_means_nothing():
    swarm = Swarm()
    swarm.lost(A, 0.0, useful=True)
    assert len(swarm) == 0


@pytest.mark.parametrize("known", [True, False])
def test_a_ban_is_for_good(known):
    swarm = swarm_of(*[A] * known)
    swarm.due(0.0, 1)
    swarm.ban(A, incoming=False)
    swarm.lost(A, 0.0, useful=True)  # the connection closes after the ban
    assert swarm.is_banned(A, incoming=False)
    assert swarm.due(1e9, 9) == []
    assert not swarm.add(A)
    assert not swarm.has_candidates()


def test_a_ban_of_who_was_reached_is_for_its_port():
    swarm = Swarm()
    swarm.ban(A, incoming=False)
    assert not swarm.is_banned(A_FROM_ELSEWHERE, incoming=False)
    assert not swarm.is_banned(A_FROM_ELSEWHERE, incoming=True)


def test_a_ban_of_who_came_is_for_its_host():
    swarm = swarm_of(A)
    swarm.ban(A_FROM_ELSEWHERE, incoming=True)
    assert swarm.is_banned(PeerAddress(A.host, 1), incoming=True)
    assert not swarm.is_banned(A, incoming=False)
    assert not swarm.is_banned(B, incoming=True)
