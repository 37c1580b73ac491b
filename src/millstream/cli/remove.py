"""`millstream remove`: have the daemon forget a torrent."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.options import JsonOption
from millstream.cli.remote import DaemonOption, TokenFileOption, TorrentName
from millstream.cli.torrent_command import tell

EPILOG = (
    "[bold]Examples[/bold]\n"
    "  millstream remove 0123abcd\n"
    "  millstream remove 0123abcd --delete-data"
)


def remove(
    torrent: TorrentName,
    *,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Delete its files, too.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask whether that is meant.")
    ] = False,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Have the daemon forget a torrent. Its files stay, unless --delete-data says otherwise.

    Then its own files are deleted, and the folders that are empty then; nothing else is touched. On
    a terminal it asks before. The exit code is 6 if no daemon answers, and 2 if it has no such torrent.
    """
    sure = sys.stdin.isatty() and not yes
    if delete_data and sure and not typer.confirm(f"Delete the files of {torrent!r}?", err=True):
        raise CommandError("nothing was removed", ExitCode.UNFINISHED)
    tell(
        torrent,
        "remove",
        "removed",
        daemon=daemon,
        token_file=token_file,
        json=json,
        body={"deleteData": True} if delete_data else None,
    )


COMMAND = remove
