"""`millstream peers`: look at a torrent's swarm."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from millstream.cli.display import Display, open_display
from millstream.cli.exit_codes import Interrupted
from millstream.cli.following import INTERVAL, Following
from millstream.cli.formatting import safe_text
from millstream.cli.options import (
    AllowLocalOption,
    EncryptionOption,
    JsonOption,
    LimitUpOption,
    NoPexOption,
    PeerOption,
    PortOption,
    SourceArgument,
    TrackerOption,
)
from millstream.cli.running import run
from millstream.cli.swarm_options import SwarmOptions, read_swarm_options
from millstream.cli.torrent_source import read_source

EPILOG = (
    "[bold]Flags[/bold]\n"
    "  D we download from it    d we would, but it chokes us    S it owes us blocks\n"
    "  U we upload to it        u it would, but we choke it     I it came to us\n"
    "  E encrypted              X found by peer exchange\n\n"
    "[bold]Example[/bold]\n"
    "  millstream peers 'magnet:?xt=urn:btih:...'"
)


def peers(
    torrent: SourceArgument,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Serve what this directory has of the files; other seeds then stay away.",
            show_default=False,
        ),
    ] = None,
    peer: PeerOption = None,
    tracker: TrackerOption = None,
    port: PortOption = None,
    limit_up: LimitUpOption = None,
    encryption: EncryptionOption = None,
    allow_local: AllowLocalOption = None,
    no_pex: NoPexOption = None,
    json: JsonOption = False,
) -> None:
    """Join a torrent's swarm and show its peers until Ctrl-C, without downloading.

    Nothing is written, and nothing is served but with `--output`.
    """
    options = read_swarm_options(
        peer=peer,
        tracker=tracker,
        port=port,
        limit_up=limit_up,
        encryption=encryption,
        allow_local=allow_local,
        no_pex=no_pex,
    )
    with open_display(json=json) as display:
        try:
            with tempfile.TemporaryDirectory(prefix="millstream-peers-") as nothing:
                run(lambda: watch(display, torrent, output or Path(nothing), options))
        except Interrupted:
            display.event("stopped", "Stopped watching.", progress=None, exit_code=0)


COMMAND = peers


async def watch(
    display: Display,
    source: str,
    save_path: Path,
    options: SwarmOptions,
    interval: float = INTERVAL,
) -> None:
    """Join the swarm and show the peers until the task is cancelled.

    Raises:
        CommandError: it is no torrent.
        NetworkError: it cannot listen, or the URL cannot be fetched.
        MillstreamError: the torrent failed.
    """
    from millstream import create_native_engine

    known = await read_source(source)
    async with create_native_engine(options.config, save_path=save_path) as engine:
        torrent = await engine.add(
            known, peers=options.peers, trackers=options.trackers, observe=True
        )
        display.event(
            "watching",
            f"Watching {safe_text(torrent.name)}; Ctrl-C stops.",
            good=True,
            name=known.name,
            infohash=str(torrent.info_hash),
            port=engine.listen_port,
        )
        named = len(options.peers) + len(torrent.magnet.peers)
        following = Following(display, torrent, show_peers=True, named_peers=named)
        while torrent.error is None:
            following.tell_news()
            display.peers(following.snapshot())
            await asyncio.sleep(interval)
        raise torrent.error
