"""`millstream rename`: give files or folders of one of the daemon's torrents other names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from millstream.cli.display import open_display
from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.file_table import paths_within
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
from millstream.cli.selection import Selection

if TYPE_CHECKING:
    from millstream.rpc.client import ControlClient

EPILOG = (
    "[bold]Examples[/bold]\n"
    "  millstream rename 0123abcd 3 'films/the film.mkv'\n"
    "  millstream rename 0123abcd --folder Film.2024.1080p Film"
)


def rename(
    torrent: TorrentName,
    old: Annotated[
        str,
        typer.Argument(
            metavar="FILE|FOLDER",
            help="A file's number or path as `millstream files` shows them; with --folder a folder's.",
            show_default=False,
        ),
    ],
    new: Annotated[
        str,
        typer.Argument(
            metavar="PATH", help="What it is to be below the torrent's root.", show_default=False
        ),
    ],
    *,
    folder: Annotated[
        bool, typer.Option("--folder", help="Rename a folder and all that is in it.")
    ] = False,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Rename a file or folder of one of the daemon's torrents, on the disk and for the daemon.

    Nothing is replaced that is there already. The exit code is 6 if no daemon answers, and 2 if it
    has no such torrent or the torrent no such file.
    """

    async def main(client: ControlClient) -> str:
        found = await find(client, torrent)
        what: dict[str, object] = {"folder": old}
        if not folder:
            what = {"file": await find_file(client, found, old)}
        await client.post(torrent_path(found, "rename"), {**what, "path": new})
        return found

    with open_display(json=json) as display:
        found = ask(daemon, token_file, main)
        sentence = f"Renamed {safe_text(old)} to {safe_text(new)}"
        display.event("renamed", sentence, good=True, infohash=found, old=old, new=new)


COMMAND = rename


async def find_file(client: ControlClient, info_hash: str, name: str) -> int:
    """The number, in the torrent file, of the file that a user means.

    Raises:
        CommandError: there are several.
        ConfigError: there is none.
    """
    listed = (await client.get(torrent_path(info_hash, "files")))["files"]
    for file in listed:
        if file["path"] == name:
            return int(file["index"])
    numbers = Selection([name], "FILE", "millstream files").indexes(paths_within(listed))
    if len(numbers) > 1:
        raise CommandError(f"{name!r} means {len(numbers)} files; say which", ExitCode.USAGE)
    return int(listed[numbers[0]]["index"])
