"""`millstream scrape`: ask trackers how many peers a torrent has."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from millstream.cli.display import Display, open_display
from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.formatting import plural, safe_text
from millstream.cli.options import JsonOption
from millstream.cli.running import run
from millstream.cli.torrent_file import read_torrent
from millstream.cli.torrent_source import read_magnet, shown
from millstream.errors import MalformedDataError, NetworkError

if TYPE_CHECKING:
    from millstream import InfoHash, ScrapeEntry

EPILOG = (
    "[bold]Examples[/bold]\n"
    "  millstream scrape ubuntu.torrent\n"
    "  millstream scrape udp://tracker.example:6969 0123456789abcdef0123456789abcdef01234567"
)

# Seconds for a tracker; a person waits, where a torrent would have all the time in the world.
TIMEOUT = 15.0
RETRANSMIT = 4.0

# Trackers asked at a time.
MAX_CONCURRENT_SCRAPES = 20

_SCHEMES = ("http://", "https://", "udp://")


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Whom to ask for what.

    Attributes:
        trackers: announce URLs.
        info_hashes: the torrents.
        named_by_user: whether the user typed the URL; one in a torrent may be anybody's.
    """

    trackers: tuple[str, ...]
    info_hashes: tuple[InfoHash, ...]
    named_by_user: bool


def scrape(
    source: Annotated[
        str,
        typer.Argument(
            metavar="URL|TORRENT|MAGNET",
            help="A tracker's announce URL, or a .torrent file or magnet link that names trackers.",
            show_default=False,
        ),
    ],
    infohash: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INFOHASH",
            help="Torrents to ask for, besides the file's or link's own.",
            show_default=False,
        ),
    ] = None,
    *,
    allow_local: Annotated[
        bool,
        typer.Option(
            "--allow-local",
            help="Also ask trackers at local addresses that a torrent or magnet link names.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Ask trackers how many seeders and leechers torrents have.

    The exit code is 6 if no tracker answers.
    """
    with open_display(json=json) as display:
        inquiry = read_inquiry(source, infohash or ())
        run(lambda: ask_all(display, inquiry, allow_local=allow_local or inquiry.named_by_user))


COMMAND = scrape


def read_inquiry(source: str, texts: Sequence[str]) -> Inquiry:
    """Read the arguments.

    Raises:
        CommandError: the source cannot be read, or names no tracker.
        typer.BadParameter: an infohash is none, or is missing.
    """
    from millstream import InfoHash

    try:
        named = [InfoHash.from_hex(text) for text in texts]
    except MalformedDataError as error:
        raise typer.BadParameter(f"{error}.", param_hint="'INFOHASH'") from error
    is_url = source.lower().startswith(_SCHEMES)
    trackers: tuple[str, ...]
    if is_url:
        if not named:
            raise typer.BadParameter("which torrent's numbers?", param_hint="'INFOHASH'")
        trackers = (source,)
    elif source[:7].lower() == "magnet:":
        magnet = read_magnet(source)
        trackers = magnet.trackers
        named.insert(0, magnet.info_hash)
    else:
        metainfo = read_torrent(Path(source))
        trackers = tuple(url for tier in metainfo.trackers for url in tier)
        named.insert(0, metainfo.info_hash)
    if not trackers:
        raise CommandError(f"{shown(source)} names no tracker", ExitCode.USAGE)
    return Inquiry(tuple(dict.fromkeys(trackers)), tuple(dict.fromkeys(named)), is_url)


async def ask_all(display: Display, inquiry: Inquiry, *, allow_local: bool) -> None:
    """Ask the trackers at once and show their answers in order.

    Raises:
        CommandError: none of them answered.
    """
    room = asyncio.Semaphore(MAX_CONCURRENT_SCRAPES)

    async def ask(url: str) -> dict[InfoHash, ScrapeEntry] | NetworkError:
        async with room:
            return await _ask(url, inquiry.info_hashes, allow_local=allow_local)

    answered = 0
    asking = [asyncio.ensure_future(ask(url)) for url in inquiry.trackers]
    try:
        for url, answer in zip(inquiry.trackers, asking, strict=True):
            found = await answer
            answered += not isinstance(found, NetworkError)
            for info_hash in inquiry.info_hashes:
                show(display, url, info_hash, found, several=len(inquiry.info_hashes) > 1)
    finally:
        for each in asking:
            each.cancel()
    if not answered:
        count = len(inquiry.trackers)
        none = "the tracker did not answer" if count == 1 else f"none of {count} trackers answered"
        raise CommandError(none, ExitCode.NETWORK)


def show(
    display: Display,
    url: str,
    info_hash: InfoHash,
    found: dict[InfoHash, ScrapeEntry] | NetworkError,
    *,
    several: bool,
) -> None:
    """Show what a tracker said of a torrent; with several torrents each line names its own."""
    failed = isinstance(found, NetworkError)
    entry = None if isinstance(found, NetworkError) else found.get(info_hash)
    if isinstance(found, NetworkError):
        text = str(found)
    elif entry is None:
        text = "does not know the torrent"
    else:
        text = (
            f"{plural(entry.seeders, 'seeder')}, {plural(entry.leechers, 'leecher')}, "
            f"{entry.completed:,} completed"
        )
    subject = f"{url} {info_hash}" if several else url
    display.event(
        "scrape",
        safe_text(f"{subject}: {text}"),
        good=None if not failed else False,
        url=url,
        infohash=str(info_hash),
        seeders=None if entry is None else entry.seeders,
        leechers=None if entry is None else entry.leechers,
        completed=None if entry is None else entry.completed,
        error=str(found) if failed else None,
    )


async def _ask(
    url: str, info_hashes: Sequence[InfoHash], *, allow_local: bool
) -> dict[InfoHash, ScrapeEntry] | NetworkError:
    from millstream import TrackerConfig
    from millstream.presets.scraping import scrape_tracker

    config = TrackerConfig(announce_timeout=TIMEOUT, udp_timeout=TIMEOUT, udp_retransmit=RETRANSMIT)
    try:
        return await scrape_tracker(url, info_hashes, config=config, allow_local=allow_local)
    except NetworkError as error:
        return error
