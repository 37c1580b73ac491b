"""`millstream limits`: how fast the daemon's torrents may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from millstream.cli.display import open_display
from millstream.cli.formatting import format_rate
from millstream.cli.options import JsonOption, parse_limit
from millstream.cli.remote import (
    DaemonOption,
    TokenFileOption,
    TorrentOption,
    ask,
    find,
    torrent_path,
)

if TYPE_CHECKING:
    from millstream.rpc.client import ControlClient

EPILOG = (
    "[bold]Examples[/bold]\n"
    "  millstream limits\n"
    "  millstream limits --down 2M --up 500K\n"
    "  millstream limits --up none --torrent 0123abcd"
)

# How the daemon is told that there is none.
NO_LIMIT = 0


def limits(
    *,
    down: Annotated[
        str | None,
        typer.Option(
            metavar="RATE|none",
            help="Receive at most so much per second, such as 500K or 2M.",
            show_default=False,
        ),
    ] = None,
    up: Annotated[
        str | None,
        typer.Option(
            metavar="RATE|none",
            help="Send at most so much per second, such as 500K or 2M.",
            show_default=False,
        ),
    ] = None,
    torrent: TorrentOption = None,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Show or set the limits of the daemon's torrents together, or of one of them.

    They hold after a restart, too; those of all together unless the settings have others then. The exit code is 6 if no
    daemon answers.
    """
    wanted = {
        name: parse_limit(text, option) or NO_LIMIT
        for name, text, option in (("download", down, "--down"), ("upload", up, "--up"))
        if text is not None
    }
    with open_display(json=json) as display:
        now = ask(daemon, token_file, lambda client: set_limits(client, torrent, wanted))
        download, upload = now
        display.event(
            "limits",
            f"Receive {_words(download)}, send {_words(upload)}",
            download=download,
            upload=upload,
        )


COMMAND = limits


async def set_limits(
    client: ControlClient, torrent: str | None, wanted: dict[str, int]
) -> tuple[int | None, int | None]:
    """Set what is wanted; returns what holds, bytes a second, down and up; None: no limit."""
    answer: dict[str, Any]
    if torrent is None:
        path = "/engine/limits"
        answer = await (client.post(path, wanted) if wanted else client.get(path))
        return answer["download"], answer["upload"]
    path = torrent_path(await find(client, torrent), "settings")
    answer = await client.post(path, {f"{name}Limit": rate for name, rate in wanted.items()})
    return answer["downloadLimit"], answer["uploadLimit"]


def _words(rate: int | None) -> str:
    return "without limit" if rate is None else f"at most {format_rate(rate)}"
