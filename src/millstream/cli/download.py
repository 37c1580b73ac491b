"""`millstream download`: get the files of a torrent."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from millstream.cli.display import Display, open_display
from millstream.cli.exit_codes import Interrupted
from millstream.cli.following import INTERVAL, Following
from millstream.cli.formatting import (
    format_duration,
    format_percent,
    format_rate,
    format_size,
    plural,
    safe_text,
)
from millstream.cli.options import (
    AllowLocalOption,
    EncryptionOption,
    JsonOption,
    LimitDownOption,
    LimitUpOption,
    NoPexOption,
    PeerOption,
    PortOption,
    QuietOption,
    ShowPeersOption,
    SourceArgument,
    TrackerOption,
)
from millstream.cli.running import run
from millstream.cli.sandboxed import Sandbox, enter_sandbox
from millstream.cli.selection import Selection
from millstream.cli.swarm_options import SwarmOptions, read_swarm_options
from millstream.cli.torrent_source import read_source

if TYPE_CHECKING:
    from millstream import Engine, Magnet, Metainfo, Torrent

EPILOG = (
    "[bold]Examples[/bold]\n"
    "  millstream download 'magnet:?xt=urn:btih:...' -o ~/Downloads\n"
    "  millstream download ubuntu.torrent --select '*.iso' --peer 192.0.2.7:6881"
)


def download(
    torrent: SourceArgument,
    *,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="Put the files into this directory."),
    ] = Path(),
    select: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILES",
            help="Get these files only: numbers as of `millstream info`, such as 1,4-6, or names, "
            "such as '*.mkv' or 'extras/*'; may be repeated.",
            show_default=False,
        ),
    ] = None,
    peer: PeerOption = None,
    tracker: TrackerOption = None,
    port: PortOption = None,
    limit_down: LimitDownOption = None,
    limit_up: LimitUpOption = None,
    encryption: EncryptionOption = None,
    allow_local: AllowLocalOption = None,
    no_pex: NoPexOption = None,
    sequential: Annotated[
        bool, typer.Option("--sequential", help="Get the pieces in order, to play a file early.")
    ] = False,
    seed: Annotated[
        bool,
        typer.Option("--seed/--no-seed", help="Go on seeding when complete, until Ctrl-C."),
    ] = False,
    preallocate: Annotated[
        bool | None,
        typer.Option(
            "--preallocate/--sparse",
            help="Take the room on the disk first, or as the data comes.",
            show_default=False,
        ),
    ] = None,
    sandboxed: Annotated[
        bool,
        typer.Option(
            "--sandboxed",
            help="Give up files, sockets and programs before meeting a peer (Linux): an io-daemon "
            "lends the directory and the network. Says what of it holds.",
        ),
    ] = False,
    show_peers: ShowPeersOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Download the files of a torrent.

    Every piece is checked before it is written. Files that are there already are checked first, so
    a download that was stopped goes on where it was. Trackers that fail are named, and asked again:
    without peers a download waits.
    """
    selection = Selection(select) if select else None
    options = read_swarm_options(
        peer=peer,
        tracker=tracker,
        port=port,
        limit_down=limit_down,
        limit_up=limit_up,
        encryption=encryption,
        allow_local=allow_local,
        no_pex=no_pex,
        preallocate=preallocate,
    )
    sandbox = enter_sandbox(torrent, output) if sandboxed else None
    with open_display(json=json, quiet=quiet) as display:
        job = Download(
            display,
            torrent,
            output,
            options,
            sandbox=sandbox,
            selection=selection,
            sequential=sequential,
            seed=seed,
            show_peers=show_peers,
        )
        try:
            run(job.run)
        except Interrupted as stop:
            job.tell_stop(stop)


