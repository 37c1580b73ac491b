from __future__ import annotations

from millstream.cli.swarm_changes import MAX_TOLD, SwarmChanges, swarm_line
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import ScrapeEntry

A, B = InfoHash(b"a" * 20), InfoHash(b"b" * 20)


def test_only_what_is_new_is_told_and_the_largest_first():
    changes = SwarmChanges()
    small, large = ScrapeEntry(1, 0, 0), ScrapeEntry(1, 0, 5)
    assert changes.look({A: small, B: large}) == ([(B, large), (A, small)], 0)
    assert changes.look({A: small, B: large}) == ([], 0)
    assert changes.look({A: small, B: small}) == ([(B, small)], 0)


def test_a_swarm_that_everybody_left_is_told_once():
    changes = SwarmChanges()
    changes.look({A: ScrapeEntry(3, 7, 2)})
    assert changes.look({}) == ([(A, ScrapeEntry(0, 7, 0))], 0)
    assert changes.look({}) == ([], 0)


def test_not_more_than_can_be_read():
    swarms = {
        InfoHash(number.to_bytes(20, "big")): ScrapeEntry(0, 0, number) for number in range(1, 100)
    }
    told, more = SwarmChanges().look(swarms)
    assert [counts.leechers for _, counts in told] == list(range(99, 99 - MAX_TOLD, -1))
    assert more == 99 - MAX_TOLD


def test_a_swarm_in_a_line():
    line = swarm_line(A, ScrapeEntry(1, 1234, 2))
    assert line == f"{A}: 1 seeder, 2 leechers, 1,234 completed"
