"""`millstream recheck`: have the daemon look at all bytes of a torrent again."""

from __future__ import annotations

from millstream.cli.options import JsonOption
from millstream.cli.remote import DaemonOption, TokenFileOption, TorrentName
from millstream.cli.torrent_command import tell

EPILOG = "[bold]Example[/bold]\n  millstream recheck 0123abcd"


def recheck(
    torrent: TorrentName,
    *,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Have the daemon check all files of a torrent again, in the background.

    What does not match is fetched again. The exit code is 6 if no daemon answers, and 2 if it has
    no such torrent.
    """
    tell(torrent, "recheck", "rechecking", daemon=daemon, token_file=token_file, json=json)


COMMAND = recheck
