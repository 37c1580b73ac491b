"""`millstream seed`: serve the files of a torrent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from millstream.cli.display import Display, open_display
from millstream.cli.exit_codes import CommandError, ExitCode, Interrupted
from millstream.cli.following import keep_showing
from millstream.cli.formatting import plural, safe_text
from millstream.cli.options import (
    JsonOption,
    LimitDownOption,
    LimitUpOption,
    PeerOption,
    QuietOption,
    TorrentArgument,
    parse_limits,
    parse_peers,
)
from millstream.cli.running import run
from millstream.cli.settings import engine_config
from millstream.cli.torrent_file import read_torrent

if TYPE_CHECKING:
    from millstream import EngineConfig, Metainfo, PeerAddress

EPILOG = "[bold]Example[/bold]\n  millstream seed Pictures.torrent -o ~ --port 6881"


def seed(
    torrent: TorrentArgument,
    *,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="The directory that holds the files."),
    ] = Path(),
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="N",
            help="Listen on this port; 0 takes any free one, and so does leaving it out.",
            show_default=False,
        ),
    ] = None,
    peer: PeerOption = None,
    limit_down: LimitDownOption = None,
    limit_up: LimitUpOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Serve the files of a torrent until Ctrl-C.

    The files are checked first; if anything is missing or does not match, nothing is served and
    nothing is changed.
    """
    peers = parse_peers(peer)
    config = engine_config(port=port, limits=parse_limits(limit_down, limit_up))
    with open_display(json=json, quiet=quiet) as display:
        metainfo = read_torrent(torrent)
        try:
            run(lambda: serve(display, metainfo, output, peers, config))
        except Interrupted:
            display.event("stopped", "Stopped seeding.", progress=1.0, exit_code=0)


async def serve(
    display: Display,
    metainfo: Metainfo,
    save_path: Path,
    peers: list[PeerAddress],
    config: EngineConfig,
) -> None:
    """Check the files, then seed until the task is cancelled.

    Raises:
        CommandError: the data is not complete.
        NetworkError: it cannot listen.
        StorageError: a file cannot be read.
    """
    from millstream import create_native_engine, verify_torrent

    name = safe_text(metainfo.name)
    report = await verify_torrent(
        metainfo,
        save_path,
        progress=lambda done, total: display.count("Checking", name, done, total),
    )
    if report.good_pieces < report.piece_count:
        bad = report.piece_count - report.good_pieces
        raise CommandError(
            f"{name} is not complete in {save_path}: {bad:,} of {plural(report.piece_count, 'piece')} "
            "missing or bad; `millstream verify` names the files, `millstream download` gets the rest",
            ExitCode.BAD_DATA,
        )
    async with create_native_engine(config, save_path=save_path) as engine:
        torrent = await engine.add(metainfo, peers=peers, seed_mode=True)
        display.event(
            "seeding",
            f"Seeding {name} on port {engine.listen_port}; Ctrl-C stops.",
            good=True,
            name=metainfo.name,
            infohash=str(torrent.info_hash),
            port=engine.listen_port,
        )
        await keep_showing(display, torrent)


COMMAND = seed
