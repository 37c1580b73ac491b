"""The peers of a torrent as a table, the busiest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from millstream.cli.formatting import format_percent, format_rate, plural, safe_text

if TYPE_CHECKING:
    from millstream import PeerStatus

# What a client says of itself may be as long as it likes.
MAX_CLIENT_WIDTH = 24


def peer_table(peers: Sequence[PeerStatus], most: int) -> Table:
    """A row for each peer, and a last one for those that are left out.

    Args:
        peers: the connected peers.
        most: how many rows fit.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("PEER", no_wrap=True)
    table.add_column("CLIENT", no_wrap=True, max_width=MAX_CLIENT_WIDTH)
    table.add_column("HAS", justify="right", no_wrap=True)
    table.add_column("DOWN", justify="right", no_wrap=True)
    table.add_column("UP", justify="right", no_wrap=True)
    table.add_column("FLAGS", no_wrap=True)
    table.add_column("FROM", no_wrap=True)
    shown = busiest(peers)[:most]
    for peer in shown:
        table.add_row(
            str(peer.address),
            Text(safe_text(peer.client)),
            format_percent(peer.progress),
            _rate(peer.download_rate),
            _rate(peer.upload_rate),
            peer.flags,
            peer.source,
        )
    if len(peers) > len(shown):
        table.add_row(Text(f"and {plural(len(peers) - len(shown), 'more peer')}", "dim"))
    return table


def busiest(peers: Sequence[PeerStatus]) -> list[PeerStatus]:
    """The peers by their rates, the fastest first."""
    return sorted(peers, key=lambda peer: peer.download_rate + peer.upload_rate, reverse=True)


def _rate(rate: float) -> str:
    return format_rate(rate) if rate >= 1 else ""
