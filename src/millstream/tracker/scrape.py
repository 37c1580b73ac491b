"""Scraping over HTTP: where, what is asked, and what comes back (BEP 48)."""

from __future__ import annotations

from collections.abc import Sequence

from millstream.errors import LocalProtocolError, TrackerError
from millstream.protocol.infohash import INFOHASH_LENGTH, InfoHash
from millstream.protocol.percent import quote
from millstream.tracker.announce import ScrapeEntry
from millstream.tracker.http_answer import count, decode_answer
from millstream.tracker.tracker_url import TrackerUrl

# As many as one UDP packet holds (BEP 15); the URL stays under 6 KB, which servers take.
MAX_HTTP_SCRAPE = 74


def scrape_base(tracker: str) -> TrackerUrl:
    """The URL at which a tracker is scraped, from the one at which it takes announces.

    The path's last part must begin with `announce`, which becomes `scrape`: the convention that
    BEP 48 wrote down. The query stays.

    Raises:
        TrackerError: the tracker has no such URL.
    """
    url = TrackerUrl.parse(tracker)
    directory, slash, last = url.path.rpartition("/")
    if not last.startswith("announce"):
        raise TrackerError("the tracker cannot be scraped: its URL's path ends in no `announce`")
    return url._replace(path=f"{directory}{slash}scrape{last.removeprefix('announce')}")


def scrape_url(tracker: str, info_hashes: Sequence[InfoHash]) -> str:
    """The URL to get for a scrape.

    Raises:
        LocalProtocolError: not 1 to MAX_HTTP_SCRAPE infohashes.
        TrackerError: the tracker cannot be scraped.
    """
    if not 0 < len(info_hashes) <= MAX_HTTP_SCRAPE:
        raise LocalProtocolError(f"a scrape asks for 1 to {MAX_HTTP_SCRAPE} torrents")
    parameters = "&".join(f"info_hash={quote(info_hash)}" for info_hash in info_hashes)
    return scrape_base(tracker).with_parameters(parameters)


def parse_scrape(
    body: bytes, info_hashes: Sequence[InfoHash], status: int = 200
) -> dict[InfoHash, ScrapeEntry]:
    """Read a tracker's answer to a scrape.

    Args:
        body: the answer.
        info_hashes: what was asked for; other torrents in the answer are left out.
        status: of HTTP.

    Returns:
        What the tracker knows; torrents that it does not know are missing.

    Raises:
        TrackerError: the tracker refused, or answered something else than a scrape's answer.
    """
    files = decode_answer(body, status).get(b"files")
    if not isinstance(files, dict):
        raise TrackerError("the tracker's answer to the scrape has no `files`")
    asked = set(info_hashes)
    found: dict[InfoHash, ScrapeEntry] = {}
    for key, entry in files.items():
        if len(key) == INFOHASH_LENGTH and key in asked and isinstance(entry, dict):
            found[InfoHash(key)] = ScrapeEntry(
                seeders=count(entry.get(b"complete")) or 0,
                completed=count(entry.get(b"downloaded")) or 0,
                leechers=count(entry.get(b"incomplete")) or 0,
            )
    return found
