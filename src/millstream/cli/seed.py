"""`millstream seed`: serve the files of a torrent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from millstream.cli.display import Display, open_display
from millstream.cli.exit_codes import CommandError, ExitCode, Interrupted
from millstream.cli.following import Following
from millstream.cli.formatting import plural, safe_text
from millstream.cli.options import (
    AllowLocalOption,
    ContentOption,
    EncryptionOption,
    JsonOption,
    LimitDownOption,
    LimitUpOption,
    NoPexOption,
    PeerOption,
    PortOption,
    QuietOption,
    ShowPeersOption,
    TrackerOption,
)
from millstream.cli.running import run
from millstream.cli.swarm_options import SwarmOptions, read_swarm_options
from millstream.cli.torrent_source import read_files_of

EPILOG = (
    "[bold]Example[/bold]\n"
    "  millstream seed Pictures.torrent -o ~ --tracker udp://tracker.example:6969"
)


def seed(
    torrent: Annotated[
        str,
        typer.Argument(
            metavar="URL|FILE", help="The URL or file of a .torrent.", show_default=False
        ),
    ],
    *,
    output: ContentOption = Path(),
    port: PortOption = None,
    tracker: TrackerOption = None,
    peer: PeerOption = None,
    limit_down: LimitDownOption = None,
    limit_up: LimitUpOption = None,
    encryption: EncryptionOption = None,
    allow_local: AllowLocalOption = None,
    no_pex: NoPexOption = None,
    super_seeding: Annotated[
        bool,
        typer.Option(
            "--super-seeding",
            help="Give each piece away once, for the first and only seed of a torrent (BEP 16).",
        ),
    ] = False,
    show_peers: ShowPeersOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Serve the files of a torrent until Ctrl-C, and announce it to its trackers.

    The files are checked first; if anything is missing or does not match, nothing is served and
    nothing is changed.
    """
    options = read_swarm_options(
        peer=peer,
        tracker=tracker,
        port=port,
        limit_down=limit_down,
        limit_up=limit_up,
        encryption=encryption,
        allow_local=allow_local,
        no_pex=no_pex,
    )
    with open_display(json=json, quiet=quiet) as display:
        try:
            run(
                lambda: serve(
                    display,
                    torrent,
                    output,
                    options,
                    super_seeding=super_seeding,
                    show_peers=show_peers,
                )
            )
        except Interrupted:
            display.event("stopped", "Stopped seeding.", progress=1.0, exit_code=0)


async def serve(
    display: Display,
    source: str,
    save_path: Path,
    options: SwarmOptions,
    *,
    super_seeding: bool = False,
    show_peers: bool = False,
) -> None:
    """Check the files, then seed until the task is cancelled.

    Raises:
        CommandError: it is no torrent, or the data is not complete.
        NetworkError: it cannot listen, or the URL cannot be fetched.
        StorageError: a file cannot be read.
    """
    from millstream import create_native_engine, verify_torrent

    metainfo = await read_files_of(source, "there is nothing to seed")
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
    async with create_native_engine(options.config, save_path=save_path) as engine:
        torrent = await engine.add(
            metainfo, peers=options.peers, trackers=options.trackers, seed_mode=True
        )
        torrent.super_seeding = super_seeding
        display.event(
            "seeding",
            f"Seeding {name} on port {engine.listen_port}; Ctrl-C stops.",
            good=True,
            name=metainfo.name,
            infohash=str(torrent.info_hash),
            port=engine.listen_port,
        )
        following = Following(
            display, torrent, show_peers=show_peers, named_peers=len(options.peers)
        )
        await following.until_cancelled()


COMMAND = seed
