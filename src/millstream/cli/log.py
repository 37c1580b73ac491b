"""`millstream log`: what the daemon tells of its work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from millstream.cli.display import Display, open_display
from millstream.cli.exit_codes import CommandError, Interrupted
from millstream.cli.options import JsonOption
from millstream.cli.remote import (
    DaemonOption,
    TokenFileOption,
    TorrentOption,
    ask,
    facts_of,
    find,
    is_prefix,
    with_query,
)
from millstream.errors import ConfigError
from millstream.logging.components import COMPONENTS, LEVELS, parse_level
from millstream.logging.entry import LogEntry
from millstream.logging.human_formatter import human_lines

if TYPE_CHECKING:
    from millstream.rpc.client import ControlClient

EPILOG = (
    "[bold]Examples[/bold]\n"
    "  millstream log --follow\n"
    "  millstream log --torrent ubuntu --level debug -n 500"
)

# Seconds between two looks at what is new.
INTERVAL = 0.5
# Of one look; the daemon keeps fewer.
MAX_NEWS = 10_000


def log(
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    count: Annotated[
        int,
        typer.Option("--lines", "-n", min=0, max=MAX_NEWS, metavar="N", help="The latest N lines."),
    ] = 100,
    level: Annotated[
        str,
        typer.Option(metavar="LEVEL", help="From this level on: debug, info, warning or error."),
    ] = "debug",
    component: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Of this component alone: {', '.join(COMPONENTS)}.",
            show_default=False,
        ),
    ] = None,
    torrent: TorrentOption = None,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Show the daemon's log: why peers were dropped, why torrents do not move.

    It keeps the latest 500 lines, from level info on unless it was started with another --log-level.
    The exit code is 6 if no daemon answers.
    """
    check(level, component)
    wanted = {"level": level, "component": component, "limit": count}
    with open_display(json=json) as display:
        try:
            ask(
                daemon,
                token_file,
                lambda client: show(client, display, torrent, wanted, follow=follow),
            )
        except Interrupted:
            if not follow:
                raise
            display.event("stopped", progress=None, exit_code=0)


COMMAND = log


def check(level: str, component: str | None) -> None:
    """Raise typer.BadParameter if there is no such level or component."""
    try:
        parse_level(level)
    except ConfigError as error:
        raise typer.BadParameter(f"{error}.", param_hint="'--level'") from error
    if component is not None and component not in COMPONENTS:
        names = ", ".join(COMPONENTS)
        raise typer.BadParameter(
            f"{component!r} is no component; these are: {names}.", param_hint="'--component'"
        )


async def show(
    client: ControlClient,
    display: Display,
    torrent: str | None,
    wanted: Mapping[str, str | int | None],
    *,
    follow: bool,
    interval: float = INTERVAL,
) -> None:
    """Show the log, and what comes after that until the task is cancelled."""
    about = None if torrent is None else await find_logged(client, torrent)
    seen = 0
    while True:
        query = {**wanted, "torrent": about, "after": seen}
        answer = await client.get(with_query("/logs", query))
        if answer["latest"] < seen:  # another daemon has taken its place, and counts anew
            seen = 0
            continue
        lost = answer["oldest"] - seen - 1
        if seen and lost > 0:
            display.event(
                "lost", f"{lost:,} lines came too fast to be kept.", good=None, count=lost
            )
        show_entries(display, answer["entries"])
        if not follow:
            return
        seen = answer["latest"]
        wanted = {**wanted, "limit": MAX_NEWS}
        await asyncio.sleep(interval)


async def find_logged(client: ControlClient, name: str) -> str:
    """The infohash of a torrent, or what it begins with: one that was removed has its lines, too.

    Raises:
        CommandError: there is none of this name, or there are several.
    """
    try:
        return await find(client, name)
    except CommandError:
        if is_prefix(name):
            return name.lower()
        raise


def show_entries(display: Display, entries: list[dict[str, Any]]) -> None:
    """Show some entries."""
    display.lines(human_lines(entry_of(entry)) for entry in entries)
    for entry in entries:
        display.event("log", good=None, **facts_of(entry))


def entry_of(view: Mapping[str, Any]) -> LogEntry:
    """An entry of `/logs` as it was in the daemon."""
    return LogEntry(
        time=float(view["time"]),
        level=LEVELS.get(str(view["level"]).upper(), logging.INFO),
        component=str(view["component"]),
        message=str(view["message"]),
        torrent=view["torrent"],
        peer=view["peer"],
        exception=view["exception"],
    )
