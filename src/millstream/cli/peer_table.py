"""The peers of a torrent as a table, the busiest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from millstream.cli.formatting import format_percent, format_rate, plural, safe_text
from millstream.cli.peer_lines import busiest

if TYPE_CHECKING:
    from millstream import PeerStatus

# What a client says of itself may be as long as it likes.
MAX_CLIENT_WIDTH = 24
# IPv6 addresses are longer than this, and then their end is cut: the port matters least.
MAX_ADDRESS_WIDTH = 30

# Narrower terminals lack the last columns; whether a peer is encrypted is among its flags, too.
ENCRYPTION_WIDTH = 100
SOURCE_WIDTH = 80


def peer_table(peers: Sequence[PeerStatus], most: int, width: int = ENCRYPTION_WIDTH) -> Table:
    """A row for each peer, and a last one for those that are left out.

    Args:
        peers: the connected peers.
        most: how many rows fit.
        width: of the terminal.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("PEER", no_wrap=True, max_width=MAX_ADDRESS_WIDTH)
    table.add_column("CLIENT", no_wrap=True, max_width=MAX_CLIENT_WIDTH)
    table.add_column("HAS", justify="right", no_wrap=True)
    table.add_column("DOWN", justify="right", no_wrap=True)
    table.add_column("UP", justify="right", no_wrap=True)
    table.add_column("FLAGS", no_wrap=True)
    if width >= SOURCE_WIDTH:
        table.add_column("FROM", no_wrap=True)
    if width >= ENCRYPTION_WIDTH:
        table.add_column("ENCRYPTION", no_wrap=True)
    # The last line is for those that do not fit.
    shown = busiest(peers)[: most if len(peers) <= most else max(0, most - 1)]
    for peer in shown:
        cells = [
            Text(str(peer.address)),
            Text(safe_text(peer.client)),
            Text(format_percent(peer.progress)),
            Text(_rate(peer.download_rate)),
            Text(_rate(peer.upload_rate)),
            Text(peer.flags),
            Text(peer.source),
            Text(peer.encryption),
        ]
        table.add_row(*cells[: len(table.columns)])
    if len(peers) > len(shown):
        table.add_row(Text(f"and {plural(len(peers) - len(shown), 'more peer')}", "dim"))
    return table


def _rate(rate: float) -> str:
    return format_rate(rate) if rate >= 1 else ""
