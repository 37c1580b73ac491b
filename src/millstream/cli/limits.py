"""`millstream limits`: how fast the daemon's torrents may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from millstream.cli.display import open_display
from millstream.cli.formatting import format_rate, parse_rate
from millstream.cli.options import JsonOption
from millstream.cli.remote import DaemonOption, TokenFileOption, ask, find, torrent_path

if TYPE_CHECKING:
    from millstream.rpc.client import ControlClient

EPILOG = (
    "[bold]Examples[/bold]\n"
    "  millstream limits\n"
    "  millstream limits --down 2M --up 500K\n"
    "  millstream limits --up none --torrent 0123abcd"
)

NO_LIMIT = "none"


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
    torrent: Annotated[
        str | None,
        typer.Option(
            metavar="TORRENT",
            help="Of this torrent alone: its infohash, the first digits of that, or its name.",
            show_default=False,
        ),
    ] = None,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Show or set the limits of the daemon's torrents together, or of one of them.

    They hold after a restart, too; those of all together unless the settings have others then. The exit code is 6 if no
    daemon answers.
    """
    wanted = {
        name: read_limit(text, option)
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


def read_limit(text: str, option: str) -> int:
    """Bytes a second; 0 for `none`. Raises typer.BadParameter."""
    if text.lower() == NO_LIMIT:
        return 0
    try:
        rate = parse_rate(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}, or {NO_LIMIT}.", param_hint=f"'{option}'") from error
    if rate < 1024:
        raise typer.BadParameter(
            f"the lowest limit is 1K per second; {NO_LIMIT} is no limit.",
            param_hint=f"'{option}'",
        )
    return rate


def _words(rate: int | None) -> str:
    return "without limit" if rate is None else f"at most {format_rate(rate)}"
