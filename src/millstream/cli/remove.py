"""`millstream remove`: have the daemon forget a torrent."""

from __future__ import annotations

from millstream.cli.display import open_display
from millstream.cli.options import JsonOption
from millstream.cli.remote import DaemonOption, TokenFileOption, TorrentName, ask, command

EPILOG = "[bold]Example[/bold]\n  millstream remove 0123abcd"


def remove(
    torrent: TorrentName,
    *,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Have the daemon forget a torrent. Its files stay.

    The exit code is 6 if no daemon answers, and 2 if it has no such torrent.
    """
    with open_display(json=json) as display:
        found = ask(daemon, token_file, lambda client: command(client, torrent, "remove"))
        display.event("removed", f"Removed {found}", good=True, infohash=found)


COMMAND = remove
