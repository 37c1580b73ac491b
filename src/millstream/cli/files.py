"""`millstream files`: the files of one of the daemon's torrents, and how much each is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from millstream.cli.display import open_display
from millstream.cli.file_table import file_lines, paths_within
from millstream.cli.options import JsonOption
from millstream.cli.remote import (
    DaemonOption,
    TokenFileOption,
    TorrentName,
    ask,
    facts_of,
    find,
    torrent_path,
)
from millstream.cli.selection import Selection

if TYPE_CHECKING:
    from millstream.rpc.client import ControlClient

EPILOG = (
    "[bold]Examples[/bold]\n"
    "  millstream files 0123abcd\n"
    "  millstream files 0123abcd --high 1,3-5 --skip '*.nfo' --skip 'extras/*'"
)


def _option(word: str, meaning: str) -> Any:
    return typer.Option(
        f"--{word}", metavar="FILES", help=f"{meaning} May be repeated.", show_default=False
    )


FilesOption: TypeAlias = list[str] | None


def files(
    torrent: TorrentName,
    *,
    high: Annotated[
        FilesOption, _option("high", "Fetch these first: numbers such as 1,3-5, or a pattern.")
    ] = None,
    normal: Annotated[FilesOption, _option("normal", "Fetch these as usual.")] = None,
    low: Annotated[FilesOption, _option("low", "Fetch these last.")] = None,
    skip: Annotated[FilesOption, _option("skip", "Do not fetch these.")] = None,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Show the files of one of the daemon's torrents, and say which are wanted, and how much.

    The exit code is 6 if no daemon answers, and 2 if it has no such torrent or the torrent no such
    file.
    """
    options = {"high": high, "normal": normal, "low": low, "skip": skip}
    wanted = {
        word: Selection(values, f"--{word}", "millstream files")
        for word, values in options.items()
        if values
    }
    with open_display(json=json) as display:
        found, listed = ask(daemon, token_file, lambda client: change(client, torrent, wanted))
        display.event("files", good=None, infohash=found, files=[facts_of(file) for file in listed])
        display.lines(file_lines(listed))


COMMAND = files


async def change(
    client: ControlClient, name: str, wanted: Mapping[str, Selection]
) -> tuple[str, list[dict[str, Any]]]:
    """Set priorities, if any are wanted.

    Returns:
        The infohash, and the files as they are now.

    Raises:
        ConfigError: there is no such file, or two options mean the same one.
    """
    found = await find(client, name)
    listed = (await client.get(torrent_path(found, "files")))["files"]
    if wanted:
        paths = paths_within(listed)
        body = {
            word: [listed[number]["index"] for number in selection.indexes(paths)]
            for word, selection in wanted.items()
        }
        listed = (await client.post(torrent_path(found, "priorities"), body))["files"]
    return found, listed
