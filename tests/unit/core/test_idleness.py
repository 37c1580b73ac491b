from __future__ import annotations

import pytest

from millstream.core.idleness import IdleFacts, IdleReason, why_idle
from millstream.core.torrent_state import TorrentState

DOWNLOADING = TorrentState.DOWNLOADING
SEEDING = TorrentState.SEEDING
FETCHING = TorrentState.FETCHING_METADATA


def reason(state=DOWNLOADING, **facts):
    found = why_idle(IdleFacts(state=state, **facts))
    return None if found is None else found.reason


def text(state=DOWNLOADING, **facts):
    found = why_idle(IdleFacts(state=state, **facts))
    assert found is not None
    return found.text


@pytest.mark.parametrize("state", [DOWNLOADING, SEEDING, FETCHING])
def test_what_moves_has_no_reason(state):
    assert reason(state, is_moving=True, is_disk_full=True, is_limited=True) is None


def test_what_is_checked_is_at_work():
    assert reason(TorrentState.CHECKING) is None


def test_what_is_not_at_work():
    assert reason(TorrentState.STOPPED, peers=3) is IdleReason.STOPPED
    assert text(TorrentState.STOPPED) == "it is stopped"
    assert text(TorrentState.STOPPED, has_reached_goal=True).endswith("it has reached its goal")
    assert reason(TorrentState.QUEUED, peers=3) is IdleReason.QUEUED
    assert text(TorrentState.QUEUED, queue_position=0).endswith("in the queue, position 1")
    assert reason(TorrentState.ERROR) is IdleReason.FAILED
    assert text(TorrentState.ERROR, error="/x: No space left on device").endswith("on device")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"is_disk_full": True, "is_limited": True, "peers": 1}, IdleReason.DISK),
        ({"is_limited": True, "peers": 1, "useful": 1}, IdleReason.RATE_LIMIT),
        ({"peers": 3}, IdleReason.NOTHING_USEFUL),
        ({"peers": 3, "useful": 2}, IdleReason.CHOKED),
        ({"peers": 3, "useful": 2, "unchoked": 1}, IdleReason.UNANSWERED),
        ({"connecting": 1, "candidates": 5}, IdleReason.CONNECTING),
        ({"has_room": False, "candidates": 5, "known": 5}, IdleReason.NO_ROOM),
        ({"candidates": 5, "known": 5, "next_try": 7.0}, IdleReason.UNREACHABLE),
        ({"known": 5}, IdleReason.UNREACHABLE),
        ({"trackers": 2, "trackers_working": 1, "trackers_asked": 1}, IdleReason.ASKING_TRACKERS),
        ({"trackers": 2}, IdleReason.TRACKERS_FAIL),
        ({"trackers": 2, "known": 5}, IdleReason.TRACKERS_FAIL),
        ({"trackers": 2, "trackers_working": 1}, IdleReason.NO_PEERS),
        ({}, IdleReason.NO_PEERS),
    ],
)
def test_a_download(facts, expected):
    assert reason(**facts) is expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"peers": 3}, IdleReason.NO_METADATA),
        ({"peers": 3, "useful": 1}, IdleReason.UNANSWERED),
        ({}, IdleReason.NO_PEERS),
    ],
)
def test_a_magnet(facts, expected):
    assert reason(FETCHING, **facts) is expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, IdleReason.NO_INTEREST),
        ({"peers": 2}, IdleReason.NO_INTEREST),
        ({"peers": 2, "useful": 2}, IdleReason.NO_SLOT),
        ({"peers": 2, "useful": 2, "unchoked": 1}, IdleReason.NO_INTEREST),
        ({"peers": 2, "is_limited": True}, IdleReason.RATE_LIMIT),
    ],
)
def test_a_seed(facts, expected):
    assert reason(SEEDING, **facts) is expected
    if expected is not IdleReason.RATE_LIMIT:
        assert text(SEEDING, **facts).startswith("it seeds, and ")


def test_words():
    assert text(peers=1) == "none of 1 connected peer has a piece that is missing"
    assert text(peers=3, useful=2) == "2 peers with missing pieces, and all choke us"
    assert text() == "no peers are known, and it has no trackers"
    assert (
        text(candidates=2, known=2, next_try=29.6)
        == "none of 2 known peers could be reached yet; the next try is in 30 s"
    )
    assert text(candidates=1) == "none of 1 known peer could be reached yet"
    assert (
        text(trackers=1, tracker_error="t.example: refused")
        == "no peers are known, and the tracker fails (t.example: refused)"
    )
    assert text(trackers=2) == "no peers are known, and all trackers fail"
    assert (
        text(web_seed_error="w.example: 404")
        == "no peers are known, a web seed fails (w.example: 404), and it has no trackers"
    )
    assert text(connecting=1) == "it is connecting to 1 peer"


def test_a_tracker_that_failed_is_told_while_it_is_asked_again():
    facts = {"trackers": 1, "trackers_asked": 1}
    assert reason(**facts) is IdleReason.ASKING_TRACKERS
    assert reason(**facts, tracker_error="refused") is IdleReason.TRACKERS_FAIL
