"""Quiet connections: kept alive, or dropped when they died."""

from __future__ import annotations

from collections.abc import Iterable

from millstream.engine.config import NetworkConfig
from millstream.engine.link import Link
from millstream.protocol import messages


def tend_links(links: Iterable[Link], network: NetworkConfig, now: float) -> None:
    """Send something over those where we said nothing for long, and close those that are silent."""
    for link in list(links):
        # While it was held, by the disk or a rate limit, its silence was ours.
        heard_at = max(link.last_received_at, link.reading.resumed_at)
        if now - heard_at > network.peer_timeout and not link.reading.is_held:
            link.close(f"silent for {network.peer_timeout:g} seconds")
        elif now - link.last_sent_at > network.keep_alive_interval:
            link.send(messages.KEEP_ALIVE)
