"""`millstream queue`: a torrent's place in the daemon's queue, and whether it waits at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from millstream.cli.options import JsonOption
from millstream.cli.remote import DaemonOption, TokenFileOption, TorrentName
from millstream.cli.torrent_command import show_or_change

EPILOG = (
    "[bold]Examples[/bold]\n"
    "  millstream queue 0123abcd\n"
    "  millstream queue 0123abcd top\n"
    "  millstream queue 0123abcd force"
)

WAYS: dict[str, dict[str, object]] = {
    **{where: {"move": where} for where in ("up", "down", "top", "bottom")},
    "force": {"forced": True},
    "auto": {"forced": False, "autoManaged": True},
    "manual": {"forced": False, "autoManaged": False},
}
"""What the user may say, and the body for it."""


def queue(
    torrent: TorrentName,
    way: Annotated[
        str | None,
        typer.Argument(
            metavar="[up|down|top|bottom|N|force|auto|manual]",
            help="Where to, or to place N, from 1; or run it now (force), as the queue says (auto), "
            "or as you start and stop it (manual).",
            show_default=False,
        ),
    ] = None,
    *,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Show or change a torrent's place in the daemon's queue.

    The exit code is 6 if no daemon answers, and 2 if it has no such torrent.
    """
    body = None if way is None else read_way(way)
    show_or_change(
        torrent, "queue", place_line, daemon=daemon, token_file=token_file, json=json, body=body
    )


COMMAND = queue


def read_way(text: str) -> dict[str, object]:
    """What the daemon is told. Raises typer.BadParameter."""
    if text in WAYS:
        return WAYS[text]
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 1_000_000:
        return {"position": int(text) - 1}
    raise typer.BadParameter(
        f"{text!r} is none of {', '.join(WAYS)}, and no place from 1 on.", param_hint="'WAY'"
    )


def place_line(answer: Mapping[str, Any]) -> str:
    """Where it stands, in a line."""
    how = "as the queue says" if answer["autoManaged"] else "as you start and stop it"
    return f"Place {answer['position'] + 1:,} of {answer['count']:,}, runs " + (
        "whatever the queue says" if answer["forced"] else how
    )
