"""Asking a tracker for the numbers of torrents (BEP 15, BEP 48)."""

from __future__ import annotations

import random
from collections.abc import Sequence

from millstream.engine.udp_trackers import UdpTrackers
from millstream.errors import TrackerError
from millstream.interfaces.http import HttpClient, HttpRequest
from millstream.interfaces.network import Network
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import ScrapeEntry
from millstream.tracker.config import TrackerConfig
from millstream.tracker.scrape import MAX_HTTP_SCRAPE, parse_scrape, scrape_url
from millstream.tracker.tracker_url import TrackerUrl
from millstream.tracker.udp_packets import MAX_SCRAPE


async def scrape(
    url: str,
    info_hashes: Sequence[InfoHash],
    *,
    http: HttpClient | None,
    network: Network,
    rng: random.Random,
    config: TrackerConfig,
    allow_local: bool = False,
) -> dict[InfoHash, ScrapeEntry]:
    """Ask one tracker, with as many requests as the number of torrents takes.

    Args:
        url: its announce URL.
        info_hashes: the torrents.
        http: for HTTP trackers; None if there is none.
        network: for UDP trackers.
        rng: for transaction ids.
        config: the timeouts and limits.
        allow_local: whether the tracker may be at an address that is not global, even if the
            settings say no.

    Returns:
        What the tracker knows. HTTP trackers leave out torrents that they do not know, UDP
        trackers say zero.

    Raises:
        NetworkError: no connection, no answer in time, a local address that is not allowed.
        TrackerError: the tracker refused, cannot be scraped, or its answer makes no sense.
    """
    allowed = allow_local or config.allow_local
    asked = list(dict.fromkeys(info_hashes))
    found: dict[InfoHash, ScrapeEntry] = {}
    scheme = TrackerUrl.parse(url).scheme
    if scheme == "udp":
        udp = UdpTrackers(network, rng, config)
        try:
            for at in range(0, len(asked), MAX_SCRAPE):
                batch = asked[at : at + MAX_SCRAPE]
                found |= await udp.scrape(url, batch, allow_local=allowed)
        finally:
            udp.close()
    elif scheme in {"http", "https"}:
        if http is None:
            raise TrackerError("HTTP trackers are turned off")
        for at in range(0, len(asked), MAX_HTTP_SCRAPE):
            batch = asked[at : at + MAX_HTTP_SCRAPE]
            response = await http.get(
                HttpRequest(
                    url=scrape_url(url, batch),
                    timeout=config.announce_timeout,
                    max_length=config.max_response_length,
                    allow_local=allowed,
                )
            )
            found |= parse_scrape(response.body, batch, response.status)
    else:
        raise TrackerError(f"trackers of the kind {scheme}:// are not supported")
    return found
