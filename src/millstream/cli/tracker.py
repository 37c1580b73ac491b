"""`millstream tracker`: a small tracker, for private swarms and for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from millstream.cli.display import Display, open_display
from millstream.cli.exit_codes import Interrupted
from millstream.cli.formatting import plural
from millstream.cli.options import JsonOption, QuietOption
from millstream.cli.running import run
from millstream.errors import MalformedDataError

if TYPE_CHECKING:
    from millstream import InfoHash
    from millstream.tracker_service.config import TrackerServiceConfig

EPILOG = (
    "[bold]Example[/bold]\n"
    "  millstream tracker --port 6969\n"
    "  millstream create ~/Pictures --tracker http://192.0.2.7:6969/announce"
)

# Seconds between two looks at the swarms.
INTERVAL = 1.0


def tracker(
    *,
    host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="Listen at this local address; may be repeated. By default at all of them.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, metavar="N", help="For HTTP and UDP; 0 takes any free port."
        ),
    ] = 6969,
    interval: Annotated[
        int,
        typer.Option(
            min=1, max=86400, metavar="SECONDS", help="How often clients are to announce."
        ),
    ] = 1800,
    no_http: Annotated[bool, typer.Option("--no-http", help="Answer by UDP only.")] = False,
    no_udp: Annotated[bool, typer.Option("--no-udp", help="Answer by HTTP only.")] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="INFOHASH",
            help="Track this torrent and no others; may be repeated. By default all are tracked.",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a tracker until Ctrl-C, by which the clients of a torrent find each other.

    It answers announces and scrapes by HTTP and UDP, over IPv4 and IPv6. What it knows is in memory
    only: clients announce again by themselves.
    """
    if no_http and no_udp:
        raise typer.BadParameter("there is nothing left to answer.", param_hint="'--no-udp'")
    allowed = parse_infohashes(allow)
    with open_display(json=json, quiet=quiet) as display:
        from millstream.tracker.registry import RegistryConfig
        from millstream.tracker_service.config import TrackerServiceConfig

        registry = RegistryConfig(
            interval=interval, min_interval=min(60, interval), allowed=allowed
        )
        config = TrackerServiceConfig(
            port=port, http=not no_http, udp=not no_udp, registry=registry
        )
        if host:
            from dataclasses import replace

            config = replace(config, hosts=tuple(host))
        try:
            run(lambda: track(display, config))
        except Interrupted:
            display.event("stopped", "Stopped tracking.", progress=None, exit_code=0)


COMMAND = tracker


async def track(display: Display, config: TrackerServiceConfig, interval: float = INTERVAL) -> None:
    """Run a tracker and show its swarms until the task is cancelled.

    Raises:
        NetworkError: it cannot listen.
    """
    from millstream.presets.tracker import create_tracker

    async with create_tracker(config) as service:
        urls = [url for url in (service.http_url, service.udp_url) if url]
        allowed = config.registry.allowed
        display.event(
            "tracking",
            f"Tracking {'everything' if allowed is None else plural(len(allowed), 'torrent')} at "
            f"{' and '.join(urls)}; Ctrl-C stops.",
            good=True,
            http_url=service.http_url,
            udp_url=service.udp_url,
            hosts=list(service.hosts),
            port=service.port,
            interval=config.registry.interval,
        )
        if not host_is_given(service.hosts):
            display.note("From elsewhere it is reached by this machine's name or address.")
        while True:
            display.swarms(service.swarms())
            await asyncio.sleep(interval)


def host_is_given(hosts: Iterable[str]) -> bool:
    """Whether the tracker listens at certain addresses only."""
    return not {"0.0.0.0", "::"}.intersection(hosts)  # noqa: S104 - compared, not bound


def parse_infohashes(texts: Iterable[str] | None) -> frozenset[InfoHash] | None:
    """Read the values of `--allow`; none of them allow all torrents.

    Raises:
        typer.BadParameter: one is no infohash.
    """
    from millstream import InfoHash

    try:
        return frozenset(InfoHash.from_hex(text) for text in texts or ()) or None
    except MalformedDataError as error:
        raise typer.BadParameter(f"{error}.", param_hint="'--allow'") from error
