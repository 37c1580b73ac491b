"""`millstream resume`: let one of the daemon's torrents go on."""

from __future__ import annotations

from millstream.cli.display import open_display
from millstream.cli.options import JsonOption
from millstream.cli.remote import DaemonOption, TokenFileOption, TorrentName, ask, command

EPILOG = "[bold]Example[/bold]\n  millstream resume 0123abcd"


def resume(
    torrent: TorrentName,
    *,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Let one of the daemon's torrents go on, after `millstream pause` or an error.

    The exit code is 6 if no daemon answers, and 2 if it has no such torrent.
    """
    with open_display(json=json) as display:
        found = ask(daemon, token_file, lambda client: command(client, torrent, "resume"))
        display.event("resumed", f"Resumed {found}", good=True, infohash=found)


COMMAND = resume
