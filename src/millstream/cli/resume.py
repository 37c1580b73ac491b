"""`millstream resume`: let one of the daemon's torrents go on."""

from __future__ import annotations

from millstream.cli.options import JsonOption
from millstream.cli.remote import DaemonOption, TokenFileOption, TorrentName
from millstream.cli.torrent_command import tell

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
    tell(torrent, "resume", "resumed", daemon=daemon, token_file=token_file, json=json)


COMMAND = resume
