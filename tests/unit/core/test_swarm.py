from __future__ import annotations

import math
import random

import pytest

from millstream.core import bans as bans_module
from millstream.core.config import SwarmConfig
from millstream.core.known_peer import FIRST_RETRY, LONGEST_RETRY, PROVEN
from millstream.core.peer_priority import peer_priority
from millstream.core.swarm import PeerSource, PeerState, Swarm
from millstream.protocol.compact import PeerAddress

A, B, C = (PeerAddress(f"10.0.0.{number}", 6881) for number in (1, 2, 3))
A_FROM_ELSEWHERE = PeerAddress(A.host, 50_000)
OURS = PeerAddress("123.213.32.10", 6881)
PUBLIC = [PeerAddress(f"98.{number}.54.32", 6881) for number in range(40)]
HOUR = 3600.0


def swarm_of(
    *addresses: PeerAddress, source: PeerSource = PeerSource.USER, **limits: float
) -> Swarm:
    swarm = Swarm(SwarmConfig(**limits))
    for address in addresses:
        swarm.add(address, source)
    return swarm


# Who is known.


def test_a_peer_becomes_known_once():
    swarm = Swarm()
    assert swarm.add(A)
    assert not swarm.add(A)
    assert len(swarm) == 1


@pytest.mark.parametrize(
    "address",
    [
        PeerAddress("1.2.3.4", 0),
        PeerAddress("1.2.3.4", 65536),
        PeerAddress("0.0.0.0", 6881),  # noqa: S104 - nothing is bound
        PeerAddress("224.0.0.1", 6881),
        PeerAddress("255.255.255.255", 6881),
        PeerAddress("::", 6881),
        PeerAddress("ff02::1", 6881),
        PeerAddress("", 6881),
        PeerAddress("1.2.3", 6881),
    ],
)
def test_where_nobody_can_be_there_is_nobody(address):
    assert not Swarm().add(address)


@pytest.mark.parametrize("source", PeerSource)
def test_names_are_for_those_who_are_trusted_with_them(source):
    may = source in PeerSource.USER | PeerSource.MAGNET | PeerSource.TRACKER
    assert Swarm().add(PeerAddress("nas.local", 6881), source) == may


def test_everybody_who_told_of_a_peer_is_known():
    swarm = swarm_of(A, source=PeerSource.PEX)
    swarm.add(A, PeerSource.DHT)
    assert swarm.source(A) == PeerSource.PEX | PeerSource.DHT
    assert swarm.source(B) == PeerSource.INCOMING
    assert [peer.address for peer in swarm] == [A]


def test_what_is_known_of_a_peer():
    swarm = Swarm()
    swarm.add(A, PeerSource.PEX, is_seed=True)
    swarm.add(A, PeerSource.PEX, supports_encryption=True)
    peer = swarm.find(A)
    assert peer is not None
    assert peer.is_seed
    assert peer.supports_encryption
    assert peer.last_seen == -math.inf
    swarm.due(0.0, 1)
    swarm.connected(A, 5.0)
    assert (peer.state, peer.last_seen) == (PeerState.CONNECTED, 5.0)
    assert swarm.find(B) is None


def test_there_is_a_limit():
    swarm = swarm_of(A, B, max_known_peers=2)
    assert not swarm.add(C)  # nobody forgets what the user named
    assert len(swarm) == 2


def test_the_worst_make_room():
    swarm = swarm_of(*PUBLIC[:4], source=PeerSource.TRACKER, max_known_peers=4)
    swarm.add(PUBLIC[0], PeerSource.TRACKER)  # the oldest is mentioned again
    swarm.due(0.0, 4)
    for address in PUBLIC[:3]:
        swarm.lost(address, 0.0, useful=address != PUBLIC[1])
    assert swarm.add(PUBLIC[4], PeerSource.PEX)
    assert PUBLIC[1] not in {peer.address for peer in swarm}  # failed
    assert swarm.add(PUBLIC[5], PeerSource.PEX)
    assert PUBLIC[4] not in {peer.address for peer in swarm}  # unproven
    swarm.lost(PUBLIC[3], 0.0, useful=True)
    swarm.due(100.0, 4)  # everybody is in use
    assert not swarm.add(PUBLIC[6], PeerSource.TRACKER)
    assert len(swarm) == 4


