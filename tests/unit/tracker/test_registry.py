from __future__ import annotations

import random

import pytest

from millstream.errors import ConfigError, TrackerError
from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import AnnounceEvent, AnnounceRequest, ScrapeEntry
from millstream.tracker.registry import MAX_PEERS_IN_ANSWER, Registry, RegistryConfig

TORRENT = InfoHash(b"t" * 20)
OTHER = InfoHash(b"o" * 20)


def said(number=1, *, torrent=TORRENT, event="started", left=1, key=None, port=6881, want=-1):
    return AnnounceRequest(
        info_hash=torrent,
        peer_id=b"%020d" % number,
        port=port,
        uploaded=0,
        downloaded=0,
        left=left,
        event=AnnounceEvent[event.upper()],
        key=number + 1 if key is None else key,
        want=want,
    )


class Tracker:
    """A registry, a clock that is set, and a memory for nothing else."""

    def __init__(self, **config):
        self.registry = Registry(RegistryConfig(**config))
        self.rng = random.Random(1)
        self.now = 1000.0

    def announce(self, request, host="192.0.2.1"):
        return self.registry.announce(request, host, self.now, self.rng)

    def scrape(self, torrent=TORRENT):
        return self.registry.scrape([torrent], self.now)[0]


def test_two_clients_find_each_other():
    tracker = Tracker()
    first = tracker.announce(said(1, left=0), "192.0.2.1")
    assert (first.peers, first.seeders, first.leechers) == ((), 1, 0)
    assert (first.interval, first.min_interval, first.external_ip) == (1800, 60, "192.0.2.1")
    second = tracker.announce(said(2), "192.0.2.2")
    assert second.peers == (PeerAddress("192.0.2.1", 6881),)
    assert second.peer_ids == (b"%020d" % 1,)
    again = tracker.announce(said(1, event="none", left=0), "192.0.2.1")
    assert again.peers == (PeerAddress("192.0.2.2", 6881),)
    assert (again.seeders, again.leechers) == (1, 1)


def test_torrents_are_apart():
    tracker = Tracker()
    tracker.announce(said(1))
    assert tracker.announce(said(2, torrent=OTHER), "192.0.2.2").peers == ()
    assert tracker.registry.swarm_count == 2
    assert dict(tracker.registry.swarms()) == {
        TORRENT: ScrapeEntry(0, 0, 1),
        OTHER: ScrapeEntry(0, 0, 1),
    }


def test_no_more_than_the_limit_and_fifty_if_nothing_is_said():
    tracker = Tracker()
    for number in range(2, 230):
        tracker.announce(said(number, want=0), f"192.0.2.{number}")
    assert len(tracker.announce(said(1, want=10**9)).peers) == MAX_PEERS_IN_ANSWER
    assert len(tracker.announce(said(1, want=-1)).peers) == 50
    assert len(tracker.announce(said(1, want=7)).peers) == 7
    assert tracker.announce(said(1, want=0)).peers == ()


def test_who_stops_is_gone_and_is_given_nobody():
    tracker = Tracker()
    tracker.announce(said(1), "192.0.2.1")
    tracker.announce(said(2), "192.0.2.2")
    answer = tracker.announce(said(1, event="stopped"), "192.0.2.1")
    assert (answer.peers, answer.leechers) == ((), 1)
    assert tracker.announce(said(2), "192.0.2.2").peers == ()
    tracker.announce(said(2, event="stopped"), "192.0.2.2")
    assert tracker.registry.swarm_count == tracker.registry.peer_count == 0


def test_a_stop_of_somebody_unknown_changes_nothing():
    tracker = Tracker()
    tracker.announce(said(1, event="stopped"))
    assert tracker.registry.swarm_count == 0


def test_nobody_stops_another_without_knowing_its_key():
    tracker = Tracker()
    tracker.announce(said(1), "192.0.2.1")
    tracker.announce(said(1, event="stopped", key=99), "192.0.2.66")
    tracker.announce(said(1, event="stopped", key=0), "192.0.2.66")
    assert tracker.scrape().leechers == 1
    # Nor takes another its place.
    tracker.announce(said(1, key=99), "192.0.2.66")
    assert len(tracker.announce(said(2), "192.0.2.2").peers) == 2


def test_a_client_that_moved_is_known_by_its_key():
    tracker = Tracker()
    tracker.announce(said(1), "192.0.2.1")
    tracker.announce(said(1), "192.0.2.9")
    assert tracker.announce(said(2), "192.0.2.2").peers == (PeerAddress("192.0.2.9", 6881),)


def test_a_client_without_a_key_is_known_by_its_host():
    tracker = Tracker()
    tracker.announce(said(1, key=0), "192.0.2.1")
    tracker.announce(said(1, key=0, port=7000), "192.0.2.1")
    assert tracker.announce(said(2), "192.0.2.2").peers == (PeerAddress("192.0.2.1", 7000),)


def test_a_restarted_program_replaces_what_it_was():
    tracker = Tracker()
    tracker.announce(said(1), "192.0.2.1")
    assert tracker.announce(said(3), "192.0.2.1").peers == ()
    assert tracker.scrape().leechers == 1
    assert tracker.announce(said(2), "192.0.2.2").peers == (PeerAddress("192.0.2.1", 6881),)


