"""`millstream list`: the daemon's torrents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from millstream.cli.display import open_display
from millstream.cli.options import JsonOption
from millstream.cli.remote import DaemonOption, TokenFileOption, ask, facts_of, with_query
from millstream.cli.torrent_table import FIELDS, table_lines

if TYPE_CHECKING:
    from millstream.rpc.client import ControlClient

EPILOG = (
    "[bold]Examples[/bold]\n"
    "  millstream list\n"
    "  millstream list ubuntu --state downloading,error --sort -download_rate"
)

NameArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="WORDS", help="Only those that have this in their name.", show_default=False
    ),
]
StateOption = Annotated[
    str | None,
    typer.Option(
        metavar="STATE,...",
        help="Only those in these states: stopped, queued, downloading_metadata, checking, "
        "downloading, seeding or error.",
        show_default=False,
    ),
]
CountOption = Annotated[
    int | None,
    typer.Option("--limit", "-n", min=1, metavar="N", help="Show so many.", show_default=False),
]


def list(  # noqa: A001 - the command's name
    name: NameArgument = None,
    *,
    state: StateOption = None,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="KEY,...",
            help="Sort by these keys of `--json`, such as name or ratio; -ratio for the largest "
            "first. Else in the order they were added.",
            show_default=False,
        ),
    ] = None,
    limit: CountOption = None,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Show the daemon's torrents, one a line.

    The exit code is 6 if no daemon answers.
    """
    wanted = {
        "name": name,
        "state": state,
        "sort": sort and sort_keys(sort),
        "limit": limit,
        "fields": None if json else ",".join(FIELDS),
    }
    with open_display(json=json) as display:

        async def main(client: ControlClient) -> dict[str, Any]:
            return await client.get(with_query("/torrents", wanted))

        torrents = ask(daemon, token_file, main)["torrents"]
        if json:
            for torrent in torrents:
                display.event("torrent", good=None, **facts_of(torrent))
        elif torrents:
            display.lines(table_lines(torrents))
        elif name or state:
            display.note("The daemon has no such torrents.")
        else:
            display.note("The daemon has no torrents; `millstream add` gives it some.")


COMMAND = list


def sort_keys(text: str) -> str:
    """The fields of the daemon for keys of `--json`: `-download_rate` is `-downloadRate`."""
    keys = []
    for key in text.split(","):
        first, *words = key.strip().removeprefix("-").split("_")
        field = "id" if first == "infohash" else first + "".join(map(str.capitalize, words))
        keys.append("-" * key.strip().startswith("-") + field)
    return ",".join(keys)
