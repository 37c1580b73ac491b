"""`millstream add`: give a torrent to the daemon."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from millstream.cli.display import open_display
from millstream.cli.formatting import safe_text
from millstream.cli.options import (
    JsonOption,
    PeerOption,
    SourceArgument,
    TrackerOption,
    parse_peers,
)
from millstream.cli.remote import DaemonOption, TokenFileOption, ask
from millstream.cli.roots import absolute, find_root

if TYPE_CHECKING:
    from millstream.rpc.client import ControlClient

EPILOG = (
    "[bold]Examples[/bold]\n"
    "  millstream add ubuntu.torrent\n"
    "  millstream add 'magnet:?xt=urn:btih:...' -o /srv/media --paused"
)


def add(
    torrent: SourceArgument,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Have the daemon put the files here, rather than where it puts all.",
            show_default=False,
        ),
    ] = None,
    root: Annotated[
        str | None,
        typer.Option(
            metavar="ROOT",
            help="Have the daemon put the files into this storage root: its label, token or path.",
            show_default=False,
        ),
    ] = None,
    peer: PeerOption = None,
    tracker: TrackerOption = None,
    sequential: Annotated[
        bool, typer.Option("--sequential", help="Get the pieces in order, to play a file early.")
    ] = False,
    first_last: Annotated[
        bool,
        typer.Option(
            "--first-last", help="Get the first and last pieces of files first, as players want."
        ),
    ] = False,
    paused: Annotated[bool, typer.Option("--paused", help="Do not start it yet.")] = False,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Give a torrent to the daemon, which gets its files.

    The command ends when the daemon has taken it. The exit code is 6 if no daemon answers.
    """
    if output is not None and root is not None:
        raise typer.BadParameter("there is an --output, too.", param_hint="'--root'")
    with open_display(json=json) as display:
        body: dict[str, object] = {
            "peers": [str(each) for each in parse_peers(peer)],
            "trackers": list(tracker or ()),
            "sequential": sequential,
            "firstLast": first_last,
            "paused": paused,
        }
        if output is not None:
            # The daemon has a directory of its own: what is meant is below ours.
            body["storagePath"] = absolute(output)

        async def main(client: ControlClient) -> dict[str, Any]:
            if root is not None:
                body["root"] = (await find_root(client, root))["token"]
            source = await read_for_daemon(torrent)
            return await client.post("/torrent/add", {**source, **body})

        answer = ask(daemon, token_file, main)
        display.event(
            "added",
            f"Added {safe_text(answer['name'])}, {answer['id']}",
            good=True,
            infohash=answer["id"],
            name=answer["name"],
        )


COMMAND = add


async def read_for_daemon(source: str) -> dict[str, object]:
    """A torrent as `/torrent/add` takes it: files and URLs are read here, with the user's rights.

    Raises:
        CommandError: it is no usable torrent or link; code 2.
        HttpError: the URL cannot be fetched.
    """
    from millstream import Magnet
    from millstream.cli.torrent_source import read_source
    from millstream.storage.metainfo_record import encode_metainfo

    found = await read_source(source)
    if isinstance(found, Magnet):
        return {"type": "magnet", "data": str(found)}
    data = base64.b64encode(encode_metainfo(found)).decode("ascii")
    return {"type": "file", "data": data}
