"""The peers of a torrent as plain lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from millstream.cli.formatting import format_percent, format_rate, plural, safe_text

if TYPE_CHECKING:
    from millstream import PeerStatus

# What a log gets of a large swarm; `--json` has all.
MAX_LINES = 50


def peer_lines(peers: Sequence[PeerStatus]) -> list[str]:
    """A line for each peer, the busiest first: `  192.0.2.7:6881, Transmission 4.0, has 62.4 %, ...`."""
    shown = busiest(peers)[:MAX_LINES]
    lines = [f"  {_line(peer)}" for peer in shown]
    if len(peers) > len(shown):
        lines.append(f"  and {plural(len(peers) - len(shown), 'more peer')}; --json lists all")
    return lines


def busiest(peers: Sequence[PeerStatus]) -> list[PeerStatus]:
    """The peers by their rates, the fastest first."""
    return sorted(peers, key=lambda peer: peer.download_rate + peer.upload_rate, reverse=True)


def _line(peer: PeerStatus) -> str:
    parts = [
        str(peer.address),
        safe_text(peer.client) or "unknown client",
        f"has {format_percent(peer.progress)}",
    ]
    if peer.download_rate >= 1:
        parts.append(f"{format_rate(peer.download_rate)} down")
    if peer.upload_rate >= 1:
        parts.append(f"{format_rate(peer.upload_rate)} up")
    parts += [part for part in (peer.flags, f"from {peer.source}", peer.encryption) if part]
    return ", ".join(parts)
