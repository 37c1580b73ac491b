from __future__ import annotations

import pytest

from millstream.cli.tracker_news import MAX_TOLD, TrackerNews

from .shown import URL, Recording, tracker


@pytest.fixture
def display():
    return Recording()


@pytest.fixture
def told(display):
    """Tell of trackers; the sentences and the number of events that came of it."""
    news = TrackerNews()

    def tell(*trackers):
        before = len(display.events)
        news.tell(display, trackers)
        return [sentence for _, sentence, _ in display.events[before:]]

    return tell


def test_a_failure_is_told_once_with_the_tracker_and_when_it_is_asked_again(told, display):
    failed = tracker("failed", error="connection refused", next_announce=17.6)
    assert told(failed) == [f"Tracker {URL}: connection refused; next try in 18 s"]
    assert display.events[0] == (
        "tracker",
        f"Tracker {URL}: connection refused; next try in 18 s",
        {
            "url": URL,
            "state": "failed",
            "error": "connection refused",
            "warning": None,
            "seeders": None,
            "leechers": None,
            "peers": 0,
            "next_announce": 18,
        },
    )
    assert told(tracker("announcing", error="connection refused")) == []
    assert told(tracker("failed", error="connection refused", next_announce=55.0)) == []
    assert told(tracker("failed", error="timed out", next_announce=80.0)) == [
        f"Tracker {URL}: timed out; next try in 1 min 20 s"
    ]


def test_a_tracker_that_works_is_news_for_scripts_only_until_it_failed(told):
    assert told(tracker("not asked"), tracker("announcing")) == []
    assert told(tracker(seeders=1, leechers=2, peers=3)) == [""]
    assert told(tracker(seeders=1, leechers=2, peers=3, next_announce=5.0)) == []
    assert told(tracker("failed", error="gone")) == [f"Tracker {URL}: gone"]
    answers = f"Tracker {URL} answers now: 1 seeder, 2 leechers"
    assert told(tracker(seeders=1, leechers=2)) == [answers]
    assert told(tracker("failed", error="gone")) == [f"Tracker {URL}: gone"]
    assert told(tracker(peers=3)) == [f"Tracker {URL} answers now: 3 peers"]


def test_a_warning_is_told_once(told):
    assert told(tracker(warning="soon\nclosed")) == [f"Tracker {URL} says: soon\ufffdclosed"]
    assert told(tracker(warning="soon\nclosed", seeders=1)) == [""]


def test_a_refused_address_comes_with_the_way_to_allow_it(told):
    error = "127.0.0.1, a loopback address: local hosts are not contacted unless that is allowed"
    assert told(tracker("failed", error=error, next_announce=9.0)) == [
        f"Tracker {URL}: {error}; --allow-local allows it"
    ]


def test_what_a_tracker_says_cannot_control_the_terminal(told):
    assert told(tracker("failed", error="a\x1b[2J\nb")) == [f"Tracker {URL}: a\ufffd[2J b"]


def test_people_are_told_of_some_failures_and_scripts_of_all(told):
    failed = [
        tracker("failed", f"udp://{number}:1", error="gone") for number in range(MAX_TOLD + 5)
    ]
    sentences = told(*failed)
    assert len(sentences) == MAX_TOLD + 5
    assert sentences[MAX_TOLD - 1 : MAX_TOLD + 2] == [
        f"Tracker udp://{MAX_TOLD - 1}:1: gone",
        "More trackers fail; --json tells of all.",
        "",
    ]
