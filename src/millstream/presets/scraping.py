"""Asking trackers from this machine, without an engine."""

from __future__ import annotations

import random
from collections.abc import Iterable

from millstream import __version__
from millstream.adapters.native import NativeNetwork
from millstream.adapters.native.http import NativeHttp
from millstream.engine.scraping import scrape
from millstream.protocol.infohash import InfoHash
from millstream.tracker.announce import ScrapeEntry
from millstream.tracker.config import TrackerConfig


async def scrape_tracker(
    url: str,
    info_hashes: Iterable[InfoHash | str],
    *,
    config: TrackerConfig | None = None,
    allow_local: bool = True,
) -> dict[InfoHash, ScrapeEntry]:
    """Ask a tracker how many seeders and leechers torrents have (BEP 15, BEP 48).

    Args:
        url: its announce URL, `http://`, `https://` or `udp://`.
        info_hashes: the torrents; text is 40 hex digits.
        config: timeouts and limits; None for the defaults.
        allow_local: whether the tracker may be at an address that is not global. False for URLs
            that come from a torrent of somebody else.

    Returns:
        What the tracker knows; HTTP trackers leave out torrents that they do not know.

    Raises:
        NetworkError: no connection, or no answer in time.
        TrackerError: the tracker refused, cannot be scraped, or its answer makes no sense.
        MalformedDataError: an infohash is none.
    """
    hashes = [InfoHash.from_hex(each) if isinstance(each, str) else each for each in info_hashes]
    http = NativeHttp(f"Millstream/{__version__}")
    try:
        return await scrape(
            url,
            hashes,
            http=http,
            network=NativeNetwork(),
            rng=random.Random(),
            config=config or TrackerConfig(),
            allow_local=allow_local,
        )
    finally:
        await http.close()