def test_who_announces_from_both_families_counts_once():
    tracker = Tracker()
    tracker.announce(said(1), "192.0.2.1")
    tracker.announce(said(1), "2001:db8::1")
    tracker.announce(said(2), "2001:db8::2")
    assert tracker.scrape() == ScrapeEntry(0, 0, 2)
    assert tracker.registry.peer_count == 3
    tracker.announce(said(1, event="completed", left=0), "192.0.2.1")
    tracker.announce(said(1, event="completed", left=0), "2001:db8::1")
    assert tracker.scrape() == ScrapeEntry(1, 1, 1)
    assert tracker.announce(said(2), "2001:db8::2").peers == (PeerAddress("2001:db8::1", 6881),)


def test_completed_counts_those_who_finished():
    tracker = Tracker()
    tracker.announce(said(1, left=0), "192.0.2.1")  # came as a seed
    assert tracker.scrape().completed == 0
    tracker.announce(said(2), "192.0.2.2")
    tracker.announce(said(2, event="completed", left=0), "192.0.2.2")
    tracker.announce(said(2, event="completed", left=0), "192.0.2.2")
    assert tracker.scrape() == ScrapeEntry(2, 1, 0)
    # We were restarted while it downloaded.
    tracker.announce(said(3, event="completed", left=0), "192.0.2.3")
    # Nobody is complete that lacks something.
    tracker.announce(said(4, event="completed", left=5), "192.0.2.4")
    assert tracker.scrape() == ScrapeEntry(3, 2, 1)


def test_completed_outlives_the_swarm():
    tracker = Tracker(max_swarms=1)
    tracker.announce(said(1, event="completed", left=0))
    tracker.announce(said(1, event="stopped", left=0))
    assert tracker.scrape() == ScrapeEntry(0, 1, 0)
    assert tracker.registry.swarm_count == 0
    assert dict(tracker.registry.swarms()) == {}
    tracker.announce(said(1))
    assert tracker.scrape() == ScrapeEntry(0, 1, 1)
    tracker.announce(said(1, event="stopped"))
    # Until the room is needed.
    tracker.announce(said(1, torrent=OTHER))
    assert tracker.scrape() == ScrapeEntry(0, 0, 0)


def test_the_silent_are_forgotten_after_two_intervals():
    tracker = Tracker(interval=100)
    tracker.announce(said(1), "192.0.2.1")
    tracker.now += 150
    tracker.announce(said(2), "192.0.2.2")
    tracker.now += 49
    assert tracker.scrape().leechers == 2
    tracker.now += 1
    assert tracker.scrape().leechers == 1
    tracker.announce(said(2), "192.0.2.2")
    tracker.now += 199
    assert tracker.scrape().leechers == 1
    tracker.now += 1
    tracker.registry.expire(tracker.now)
    assert tracker.registry.swarm_count == tracker.registry.peer_count == 0


def test_only_allowed_torrents():
    tracker = Tracker(allowed=frozenset([TORRENT]))
    tracker.announce(said(1))
    with pytest.raises(TrackerError, match="does not track this torrent"):
        tracker.announce(said(1, torrent=OTHER))
    assert tracker.scrape(OTHER) == ScrapeEntry(0, 0, 0)


def test_no_room_for_more_torrents():
    tracker = Tracker(max_swarms=1)
    tracker.announce(said(1))
    with pytest.raises(TrackerError, match="no room for more torrents") as caught:
        tracker.announce(said(1, torrent=OTHER))
    assert caught.value.retry_in == 1800
    tracker.announce(said(1, event="stopped"))
    tracker.announce(said(1, torrent=OTHER))


@pytest.mark.parametrize("limit", ["max_peers", "max_swarm_peers"])
def test_no_room_for_more_peers(limit):
    tracker = Tracker(**{limit: 2})
    tracker.announce(said(1), "192.0.2.1")
    tracker.announce(said(2), "192.0.2.2")
    with pytest.raises(TrackerError, match="no room for more peers"):
        tracker.announce(said(3), "192.0.2.3")
    # Who is in stays in, and may move.
    tracker.announce(said(2, port=1), "192.0.2.2")
    tracker.announce(said(4, port=1), "192.0.2.2")
    assert tracker.registry.peer_count == 2


def test_scrape_answers_in_order():
    tracker = Tracker()
    tracker.announce(said(1, left=0))
    assert tracker.registry.scrape([OTHER, TORRENT, OTHER], tracker.now) == [
        ScrapeEntry(0, 0, 0),
        ScrapeEntry(1, 0, 0),
        ScrapeEntry(0, 0, 0),
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("interval", 0),
        ("interval", 86_401),
        ("min_interval", 1801),
        ("min_interval", -1),
        ("max_swarms", 0),
        ("max_swarm_peers", 0),
        ("max_peers", 0),
    ],
)
def test_settings_have_ranges(name, value):
    with pytest.raises(ConfigError, match=rf"registry\.{name} is {value}"):
        RegistryConfig(**{name: value})
