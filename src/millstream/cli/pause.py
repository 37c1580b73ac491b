"""`millstream pause`: stop one of the daemon's torrents."""

from __future__ import annotations

from millstream.cli.display import open_display
from millstream.cli.options import JsonOption
from millstream.cli.remote import DaemonOption, TokenFileOption, TorrentName, ask, command

EPILOG = "[bold]Example[/bold]\n  millstream pause 0123abcd"


def pause(
    torrent: TorrentName,
    *,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Stop one of the daemon's torrents until `millstream resume`.

    The exit code is 6 if no daemon answers, and 2 if it has no such torrent.
    """
    with open_display(json=json) as display:
        found = ask(daemon, token_file, lambda client: command(client, torrent, "pause"))
        display.event("paused", f"Paused {found}", good=True, infohash=found)


COMMAND = pause
