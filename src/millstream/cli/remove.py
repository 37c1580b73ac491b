"""`millstream remove`: have the daemon forget a torrent."""

from __future__ import annotations

from millstream.cli.options import JsonOption
from millstream.cli.remote import DaemonOption, TokenFileOption, TorrentName
from millstream.cli.torrent_command import tell

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
    tell(torrent, "remove", "removed", daemon=daemon, token_file=token_file, json=json)


COMMAND = remove
