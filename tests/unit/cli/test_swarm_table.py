from __future__ import annotations

from millstream.cli.swarm_table import swarm_summary, swarm_table
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import ScrapeEntry

from .drawn import drawn

SWARMS = {
    InfoHash(bytes([number]) * 20): ScrapeEntry(number, 1000, number) for number in range(1, 6)
}


def test_the_largest_come_first():
    lines = drawn(swarm_table(SWARMS, 10), 80)
    assert lines[0] == f"{'TORRENT':<40}  SEEDERS  LEECHERS  COMPLETED"
    assert lines[1] == f"{'05' * 20}        5         5      1,000"
    assert len(lines) == 6


def test_what_does_not_fit_is_counted():
    lines = drawn(swarm_table(SWARMS, 3), 80)
    assert len(lines) == 4
    assert lines[-1] == "and 3 more torrents"


def test_the_summary():
    assert swarm_summary(SWARMS) == "5 torrents, 30 peers"
    assert swarm_summary({}) == "0 torrents, 0 peers"