def test_a_flood_of_addresses_does_not_pass_the_limit():
    swarm = swarm_of(A, max_known_peers=100)
    for number in range(1000):
        assert swarm.add(PeerAddress(f"98.76.{number >> 8}.{number & 255}", 1), PeerSource.PEX)
        assert len(swarm) <= 100
    assert swarm.due(0.0, 1) == [A]


def test_who_was_named_by_those_alone_who_may_not_is_forgotten():
    swarm = swarm_of(A, B, C, source=PeerSource.PEX)
    swarm.add(B, PeerSource.TRACKER)
    assert swarm.due(0.0, 1) == [A]
    swarm.forget(PeerSource.PEX)
    assert [peer.address for peer in swarm] == [A, B]
    assert swarm.source(B) == PeerSource.TRACKER
    swarm.lost(A, 1.0, useful=True)  # it was connected meanwhile
    assert [peer.address for peer in swarm] == [B]
    assert swarm.due(1e9, 9) == [B]


# Ourselves, and canonical priority.


def test_nobody_connects_to_itself():
    swarm = swarm_of(OURS, A)
    swarm.set_our_address(OURS)
    assert not swarm.add(OURS)
    assert swarm.due(0.0, 9) == [A]
    assert swarm.add(PeerAddress(OURS.host, 1))  # a neighbour behind the same router


def test_canonical_priority_decides_among_equals():
    swarm = swarm_of(*PUBLIC, source=PeerSource.TRACKER)
    assert swarm.priority(PUBLIC[0]) is None
    assert swarm.due(0.0, 2) == PUBLIC[:2]  # nothing is known of it yet
    swarm.set_our_address(OURS)
    swarm.add(PeerAddress("98.99.54.32", 1), PeerSource.PEX)
    found = swarm.due(0.0, 99)
    ranks = [peer_priority(OURS, address) for address in found]
    assert len(ranks) == 39
    assert ranks == sorted(ranks, reverse=True)
    assert ranks[0] == swarm.priority(found[0])


def test_priority_is_of_one_family():
    swarm = swarm_of()
    swarm.set_our_address(OURS)
    assert swarm.priority(PeerAddress("2001:db8::1", 1)) is None
    swarm.set_our_address(PeerAddress("2001:db8::2", 6881))
    assert swarm.priority(PeerAddress("2001:db8::1", 1)) is not None
    assert swarm.priority(PUBLIC[0]) is not None


def test_without_priority_chance_decides_but_not_about_named_peers():
    swarm = Swarm(rng=random.Random(1))
    for address in PUBLIC:
        swarm.add(address, PeerSource.TRACKER)
    for address in (A, B, C):
        swarm.add(address)
    found = swarm.due(0.0, 99)
    assert found[:3] == [A, B, C]
    assert sorted(found[3:]) == sorted(PUBLIC)
    assert found[3:] != PUBLIC


# Whom to try.


def test_peers_are_due_in_the_order_they_became_known_and_once():
    swarm = swarm_of(A, B, C)
    assert swarm.due(0.0, 2) == [A, B]
    assert swarm.due(0.0, 9) == [C]
    assert swarm.due(0.0, 9) == []
    assert not swarm.has_candidates()


def test_named_peers_go_first_and_those_that_failed_last():
    swarm = swarm_of(*PUBLIC[:2], source=PeerSource.TRACKER)
    swarm.due(0.0, 1)
    swarm.lost(PUBLIC[0], 0.0, useful=False)
    swarm.add(A)
    swarm.add(B, PeerSource.LSD)
    assert swarm.due(1.0, 9) == [A, B, PUBLIC[1], PUBLIC[0]]


