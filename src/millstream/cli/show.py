"""`millstream show`: one torrent of the daemon, in full."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from millstream.cli.display import open_display
from millstream.cli.file_table import file_lines
from millstream.cli.formatting import (
    format_eta,
    format_percent,
    format_rate,
    format_size,
    plural,
    safe_text,
)
from millstream.cli.options import JsonOption
from millstream.cli.remote import (
    DaemonOption,
    TokenFileOption,
    TorrentName,
    ask,
    facts_of,
    find,
    torrent_path,
)
from millstream.cli.torrent_table import format_ratio

if TYPE_CHECKING:
    from millstream.rpc.client import ControlClient

EPILOG = "[bold]Example[/bold]\n  millstream show 0123abcd"


def show(
    torrent: TorrentName,
    *,
    daemon: DaemonOption = None,
    token_file: TokenFileOption = None,
    json: JsonOption = False,
) -> None:
    """Show how one of the daemon's torrents stands: its files, trackers and peers.

    The exit code is 6 if no daemon answers, and 2 if it has no such torrent.
    """
    with open_display(json=json) as display:
        view, files, trackers, peers = ask(daemon, token_file, lambda client: look(client, torrent))
        display.event(
            "torrent",
            "\n".join(lines(view, files, trackers, peers)),
            good=None,
            **facts_of(view),
            files=[facts_of(file) for file in files],
            trackers=[facts_of(tracker) for tracker in trackers],
            connected=[facts_of(peer) for peer in peers],
        )


COMMAND = show

_Views = list[dict[str, Any]]


async def look(client: ControlClient, name: str) -> tuple[dict[str, Any], _Views, _Views, _Views]:
    """Ask for a torrent, its files, its trackers and its peers."""
    info_hash = await find(client, name)
    view = await client.get(torrent_path(info_hash, "status"))
    del view["ok"]
    files: _Views = []
    if view["pieceCount"]:  # else its metadata is not here yet
        files = (await client.get(torrent_path(info_hash, "files")))["files"]
    trackers = (await client.get(torrent_path(info_hash, "trackers")))["trackers"]
    peers = (await client.get(torrent_path(info_hash, "peers")))["peers"]
    return view, files, trackers, peers


def lines(view: Mapping[str, Any], files: _Views, trackers: _Views, peers: _Views) -> Iterator[str]:
    """The torrent for people."""
    yield safe_text(view["name"])
    yield f"  infohash   {view['id']}"
    state = (
        f"  state      {str(view['state']).replace('_', ' ')}, {format_percent(view['progress'])}"
    )
    if view["eta"] is not None:
        state += f", {format_eta(view['eta'])} left"
    yield state
    if view["error"]:
        yield f"  error      {safe_text(view['error'])} ({view['errorKind']})"
    elif view["whyIdle"]:
        yield f"  idle       {safe_text(view['whyIdle'])}"
    if view["size"]:
        yield f"  size       {format_size(view['sizeDone'])} of {format_size(view['size'])}"
    yield f"  pieces     {view['piecesHave']:,} of {view['pieceCount']:,}"
    yield (
        f"  received   {format_size(view['totalDownloaded'])}, now "
        f"{format_rate(view['downloadRate'])}"
    )
    yield f"  sent       {format_size(view['totalUploaded'])}, now {format_rate(view['uploadRate'])}"
    if view["ratio"] is not None:
        yield f"  ratio      {format_ratio(view['ratio'])}"
    yield f"  added      {moment(view['addedAt'])}"
    if view["completedAt"] is not None:
        yield f"  completed  {moment(view['completedAt'])}"
    yield f"  directory  {safe_text(view['savePath'])}"
    if files:
        yield f"  {plural(len(files), 'file')}"
        yield from (f"    {line}" for line in file_lines(files))
    for tracker in trackers:
        told = tracker["error"] or tracker["warning"]
        words = f": {safe_text(told)}" if told else ""
        yield f"  tracker    {safe_text(tracker['url'])} {tracker['state']}{words}"
    for peer in peers:
        yield (
            f"  peer       {peer['ip']} port {peer['port']}  {safe_text(peer['client'])}  "
            f"{peer['percent']:g} %  {peer['flags']}"
        )


def moment(seconds: float) -> str:
    """A time since 1970 as the user's clock shows it."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
