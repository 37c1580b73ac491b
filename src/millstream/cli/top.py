"""`millstream top`: the daemon's torrents as they are, over and over."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from millstream.cli.display import open_display
from millstream.cli.exit_codes import Interrupted
from millstream.cli.failures import debug_wanted
from millstream.cli.list_torrents import CountOption, NameArgument
from millstream.cli.options import JsonOption
from millstream.cli.remote import DaemonOption, TokenFileOption, ask, facts_of, with_query
from millstream.cli.top_state import SORTS, TopState
from millstream.cli.torrent_table import table_lines

if TYPE_CHECKING:
    from rich.console import Console

    from millstream.rpc.client import ControlClient

EPILOG = (
    "[bold]Keys[/bold]\n"
    "  q or Escape ends    s or the arrows to the sides sort    r the other way round\n"
    "  f filter            up, down, PgUp, PgDn, Home, End move\n\n"
    "[bold]Examples[/bold]\n"
    "  millstream top\n"
    "  millstream top ubuntu --sort ratio --show seeding"
)

# Of the time between two looks, the daemon may spend so much on answering.
MAX_LOAD = 0.05


def top(
    name: NameArgument = None,
    *,
    sort: Annotated[
        str,
        typer.Option(metavar="COLUMN", help=f"Sort by this column: {', '.join(SORTS).lower()}."),
    ] = "down",
    reverse: Annotated[bool, typer.Option("--reverse", "-r", help="The other way round.")] = False,
    show: Annotated[
        Literal[
            "all", "active", "downloading", "seeding", "checking", "queued", "stopped", "error"
        ],
        typer.Option(help="Which torrents."),
    ] = "all",
    interval: Annotated[
        float, typer.Option(min=0.2, max=3600, metavar="SECONDS", help="Time between two looks.")
    ] = 2.0,
    limit: CountOption = None,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Show the daemon's torrents and their sums on the whole terminal, until Ctrl-C.

    Where the output is no terminal, they are written once. The exit code is 6 if no daemon answers.
    """
    if sort.upper() not in SORTS:
        raise typer.BadParameter(
            f"{sort!r} is no column; these are: {', '.join(SORTS).lower()}.", param_hint="'--sort'"
        )
    state = TopState(sort=sort.upper(), reverse=reverse, shown=show, name=name)
    console = None if json else live_console()
    if console is None:
        with open_display(json=json) as display:
            answer = ask(daemon, token_file, lambda client: look(client, state, limit))
            if json:
                torrents = [facts_of(torrent) for torrent in answer["torrents"]]
                totals = facts_of(answer["totals"])
                display.event("top", totals=totals, count=answer["count"], torrents=torrents)
            else:
                from millstream.cli.top_view import totals_text

                display.lines([totals_text(answer["totals"]), *table_lines(answer["torrents"])])
        return
    with suppress(Interrupted):
        ask(daemon, token_file, lambda client: watch(client, console, state, interval, limit))


COMMAND = top


def live_console() -> Console | None:
    """The terminal to draw on; None if stdout is none that can, or a log would spoil the view."""
    from rich.console import Console

    console = Console(highlight=False)
    usable = console.is_terminal and not console.is_dumb_terminal and not debug_wanted()
    return console if usable else None


async def look(client: ControlClient, state: TopState, rows: int | None) -> dict[str, Any]:
    """Ask the daemon once."""
    return await client.get(with_query("/torrents", state.query(rows)))


async def watch(
    client: ControlClient,
    console: Console,
    state: TopState,
    interval: float,
    limit: int | None = None,
) -> None:
    """Draw until a key ends it, or the task is cancelled.

    Raises:
        ControlError: the daemon has gone.
    """
    from rich.live import Live

    from millstream.cli.top_keys import listening
    from millstream.cli.top_view import rows_for, top_view

    news = asyncio.Event()
    wanted: TopState | None = state
    rows, count = 1, 0

    def pressed(key: str) -> None:
        nonlocal wanted
        if wanted is not None:
            wanted = wanted.pressed(key, rows, count)
            news.set()

    live = Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop")
    with live, listening(pressed), resizing(news):
        while wanted is not None:
            state = wanted
            news.clear()
            rows = min(rows_for(console.height), limit or sys.maxsize)
            asked_at = time.monotonic()
            answer = await look(client, state, rows)
            took = time.monotonic() - asked_at
            count = int(answer["count"])
            live.update(top_view(answer, state, console.width), refresh=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(interval, took / MAX_LOAD)):
                    await news.wait()


@contextmanager
def resizing(news: asyncio.Event) -> Iterator[None]:
    """Set the event when the terminal gets another size, where it can say so."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(signal.SIGWINCH, news.set)
    except (AttributeError, NotImplementedError, RuntimeError):
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)
