from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from millstream.protocol.compact import PeerAddress
from millstream.tracker.announce import AnnounceEvent, AnnounceResponse
from millstream.tracker.announcer import Announce, Announcer, TrackerState
from millstream.tracker.config import TrackerConfig
from millstream.tracker.udp_packets import MAX_URL_DATA

CONFIG = TrackerConfig()
FIRST_TIER_ONLY = replace(CONFIG, announce_to_all_tiers=False)
ANSWER = AnnounceResponse(
    interval=1800, seeders=3, leechers=4, peers=(PeerAddress("1.2.3.4", 5),), warning="careful"
)
A, B, C, D = (f"http://{name}.example/announce" for name in "abcd")


def make(*tiers: list[str], config: TrackerConfig = CONFIG, families=(4,)) -> Announcer:
    announcer = Announcer(tiers, random.Random(1), config, families)
    announcer.start(0)
    return announcer


def urls(announces: list[Announce]) -> list[str]:
    return [announce.endpoint.url for announce in announces]


def run(announcer: Announcer, until: float, down: set[str] | None = None) -> list[tuple]:
    """Answer at once, but for the trackers that are down; returns (when, url, event)."""
    now, told = 0.0, []
    while now <= until:
        while due := announcer.due(now):
            for announce in due:
                told.append((round(now), announce.endpoint.url, announce.event))
                if announce.endpoint.url in (down or ()):
                    announcer.failed(announce.endpoint, "down", now)
                else:
                    announcer.succeeded(announce.endpoint, ANSWER, now)
        now = announcer.next_due()
    return told


def test_before_the_start_nothing_is_due():
    announcer = Announcer([[A]], random.Random(1), CONFIG)
    assert announcer.due(0) == []
    assert announcer.next_due() == math.inf
    assert announcer.stop() == []
    assert announcer.trackers(0)[0].state is TrackerState.IDLE


def test_started_then_at_the_interval():
    assert run(make([A]), 4000) == [
        (0, A, AnnounceEvent.STARTED),
        (1800, A, AnnounceEvent.NONE),
        (3600, A, AnnounceEvent.NONE),
    ]


def test_starting_twice_is_starting_once():
    announcer = make([A])
    announcer.due(0)
    announcer.start(1)
    assert announcer.due(1) == []


def test_the_first_working_tracker_of_every_tier():
    announcer = make([A], [B], [C])
    assert urls(announcer.due(0)) == [A, B, C]
    assert announcer.next_due() == math.inf


def test_the_first_working_tier_alone_as_in_bep_12():
    announcer = make([A], [B], [C], config=FIRST_TIER_ONLY)
    (first,) = announcer.due(0)
    assert first.endpoint.url == A
    announcer.failed(first.endpoint, "down", 1)
    (second,) = announcer.due(1)
    assert second.endpoint.url == B
    announcer.succeeded(second.endpoint, ANSWER, 2)
    # The first tier is tried again after its wait, and B again when it is due.
    assert announcer.next_due() == first.endpoint.next_at
    (again,) = announcer.due(announcer.next_due())
    assert again.endpoint.url == A
    announcer.succeeded(again.endpoint, ANSWER, 30)
    assert announcer.next_due() == 1830


def test_within_a_tier_one_tracker_serves_and_goes_to_the_front():
    announcer = make([A, B, C])
    order = [status.url for status in announcer.trackers(0)]
    told = run(announcer, 1700, down={order[0]})
    assert told == [(0, order[0], AnnounceEvent.STARTED), (0, order[1], AnnounceEvent.STARTED)]
    assert [s.url for s in announcer.trackers(0)] == [order[1], order[0], order[2]]
    # BEP 12: it is tried first from then on.
    assert run(announcer, 1800)[-1] == (1800, order[1], AnnounceEvent.NONE)


def test_a_tier_of_which_all_are_down_is_tried_again_and_again():
    told = run(make([A, B]), 3600, down={A, B})
    times = [when for when, url, _ in told if url == A]
    assert times == sorted(times)
    assert 8 < len(times) < 20
    assert {event for _, _, event in told} == {AnnounceEvent.STARTED}


def test_families_are_announced_separately():
    announcer = make([A], families=(4, 6))
    four, six = announcer.due(0)
    assert [four.endpoint.family, six.endpoint.family] == [4, 6]
    announcer.failed(six.endpoint, "a.example has no IPv6 address", 1)
    announcer.succeeded(four.endpoint, ANSWER, 1)
    (status,) = announcer.trackers(1)
    assert status.state is TrackerState.WORKING
    assert status.error is None
    assert status.next_announce == 1800
    # The other family keeps being tried, and does not keep the tier from being served.
    assert announcer.next_due() == six.endpoint.next_at < 60


def test_the_next_tracker_is_asked_only_when_both_families_failed():
    announcer = make([A, B], families=(4, 6))
    four, six = announcer.due(0)
    announcer.failed(four.endpoint, "down", 1)
    assert announcer.due(1) == []
    announcer.failed(six.endpoint, "down", 1)
    assert len(set(urls(announcer.due(1))) - {four.endpoint.url}) == 1


def test_an_address_has_one_family():
    announcer = make(["http://1.2.3.4/announce"], ["udp://[2001:db8::1]:80"], families=(4, 6))
    assert [announce.endpoint.family for announce in announcer.due(0)] == [4, 6]


