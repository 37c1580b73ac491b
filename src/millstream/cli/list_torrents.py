"""`millstream list`: the daemon's torrents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream.cli.display import open_display
from millstream.cli.formatting import (
    format_eta,
    format_percent,
    format_rate,
    format_size,
    plural,
    safe_text,
)
from millstream.cli.options import JsonOption
from millstream.cli.remote import DaemonOption, TokenFileOption, ask, facts_of

if TYPE_CHECKING:
    from millstream.rpc.client import ControlClient

EPILOG = "[bold]Example[/bold]\n  millstream list"


def list(  # noqa: A001 - the command's name
    *,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Show the daemon's torrents, one a line.

    The exit code is 6 if no daemon answers.
    """
    with open_display(json=json) as display:

        async def main(client: ControlClient) -> dict[str, Any]:
            return await client.get("/torrents")

        torrents = ask(daemon, token_file, main)["torrents"]
        for torrent in torrents:
            display.event("torrent", torrent_line(torrent), good=None, **facts_of(torrent))
        if not torrents:
            display.note("The daemon has no torrents; `millstream add` gives it some.")


COMMAND = list


def torrent_line(torrent: Mapping[str, Any]) -> str:
    """A torrent in a line: its infohash's first digits, how it stands, and its name."""
    words = [torrent["id"][:8], f"{format_percent(torrent['progress']):>7}", state_words(torrent)]
    if torrent["size"]:
        words.append(format_size(torrent["size"]))
    if torrent["downloadRate"]:
        words.append(f"down {format_rate(torrent['downloadRate'])}")
    if torrent["uploadRate"]:
        words.append(f"up {format_rate(torrent['uploadRate'])}")
    if torrent["peers"]:
        words.append(plural(torrent["peers"], "peer"))
    if torrent["eta"] is not None:
        words.append(f"{format_eta(torrent['eta'])} left")
    return "  ".join([*words, safe_text(torrent["name"])])


def state_words(torrent: Mapping[str, Any]) -> str:
    """What a torrent is doing, in words."""
    return str(torrent["state"]).replace("_", " ")
