"""What has changed among a tracker's swarms since somebody last looked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from millstream.cli.formatting import plural

if TYPE_CHECKING:
    from millstream import InfoHash, ScrapeEntry

# Swarms told of at one look, the largest first: a busy tracker must not flood a terminal.
MAX_TOLD = 20


class SwarmChanges:
    """Compares each look with the one before."""

    def __init__(self) -> None:
        self._seen: Mapping[InfoHash, ScrapeEntry] = {}

    def look(
        self, swarms: Mapping[InfoHash, ScrapeEntry]
    ) -> tuple[list[tuple[InfoHash, ScrapeEntry]], int]:
        """The swarms with other numbers than last time, and how many more there are.

        A swarm that everybody left is among them, with the last number of those who completed it.
        """
        changed = [
            (info_hash, counts)
            for info_hash, counts in swarms.items()
            if self._seen.get(info_hash) != counts
        ]
        changed += [
            (info_hash, replace(counts, seeders=0, leechers=0))
            for info_hash, counts in self._seen.items()
            if info_hash not in swarms
        ]
        self._seen = swarms
        changed.sort(key=lambda swarm: swarm[1].seeders + swarm[1].leechers, reverse=True)
        return changed[:MAX_TOLD], max(0, len(changed) - MAX_TOLD)


def swarm_line(info_hash: InfoHash, counts: ScrapeEntry) -> str:
    """A swarm for people: `0123…: 1 seeder, 2 leechers, 3 completed`."""
    return (
        f"{info_hash}: {plural(counts.seeders, 'seeder')}, "
        f"{plural(counts.leechers, 'leecher')}, {counts.completed:,} completed"
    )