class Download:
    """One run of the command: what it was asked for, and how far it has come."""

    def __init__(
        self,
        display: Display,
        source: str,
        save_path: Path,
        options: SwarmOptions,
        *,
        sandbox: Sandbox | None = None,
        selection: Selection | None = None,
        sequential: bool = False,
        seed: bool = False,
        show_peers: bool = False,
    ) -> None:
        self._display = display
        self._source = source
        self._save_path = save_path
        self._options = options
        self._sandbox = sandbox
        self._selection = selection
        self._sequential = sequential
        self._seed = seed
        self._show_peers = show_peers
        self._progress: float | None = None
        self._is_complete = False

    async def run(self, interval: float = INTERVAL) -> None:
        """Download, and seed if asked to."""
        from millstream import Metainfo

        source = await self._read_source()
        if self._selection is not None and isinstance(source, Metainfo):
            self._selection(source)  # before anything is opened or written
        async with self._make_engine() as engine:
            torrent = await engine.add(
                source,
                sequential=self._sequential,
                peers=self._options.peers,
                trackers=self._options.trackers,
                select=self._selection,
            )
            following = Following(
                self._display,
                torrent,
                interval=interval,
                show_peers=self._show_peers,
                named_peers=len(self._options.peers) + len(torrent.magnet.peers),
            )
            self._tell_start(engine, torrent, source)
            try:
                await self._until_complete(torrent, following)
            finally:
                if torrent.has_metadata:
                    self._progress = torrent.status().progress
            if self._seed:
                self._display.event(
                    "seeding",
                    f"Seeding {safe_text(torrent.name)} on port {engine.listen_port}; "
                    "Ctrl-C stops.",
                    name=torrent.name,
                    infohash=str(torrent.info_hash),
                    port=engine.listen_port,
                )
                await following.until_cancelled()

    async def _read_source(self) -> Metainfo | Magnet:
        if self._sandbox is None:
            return await read_source(self._source)
        self._sandbox.tell(self._display)
        return self._sandbox.source

    def _make_engine(self) -> Engine:
        if self._sandbox is not None:
            return self._sandbox.engine(self._options.config)
        from millstream import create_native_engine

        return create_native_engine(self._options.config, save_path=self._save_path)

    async def _until_complete(self, torrent: Torrent, following: Following) -> None:
        if not torrent.has_metadata:
            await following.until(torrent.wait_metadata())
            self._tell_metadata(torrent.metainfo)
        await following.until(torrent.wait_checked())
        begun = monotonic()
        await following.until(torrent.wait_complete())
        self._is_complete = True
        self._tell_complete(torrent, monotonic() - begun)

    def _tell_start(self, engine: Engine, torrent: Torrent, source: Metainfo | Magnet) -> None:
        metainfo = torrent.metainfo if torrent.has_metadata else None
        self._display.event(
            "started",
            name=source.name,
            infohash=str(torrent.info_hash),
            total_length=None if metainfo is None else metainfo.total_length,
            piece_count=None if metainfo is None else metainfo.piece_count,
            save_path=str(self._save_path),
            port=engine.listen_port,
        )

    def _tell_metadata(self, metainfo: Metainfo) -> None:
        from millstream.cli.contents import content_files

        count = len(content_files(metainfo))
        self._display.event(
            "metadata",
            f"Got the metadata: {safe_text(metainfo.name)}, {format_size(metainfo.total_length)} "
            f"in {plural(count, 'file')}",
            good=True,
            name=metainfo.name,
            infohash=str(metainfo.info_hash),
            total_length=metainfo.total_length,
            piece_count=metainfo.piece_count,
            file_count=count,
        )

    def _tell_complete(self, torrent: Torrent, seconds: float) -> None:
        status, metainfo = torrent.status(), torrent.metainfo
        name = safe_text(torrent.name)
        rate = status.downloaded / seconds if seconds else 0.0
        if status.total_length == metainfo.total_length:
            checked = f"all {plural(status.piece_count, 'piece')} verified"
        elif self._selection is not None:
            count, among = self._selection.chosen_count, self._selection.file_count
            checked = f"{count} of {plural(among, 'file')}, every piece verified"
        else:
            checked = "the files that the link selects, every piece verified"
        if status.downloaded:
            sentence = (
                f"{name}: {format_size(status.downloaded)} in {format_duration(seconds)}, "
                f"{format_rate(rate)}; {checked}"
            )
        else:
            size = format_size(status.total_length)
            sentence = f"{name} was there already: {size}, {checked}"
        self._display.event(
            "complete",
            sentence,
            good=True,
            name=torrent.name,
            infohash=str(torrent.info_hash),
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
        if self._progress is None:
            sentence = "Stopped before the torrent's metadata was here. Nothing was written."
        else:
            sentence = (
                f"Stopped at {format_percent(self._progress)}. The same command goes on from "
                "here: it checks the files on disk first."
            )
        self._display.event(
            "stopped",
            sentence,
            progress=round(self._progress or 0.0, 4),
            exit_code=int(stop.code),
        )
        raise typer.Exit(int(stop.code))


COMMAND = download
