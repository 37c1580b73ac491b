"""`millstream magnet`: the magnet link of a torrent."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from millstream.cli.options import JsonOption, TorrentArgument
from millstream.cli.torrent_file import read_torrent

if TYPE_CHECKING:
    from millstream import Magnet, Metainfo

EPILOG = "[bold]Example[/bold]\n  millstream magnet ubuntu.torrent"


def magnet(
    torrent: TorrentArgument,
    *,
    no_trackers: Annotated[
        bool, typer.Option("--no-trackers", help="Leave the trackers and web seeds out.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Print the magnet link of a torrent: all that others need to fetch it, in one line.

    With `--json` it is one object on one line.
    """
    if json:
        from millstream.cli.json_lines import JsonLines

        with JsonLines(sys.stdout) as lines:
            link = magnet_of(read_torrent(torrent), no_trackers=no_trackers)
            lines.write(
                "magnet",
                {
                    "magnet": str(link),
                    "infohash": str(link.info_hash),
                    "name": link.name,
                    "trackers": list(link.trackers),
                    "web_seeds": list(link.web_seeds),
                },
            )
        return
    typer.echo(str(magnet_of(read_torrent(torrent), no_trackers=no_trackers)))


COMMAND = magnet


def magnet_of(metainfo: Metainfo, *, no_trackers: bool = False) -> Magnet:
    """The link to a torrent, with or without its trackers and web seeds."""
    from millstream import Magnet

    if no_trackers:
        return Magnet(metainfo.info_hash, metainfo.name)
    return Magnet.of(metainfo)
