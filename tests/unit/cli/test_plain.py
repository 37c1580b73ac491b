from __future__ import annotations

import io

import pytest

from millstream.cli.plain import PlainLines, transfer_line
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import ScrapeEntry

from .shown import peer, snapshot


def large(state, **values):
    defaults = {
        "progress": 0.624,
        "pieces_have": 3180,
        "piece_count": 5091,
        "checked_pieces": 4000,
        "bytes_done": 3180 << 20,
        "total_length": 5091 << 20,
        "upload_rate": 12.5e6,
        "uploaded": 1 << 30,
        "peers": 12,
    }
    return snapshot(state, **(defaults | values))


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (large("checking"), "checking: 4,000 of 5,091 pieces, 3,180 good"),
        (
            large("downloading"),
            (
                "downloading: 62.4 %, 3.11 GiB of 4.97 GiB, 87.3 MB/s, ETA 22 s, "
                "12 peers (1 seed), 3,180/5,091 pieces"
            ),
        ),
        (
            large("downloading", eta=None, peers=0, download_rate=0.0, waiting_for="asking"),
            (
                "downloading: 62.4 %, 3.11 GiB of 4.97 GiB, 0 B/s, "
                "no peers: asking, 3,180/5,091 pieces"
            ),
        ),
        (large("seeding"), "seeding: 12.5 MB/s, 1 GiB uploaded, 12 peers"),
        (snapshot("fetching metadata"), "fetching metadata: 25.0 %, 2 peers"),
        (
            snapshot("fetching metadata", waiting_for="the tracker fails"),
            "fetching metadata: 25.0 %, no peers: the tracker fails",
        ),
    ],
)
def test_transfer_line(given, line):
    assert transfer_line(given) == line


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_line_every_few_seconds_and_none_twice():
    output, clock = io.StringIO(), Clock()
    with PlainLines(output, clock) as lines:
        lines.event("started")
        lines.event("seeding", "Seeding x.", good=True, port=1)
        for second in range(60):
            clock.now = second
            lines.transfer(large("seeding"))
        lines.note("bye")
    assert output.getvalue() == "Seeding x.\nseeding: 12.5 MB/s, 1 GiB uploaded, 12 peers\nbye\n"


def test_counts():
    output, clock = io.StringIO(), Clock()
    lines = PlainLines(output, clock)
    for second in range(10):
        clock.now = second
        lines.count("Hashing", "pictures", second, 12)
    assert output.getvalue() == "Hashing pictures: 41.6 %, 5 of 12 pieces\n"


@pytest.fixture
def output():
    return io.StringIO()


@pytest.fixture
def clock():
    return Clock()


def test_peers_below_a_transfer_if_they_are_wanted(output, clock):
    lines = PlainLines(output, clock)
    clock.now = 5
    lines.transfer(large("downloading", listed=[peer()]))
    assert output.getvalue().splitlines()[1].startswith("  192.0.2.1:6881, Transmission")


def test_peers_are_written_soon_after_they_change_and_else_at_times(output, clock):
    lines = PlainLines(output, clock)
    watched = {"state": "seeding", "download_rate": 0.0}
    for tenth in range(100):
        clock.now = tenth / 10
        listed = [peer()] if tenth >= 12 else []
        waiting = "" if listed else "asking the tracker"
        lines.peers(snapshot(listed=listed, waiting_for=waiting, peers=len(listed), **watched))
        if tenth == 15:
            assert output.getvalue() == ""
    assert output.getvalue().splitlines() == [
        "1 peer (1 seed): 0 B/s down, 0 B/s up",
        "  192.0.2.1:6881, Transmission 4.0.5, has 62.4 %, DE, from tracker, rc4",
    ]


def test_without_peers_the_reason_is_written(output, clock):
    lines = PlainLines(output, clock)
    clock.now = 5
    lines.peers(snapshot("seeding", listed=[], waiting_for="the tracker fails"))
    assert output.getvalue() == "no peers: the tracker fails\n"


def test_swarms_that_changed(output):
    lines = PlainLines(output)
    swarms = {InfoHash(bytes([number]) * 20): ScrapeEntry(1, 0, number) for number in range(25)}
    lines.swarms(swarms)
    written = output.getvalue().splitlines()
    assert written[0] == f"{'18' * 20}: 1 seeder, 24 leechers, 0 completed"
    assert written[-1] == "... and 5 more swarms changed"
    lines.swarms(swarms)
    assert output.getvalue().splitlines() == written