def test_seeds_are_of_no_use_to_a_seed():
    swarm = Swarm()
    swarm.add(A, PeerSource.PEX, is_seed=True)
    swarm.add(B, PeerSource.PEX)
    assert swarm.candidate_count() == 2
    assert swarm.candidate_count(seeds=False) == 1
    assert swarm.due(0.0, 9, seeds=False) == [B]
    assert not swarm.has_candidates(seeds=False)
    assert swarm.next_due(seeds=False) == math.inf
    assert swarm.next_due() == -math.inf
    swarm.lost(B, 0.0, useful=True, is_seed=True)
    assert swarm.due(100.0, 9, seeds=False) == []
    assert swarm.due(100.0, 9) == [A, B]


def test_a_failed_try_says_nothing_about_being_a_seed():
    swarm = Swarm()
    swarm.add(A, PeerSource.PEX, is_seed=True)
    swarm.due(0.0, 1)
    swarm.lost(A, 0.0, useful=False)
    assert not swarm.has_candidates(seeds=False)


def test_it_says_when_somebody_is_due():
    swarm = swarm_of(A)
    assert swarm.next_due() <= 0.0
    swarm.due(0.0, 1)
    assert swarm.next_due() == math.inf
    swarm.lost(A, 5.0, useful=False)
    assert swarm.next_due() == 5.0 + FIRST_RETRY
    assert swarm.due(5.0 + FIRST_RETRY, 1) == [A]


# How it went.


def tries(swarm: Swarm, until: float) -> list[float]:
    """When its peer is tried, if it always refuses at once."""
    now, times = 0.0, []
    while now < until:
        for address in swarm.due(now, 1):
            times.append(now)
            swarm.lost(address, now, useful=False)
        now += 0.25
    return times


def test_a_named_peer_that_refuses_is_tried_four_times_in_ten_seconds_and_goes_on():
    times = tries(swarm_of(A), HOUR)
    assert len([time for time in times if time <= 10]) == 4
    assert 100 < len(times) < 140


def test_another_peer_that_refuses_is_given_up():
    swarm = swarm_of(A, source=PeerSource.TRACKER)
    times = tries(swarm, HOUR)
    assert len([time for time in times if time <= 10]) == 4
    assert len(times) == SwarmConfig().max_failures
    assert not swarm.has_candidates()
    assert len(swarm) == 1  # it is remembered, lest the next mention makes it new


def test_one_given_up_is_tried_once_more_when_a_tracker_mentions_it_again():
    swarm = swarm_of(A, source=PeerSource.TRACKER, max_failures=2)
    tries(swarm, 100.0)
    assert not swarm.add(A, PeerSource.PEX)
    assert not swarm.has_candidates()
    assert swarm.add(A, PeerSource.TRACKER)
    assert swarm.due(1e6, 1) == [A]
    swarm.lost(A, 1e6, useful=False)
    assert not swarm.has_candidates()


def test_what_the_user_names_is_tried_at_once():
    swarm = swarm_of(A, source=PeerSource.PEX, max_failures=1)
    swarm.due(0.0, 1)
    swarm.lost(A, 0.0, useful=False)
    assert swarm.due(1.0, 1) == []
    assert swarm.add(A)
    assert swarm.due(1.0, 1) == [A]


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


def test_a_useful_peer_that_nobody_named_is_left_alone_for_a_while():
    swarm = swarm_of(A, source=PeerSource.TRACKER, min_reconnect_time=20)
    swarm.due(0.0, 1)
    swarm.lost(A, 100.0, useful=True)
    assert swarm.next_due() == 120.0


