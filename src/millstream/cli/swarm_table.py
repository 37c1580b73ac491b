"""The swarms of a tracker as a table, the largest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from millstream.cli.formatting import plural

if TYPE_CHECKING:
    from millstream import InfoHash, ScrapeEntry


def swarm_table(swarms: Mapping[InfoHash, ScrapeEntry], most: int) -> Table:
    """A row for each swarm, and a last one for those that are left out.

    Args:
        swarms: what the tracker knows.
        most: how many rows fit.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("TORRENT", no_wrap=True)
    for label in ("SEEDERS", "LEECHERS", "COMPLETED"):
        table.add_column(label, justify="right", no_wrap=True)
    largest = sorted(swarms.items(), key=lambda swarm: _peers(swarm[1]), reverse=True)
    # The last line is for those that do not fit.
    shown = largest[: most if len(largest) <= most else max(0, most - 1)]
    for info_hash, counts in shown:
        numbers = (counts.seeders, counts.leechers, counts.completed)
        table.add_row(str(info_hash), *(f"{number:,}" for number in numbers))
    if len(largest) > len(shown):
        table.add_row(Text(f"and {plural(len(largest) - len(shown), 'more torrent')}", "dim"))
    return table


def swarm_summary(swarms: Mapping[InfoHash, ScrapeEntry]) -> str:
    """All of them in one line."""
    peers = sum(_peers(counts) for counts in swarms.values())
    return f"{plural(len(swarms), 'torrent')}, {plural(peers, 'peer')}"


def _peers(counts: ScrapeEntry) -> int:
    return counts.seeders + counts.leechers
