"""`millstream move`: put the files of one of the daemon's torrents elsewhere while it runs."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from millstream.cli.display import Display, open_display
from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.formatting import safe_text
from millstream.cli.options import JsonOption
from millstream.cli.remote import (
    DaemonOption,
    TokenFileOption,
    TorrentName,
    ask,
    find,
    torrent_path,
)
from millstream.cli.roots import absolute, find_root

if TYPE_CHECKING:
    from millstream.rpc.client import ControlClient

EPILOG = (
    "[bold]Examples[/bold]\n  millstream move 0123abcd media\n  millstream move ubuntu.iso /srv/iso"
)

# Seconds between two looks at how far it is.
INTERVAL = 0.5


def move(
    torrent: TorrentName,
    to: Annotated[
        str,
        typer.Argument(
            metavar="ROOT|DIR",
            help="A storage root by its label or token, or a directory: then with a slash in it.",
            show_default=False,
        ),
    ],
    *,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Let the daemon do it, and end at once.")
    ] = False,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Move the files of one of the daemon's torrents to another storage root or directory.

    It goes on meanwhile. Nothing is replaced that is there already, and if anything fails, all is
    as it was. Ctrl-C ends the command and not the move. The exit code is 6 if no daemon answers, and
    2 if there is no such torrent or root.
    """
    with open_display(json=json) as display:
        found, path = ask(
            daemon, token_file, lambda client: carry(client, display, torrent, to, wait=not no_wait)
        )
        sentence = f"{'Moving' if path is None else 'Moved'} {found}"
        display.event(
            "moving" if path is None else "moved",
            sentence + ("" if path is None else f" to {safe_text(path)}"),
            good=True,
            infohash=found,
            save_path=path,
        )


COMMAND = move


async def carry(
    client: ControlClient,
    display: Display,
    name: str,
    to: str,
    *,
    wait: bool,
    interval: float = INTERVAL,
) -> tuple[str, str | None]:
    """Have it moved.

    Returns:
        The infohash, and where it is now; None if it is under way still.

    Raises:
        CommandError: the move failed.
    """
    found = await find(client, name)
    path = torrent_path(found, "move")
    answer = await client.post(path, await destination(client, to))
    while wait and answer["moving"]:
        total = max(1, answer["size"])
        display.count("Moving", safe_text(name), min(answer["moved"] or 0, total), total, "byte")
        await asyncio.sleep(interval)
        answer = await client.get(path)
    if answer["moving"]:
        return found, None
    if answer["error"]:
        raise CommandError(str(answer["error"]), ExitCode.FAILURE)
    return found, str(answer["savePath"])


async def destination(client: ControlClient, to: str) -> dict[str, Any]:
    """What the daemon is told of where to: a root by its token, or a directory."""
    is_path = os.sep in to or "/" in to or to in {".", ".."} or to.startswith("~")
    if is_path:
        return {"path": absolute(Path(to))}
    return {"root": (await find_root(client, to))["token"]}
