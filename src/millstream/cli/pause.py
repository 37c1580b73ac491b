"""`millstream pause`: stop one of the daemon's torrents."""

from __future__ import annotations

from millstream.cli.options import JsonOption
from millstream.cli.remote import DaemonOption, TokenFileOption, TorrentName
from millstream.cli.torrent_command import tell

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
    tell(torrent, "pause", "paused", daemon=daemon, token_file=token_file, json=json)


COMMAND = pause