@pytest.mark.parametrize(
    ("url", "config", "reason"),
    [
        ("wss://t.example", CONFIG, "wss:// are not supported"),
        ("udp://t.example:1", replace(CONFIG, udp=False), "UDP trackers are turned off"),
        ("https://t.example/", replace(CONFIG, http=False), "HTTP trackers are turned off"),
        ("udp://t.example/announce", CONFIG, "no host with a port"),
        ("nonsense", CONFIG, "no URL of a tracker"),
        ("http://[::1]/announce", CONFIG, "this host has no IPv6"),
        ("udp://t.example:1/" + "x" * MAX_URL_DATA, CONFIG, "too long for UDP"),
    ],
)
def test_trackers_that_cannot_be_used_say_why(url, config, reason):
    announcer = make([url], [A], config=replace(config, announce_to_all_tiers=False))
    usable = [] if not config.http else [A]
    assert urls(announcer.due(0)) == usable
    status = announcer.trackers(0)[0]
    assert status.state is TrackerState.DISABLED
    assert reason in (status.error or "")
    assert status.next_announce is None


def test_completed_is_told_once_and_only_where_we_are_known():
    announcer = make([A], [B])
    first, second = announcer.due(0)
    announcer.succeeded(first.endpoint, ANSWER, 0)
    announcer.failed(second.endpoint, "down", 0)
    announcer.completed(5)
    assert [(a.endpoint.url, a.event) for a in announcer.due(5)] == [(A, AnnounceEvent.COMPLETED)]
    announcer.succeeded(first.endpoint, ANSWER, 6)
    told = [announce.event for announce in announcer.due(4000)]
    assert told == [AnnounceEvent.NONE, AnnounceEvent.STARTED]


def test_completed_before_the_start_is_nothing():
    announcer = Announcer([[A]], random.Random(1), CONFIG, (4,))
    announcer.completed(0)
    announcer.start(1)
    told = run(announcer, 4000)
    assert [event for _, _, event in told] == [AnnounceEvent.STARTED, *[AnnounceEvent.NONE] * 2]


def test_stopped_goes_to_those_that_know_us_and_asks_for_nobody():
    announcer = make([A], [B], [C])
    first, second, _ = announcer.due(0)
    announcer.succeeded(first.endpoint, replace(ANSWER, tracker_id=b"id"), 1)
    announcer.failed(second.endpoint, "down", 1)
    (farewell,) = announcer.stop()
    assert farewell == (first.endpoint, AnnounceEvent.STOPPED, 0, b"id")
    assert announcer.due(1e9) == []
    assert announcer.next_due() == math.inf
    assert announcer.stop() == []


def test_it_can_be_started_again():
    announcer = make([A])
    run(announcer, 0)
    announcer.stop()
    announcer.start(100)
    (announce,) = announcer.due(100)
    assert announce.event is AnnounceEvent.STARTED


def test_how_many_peers_are_asked_for():
    announcer = make([A])
    (announce,) = announcer.due(0)
    assert announce.want == CONFIG.want
    announcer.succeeded(announce.endpoint, ANSWER, 0)
    announcer.wants_peers = False
    (announce,) = announcer.due(1800)
    assert announce.want == 0


def test_the_trackers_id_comes_back():
    announcer = make([A])
    (announce,) = announcer.due(0)
    assert announce.tracker_id is None
    announcer.succeeded(announce.endpoint, replace(ANSWER, tracker_id=b"x"), 0)
    assert announcer.due(1800)[0].tracker_id == b"x"


def test_reannouncing_keeps_the_min_interval():
    announcer = make([A])
    (announce,) = announcer.due(0)
    announcer.succeeded(announce.endpoint, replace(ANSWER, min_interval=600), 0)
    announcer.reannounce(10)
    assert announcer.next_due() == 600
    assert announcer.due(599) == []
    assert urls(announcer.due(600)) == [A]


def test_seeking_peers_concerns_the_trackers_in_play():
    announcer = make([A, B])
    run(announcer, 0)
    announcer.seek_peers()
    assert announcer.next_due() == 300
    assert len(announcer.due(300)) == 1


@pytest.mark.parametrize("interval", [1, 60, 1800, 86400])
def test_no_interval_floods_or_silences(interval):
    announcer = make([A])
    now, count = 0.0, 0
    while now <= 86400:
        for announce in announcer.due(now):
            count += 1
            announcer.succeeded(announce.endpoint, AnnounceResponse(interval=interval), now)
        announcer.reannounce(now)
        announcer.seek_peers()
        now = announcer.next_due()
    # However the user and the tracker hurry: one a minute at most; and one a day at least.
    assert 2 <= count <= 1441


def test_the_status_follows():
    announcer = make([A], [B])
    assert announcer.trackers(0)[1].tier == 1
    announcer.due(0)
    assert announcer.trackers(0)[0].state is TrackerState.ANNOUNCING
    announcer = make([A], [B])
    run(announcer, 0, down={B})
    works, fails = announcer.trackers(100)
    assert (works.state, works.seeders, works.leechers) == (TrackerState.WORKING, 3, 4)
    assert (works.peers, works.warning, works.next_announce) == (1, "careful", 1700)
    assert (fails.state, fails.error, fails.peers) == (TrackerState.FAILED, "down", 0)
    assert fails.next_announce == 0


def test_a_tracker_that_never_wants_to_hear_again():
    announcer = make([A])
    (announce,) = announcer.due(0)
    announcer.failed(announce.endpoint, "not a tracker", 0, math.inf)
    assert announcer.next_due() == math.inf
    (status,) = announcer.trackers(0)
    assert (status.state, status.error) == (TrackerState.DISABLED, "not a tracker")
    assert announcer.stop() == []


def test_no_trackers():
    announcer = make()
    assert announcer.due(0) == []
    assert announcer.next_due() == math.inf
    assert announcer.trackers(0) == []