def test_a_connection_that_held_for_long_is_no_failure():
    swarm = swarm_of(A, source=PeerSource.TRACKER)
    swarm.due(0.0, 1)
    swarm.connected(A, 0.0)
    swarm.lost(A, PROVEN, useful=False)
    assert swarm.find(A).failures == 0
    swarm.due(1e6, 1)
    swarm.connected(A, 1e6)
    swarm.lost(A, 1e6 + PROVEN - 1, useful=False)
    assert swarm.find(A).failures == 1


def test_losing_a_stranger_means_nothing():
    swarm = Swarm()
    swarm.lost(A, 0.0, useful=True)
    swarm.put_back(A)
    swarm.connected(A, 0.0)
    assert len(swarm) == 0


def test_an_abandoned_try_is_no_failure():
    swarm = swarm_of(A)
    swarm.due(0.0, 1)
    swarm.put_back(A)
    assert swarm.find(A).failures == 0
    assert swarm.due(0.0, 1) == [A]
    swarm.connected(A, 0.0)
    swarm.put_back(A)  # too late


# Peers that come to us.


def test_who_came_to_us_is_not_tried():
    swarm = swarm_of(A)
    swarm.connected(A, 0.0, incoming=True)
    swarm.connected(B, 0.0, incoming=True)  # who said where it listens
    assert swarm.due(0.0, 9) == []
    assert swarm.source(B) == PeerSource.INCOMING
    swarm.lost(B, 100.0, useful=True)
    assert swarm.due(1000.0, 9) == [B]


def test_who_came_to_us_while_we_tried_it_is_here_until_both_are_over():
    swarm = swarm_of(A)
    swarm.due(0.0, 1)
    swarm.connected(A, 0.0, incoming=True)
    swarm.lost(A, 0.0, useful=False)  # the try ends: connected to this peer already
    assert swarm.find(A).failures == 0
    assert swarm.due(1e6, 9) == []
    swarm.lost(A, 1e6, useful=True)
    assert swarm.due(2e6, 9) == [A]


# Encryption.


@pytest.mark.parametrize("early", [True, False])
def test_a_peer_that_refuses_encryption_is_tried_at_once_without(early):
    swarm = swarm_of(A, source=PeerSource.TRACKER)
    assert swarm.wants_encryption(A)
    assert swarm.wants_encryption(B)
    swarm.due(0.0, 1)
    if early:
        assert swarm.plaintext_next(A)
    swarm.lost(A, 0.0, useful=False)
    if not early:
        assert swarm.plaintext_next(A)
    assert swarm.due(0.0, 1) == [A]
    assert not swarm.wants_encryption(A)
    assert swarm.find(A).failures == 0


def test_a_peer_that_refuses_both_is_tried_no_more_often_for_it():
    swarm = swarm_of(A, source=PeerSource.TRACKER)
    now, times, ways = 0.0, [], []
    while now < 10:
        for address in swarm.due(now, 1):
            times.append(now)
            ways.append(swarm.wants_encryption(A))
            if ways[-1]:
                swarm.plaintext_next(address)
            swarm.lost(address, now, useful=False)
        now += 0.25
    assert times == [0.0, 0.25, 1.25, 3.25, 7.25]
    assert ways == [True, False, True, False, True]


def test_a_peer_that_is_reached_without_encryption_stays_so():
    swarm = swarm_of(A)
    swarm.due(0.0, 1)
    swarm.plaintext_next(A)
    swarm.lost(A, 0.0, useful=False)
    swarm.due(0.0, 1)
    swarm.lost(A, 10.0, useful=True)
    assert not swarm.wants_encryption(A)
    assert not swarm.plaintext_next(A)
    assert not swarm.plaintext_next(B)


# Bans.


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
    swarm.connected(A, 0.0, incoming=True)
    assert len(swarm) == 0


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


def test_bans_are_bounded(monkeypatch):
    monkeypatch.setattr(bans_module, "MAX_BANS", 2)
    swarm = Swarm()
    for address in (A, B, C):
        swarm.ban(address, incoming=True)
    assert [swarm.is_banned(address, incoming=True) for address in (A, B, C)] == [False, True, True]
