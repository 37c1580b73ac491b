from __future__ import annotations

import logging

import pytest

from millstream.core.idleness import Idleness, IdleReason
from millstream.core.torrent_state import TorrentState
from millstream.engine import events
from millstream.engine.journal import Journal, stranger_refused
from millstream.errors import MillstreamError, StorageError
from millstream.protocol.compact import PeerAddress
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import AnnounceResponse

INFO_HASH = InfoHash(bytes(range(20)))
PEER = PeerAddress("192.0.2.7", 6881)
TELLING = "https://user:word@t.example:8443/0123456789abcdef/announce?key=1"
CHOKED = Idleness(IdleReason.CHOKED, "all choke us")
NO_PEERS = Idleness(IdleReason.NO_PEERS, "nobody is known")


@pytest.fixture
def told(caplog):
    """What was told since it was last asked: component, level and words."""
    caplog.set_level(logging.DEBUG, "millstream")

    def take():
        found = []
        for record in caplog.records:
            assert record.torrent == INFO_HASH.hex()
            found.append((record.component, record.levelname, record.getMessage()))
        caplog.clear()
        return found

    return take


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (events.PieceVerified(3), []),
        (events.PeerConnected(PEER, "Client 1"), [("peer", "DEBUG", "connected: Client 1")]),
        (events.PeerDisconnected(PEER, "silent"), [("peer", "DEBUG", "gone: silent")]),
        (events.PeerBanned(PEER, "bad data"), [("peer", "INFO", "banned: bad data")]),
        (
            events.StateChanged(TorrentState.CHECKING, TorrentState.SEEDING),
            [("torrent", "INFO", "seeding, was checking")],
        ),
        (
            events.PieceFailed(3),
            [("torrent", "INFO", "piece 3 does not match its digest and is thrown away")],
        ),
        (events.TorrentCompleted(), [("torrent", "INFO", "complete")]),
        (
            events.TorrentFailed(StorageError("/x", "full")),
            [("disk", "ERROR", "failed: /x: full")],
        ),
        (events.TorrentFailed(MillstreamError("no")), [("torrent", "ERROR", "failed: no")]),
        (events.FilesRenamed({3: "a/b"}), [("disk", "INFO", "1 file renamed: a/b")]),
        (events.FilesRenamed({0: "a", 1: "b"}), [("disk", "INFO", "2 files renamed: a, b")]),
    ],
)
def test_events_are_told(told, event, expected):
    Journal(INFO_HASH).note(event)
    assert told() == expected


def test_a_peer_is_named(caplog):
    caplog.set_level(logging.DEBUG, "millstream.peer")
    journal = Journal(INFO_HASH)
    journal.peer_refused(PEER, "peer is banned")
    journal.peer_unreachable(PEER, TimeoutError())
    stranger_refused(PEER, "too many connections")
    assert [(record.peer, record.torrent, record.getMessage()) for record in caplog.records] == [
        ("192.0.2.7:6881", INFO_HASH.hex(), "not admitted: peer is banned"),
        ("192.0.2.7:6881", INFO_HASH.hex(), "cannot be reached: no answer in time"),
        ("192.0.2.7:6881", None, "not admitted: too many connections"),
    ]


def test_urls_are_told_without_what_identifies_the_user(told):
    journal = Journal(INFO_HASH)
    journal.tracker_failed(TELLING, OSError("refused"))
    journal.tracker_answered(TELLING, AnnounceResponse(interval=60.0, peers=(PEER,)))
    journal.web_seed_failed(TELLING, "404")
    journal.web_seed_banned("http://[", "corrupt data")
    assert told() == [
        ("tracker", "INFO", "https://t.example:8443 failed: refused"),
        ("tracker", "DEBUG", "https://t.example:8443 named 1 peers"),
        ("web_seed", "INFO", "https://t.example:8443 failed: 404"),
        ("web_seed", "INFO", "a malformed URL is banned: corrupt data"),
    ]


def test_holds_are_told_when_they_begin_and_end(told):
    journal = Journal(INFO_HASH)
    journal.released()
    assert told() == []
    for _ in range(3):
        journal.held()
    assert told() == [("disk", "DEBUG", "full: peers are not read for now")]
    for _ in range(3):
        journal.released()
    assert told() == [("disk", "DEBUG", "takes more again")]


def test_idleness_is_told_when_it_lasts_and_once(told):
    journal = Journal(INFO_HASH)
    journal.looked_at(CHOKED)
    assert told() == [], "it may have only just begun"
    journal.looked_at(CHOKED)
    assert told() == [("torrent", "INFO", "is not moving: all choke us")]
    journal.looked_at(CHOKED._replace(text="all 3 choke us"))
    assert told() == [], "the reason is the same"
    journal.looked_at(NO_PEERS)
    journal.looked_at(NO_PEERS)
    assert told() == [("torrent", "INFO", "is not moving: nobody is known")]
    journal.looked_at(None)
    journal.looked_at(None)
    assert told() == [("torrent", "INFO", "moves again")]


def test_idleness_that_passes_is_not_told(told):
    journal = Journal(INFO_HASH)
    for each in (CHOKED, None, CHOKED, NO_PEERS, None):
        journal.looked_at(each)
    assert told() == []


def test_the_rest(told):
    journal = Journal(INFO_HASH)
    journal.added("name")
    journal.metadata_found(123)
    journal.metadata_refused(MillstreamError("no name"))
    journal.removed()
    assert told() == [
        ("torrent", "INFO", "added: name"),
        ("metadata", "INFO", "found, 123 bytes"),
        ("metadata", "INFO", "refused: no name"),
        ("torrent", "INFO", "removed"),
    ]
