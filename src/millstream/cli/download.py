"""`millstream download`: get the files of a torrent."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from millstream.cli.display import Display, open_display
from millstream.cli.exit_codes import Interrupted
from millstream.cli.following import INTERVAL, follow, keep_showing
from millstream.cli.formatting import (
    format_duration,
    format_percent,
    format_rate,
    format_size,
    plural,
    safe_text,
)
from millstream.cli.options import (
    JsonOption,
    PeerOption,
    QuietOption,
    TorrentArgument,
    parse_peers,
)
from millstream.cli.running import run
from millstream.cli.settings import engine_config
from millstream.cli.torrent_file import read_torrent

if TYPE_CHECKING:
    from millstream import EngineConfig, Metainfo, PeerAddress, Torrent, TorrentStatus

EPILOG = "[bold]Example[/bold]\n  millstream download ubuntu.torrent -o ~/Downloads --peer 192.0.2.7:6881"


def download(
    torrent: TorrentArgument,
    *,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="Put the files into this directory."),
    ] = Path(),
    peer: PeerOption = None,
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
    sequential: Annotated[
        bool, typer.Option("--sequential", help="Get the pieces in order, to play a file early.")
    ] = False,
    seed: Annotated[
        bool,
        typer.Option("--seed/--no-seed", help="Go on seeding when complete, until Ctrl-C."),
    ] = False,
    preallocate: Annotated[
        bool,
        typer.Option(
            "--preallocate", help="Take the room on the disk first; else files are sparse."
        ),
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Download the files of a torrent.

    Every piece is checked before it is written. Files that are there already are checked first, so
    a download that was stopped goes on where it was.
    """
    peers = parse_peers(peer)
    with open_display(json=json, quiet=quiet) as display:
        job = Download(
            display, read_torrent(torrent), output, peers, sequential=sequential, seed=seed
        )
        try:
            run(lambda: job.run(engine_config(port=port, preallocate=preallocate)))
        except Interrupted as stop:
            job.tell_stop(stop)


class Download:
    """One run of the command: what it was asked for, and how far it has come."""

    def __init__(
        self,
        display: Display,
        metainfo: Metainfo,
        save_path: Path,
        peers: list[PeerAddress],
        *,
        sequential: bool = False,
        seed: bool = False,
    ) -> None:
        self._display = display
        self._metainfo = metainfo
        self._save_path = save_path
        self._peers = peers
        self._sequential = sequential
        self._seed = seed
        self._name = safe_text(metainfo.name)
        self._progress = 0.0
        self._is_complete = False

    async def run(self, config: EngineConfig, *, interval: float = INTERVAL) -> None:
        """Download, and seed if asked to."""
        from millstream import create_native_engine

        async with create_native_engine(config, save_path=self._save_path) as engine:
            torrent = await engine.add(
                self._metainfo, sequential=self._sequential, peers=self._peers
            )
            self._display.event(
                "started",
                name=self._metainfo.name,
                infohash=str(torrent.info_hash),
                total_length=self._metainfo.total_length,
                piece_count=self._metainfo.piece_count,
                save_path=str(self._save_path),
                port=engine.listen_port,
            )
            try:
                await self._until_complete(torrent, interval)
            finally:
                self._progress = torrent.status().progress
            if self._seed:
                self._display.event(
                    "seeding",
                    f"Seeding {self._name} on port {engine.listen_port}; Ctrl-C stops.",
                    name=self._metainfo.name,
                    infohash=str(torrent.info_hash),
                    port=engine.listen_port,
                )
                await keep_showing(self._display, torrent)

    async def _until_complete(self, torrent: Torrent, interval: float) -> None:
        await follow(self._display, torrent, torrent.wait_checked(), interval)
        begun = monotonic()
        await follow(self._display, torrent, torrent.wait_complete(), interval)
        self._is_complete = True
        self._tell_complete(torrent.status(), monotonic() - begun)

    def _tell_complete(self, status: TorrentStatus, seconds: float) -> None:
        rate = status.downloaded / seconds if seconds else 0.0
        pieces = plural(status.piece_count, "piece")
        if status.downloaded:
            sentence = (
                f"{self._name}: {format_size(status.downloaded)} in {format_duration(seconds)}, "
                f"{format_rate(rate)}; all {pieces} verified"
            )
        else:
            size = format_size(status.total_length)
            sentence = f"{self._name} was there already: {size}, all {pieces} verified"
        self._display.event(
            "complete",
            sentence,
            good=True,
            name=self._metainfo.name,
            infohash=str(self._metainfo.info_hash),
            total_length=status.total_length,
            piece_count=status.piece_count,
            downloaded=status.downloaded,
            uploaded=status.uploaded,
            wasted=status.wasted,
            seconds=round(seconds, 3),
            average_rate=round(rate),
            save_path=str(self._save_path),
        )

    def tell_stop(self, stop: Interrupted) -> None:
        """Say how the run ended by a signal; raises typer.Exit if it was not finished."""
        if self._is_complete:
            self._display.event("stopped", "Stopped seeding.", progress=1.0, exit_code=0)
            return
        self._display.event(
            "stopped",
            f"Stopped at {format_percent(self._progress)}. The same command goes on from here: "
            "it checks the files on disk first.",
            progress=round(self._progress, 4),
            exit_code=int(stop.code),
        )
        raise typer.Exit(int(stop.code))


COMMAND = download
