"""`millstream create`: make a torrent of a file or a directory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from time import monotonic, time
from typing import Annotated

import typer

from millstream.cli.display import Display, open_display
from millstream.cli.exit_codes import CommandError, ExitCode
from millstream.cli.formatting import (
    format_duration,
    format_rate,
    format_size,
    plural,
    safe_text,
)
from millstream.cli.options import JsonOption, QuietOption, check_urls, parse_size_option
from millstream.cli.running import run
from millstream.errors import EngineError, StorageError

TRACKER_SCHEMES = ("http", "https", "udp", "ws", "wss")
WEB_SEED_SCHEMES = ("http", "https", "ftp")

# BEP 3 asks for a power of two, and BEP 52 for at least one block. The largest one that libtorrent
# reads, which counts the blocks of a piece in 15 bits.
MIN_PIECE_LENGTH = 16 << 10
MAX_PIECE_LENGTH = 256 << 20

EPILOG = "[bold]Example[/bold]\n  millstream create ~/Pictures --tracker udp://tracker.example:6969"


def create(
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="The file or directory to share.", show_default=False),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the torrent here; else to NAME.torrent in this directory.",
            show_default=False,
        ),
    ] = None,
    piece_length: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Length of a piece, such as 256KiB or 1MiB; chosen by the total size if not given.",
            show_default=False,
        ),
    ] = None,
    tracker: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="A tracker; may be repeated, and the first that answers is used (BEP 12).",
            show_default=False,
        ),
    ] = None,
    web_seed: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="A web server that has the files (BEP 19); may be repeated.",
            show_default=False,
        ),
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="Peers come from the trackers only (BEP 27).")
    ] = False,
    comment: Annotated[
        str | None, typer.Option(metavar="TEXT", help="A comment for people.", show_default=False)
    ] = None,
    date: Annotated[
        bool, typer.Option("--date/--no-date", help="Write when the torrent was made.")
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing torrent.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a torrent of a file or a directory.

    The files are hashed on all cores. The torrent file is written at the end and whole.
    """
    length = _piece_length(piece_length)
    trackers = check_urls(tracker, "--tracker", TRACKER_SCHEMES)
    web_seeds = check_urls(web_seed, "--web-seed", WEB_SEED_SCHEMES)
    with open_display(json=json, quiet=quiet) as display:
        target = output or Path(f"{_name_of(path)}.torrent")
        _check_paths(path, target, force=force)
        begun = monotonic()
        data = run(
            lambda: make_torrent(
                display,
                path,
                piece_length=length,
                trackers=trackers,
                web_seeds=web_seeds,
                private=private,
                comment=comment,
                creation_date=int(time()) if date else None,
            )
        )
        write_whole(target, data)
        _tell(display, target, data, monotonic() - begun)


async def make_torrent(
    display: Display,
    path: Path,
    *,
    piece_length: int | None = None,
    trackers: tuple[str, ...] = (),
    web_seeds: tuple[str, ...] = (),
    private: bool = False,
    comment: str | None = None,
    creation_date: int | None = None,
) -> bytes:
    """Hash the files with progress on the display; the bytes of the torrent file.

    Raises:
        StorageError: a file cannot be read.
        CommandError: there is nothing to share.
    """
    from millstream import create_torrent

    name = safe_text(_name_of(path))
    try:
        return await create_torrent(
            path,
            piece_length=piece_length,
            # A tier each: they are tried in the order given.
            trackers=[(url,) for url in trackers],
            web_seeds=web_seeds,
            private=private,
            comment=comment,
            creation_date=creation_date,
            progress=lambda done, total: display.count("Hashing", name, done, total),
        )
    except EngineError as error:
        raise CommandError(str(error), ExitCode.USAGE) from error


def write_whole(target: Path, data: bytes) -> None:
    """Write a file so that it is either as before or complete, whatever happens.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        _replace(target, data)
    except OSError as error:
        # The system names the temporary file, which tells the user nothing.
        raise StorageError(str(target), error.strerror or str(error), error.errno) from error


def _replace(target: Path, data: bytes) -> None:
    # In the same directory, because only there a rename replaces in one step.
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            # mkstemp makes private files; a torrent is an ordinary one.
            Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _piece_length(text: str | None) -> int | None:
    length = parse_size_option(text, "--piece-length")
    if length is not None and (
        length.bit_count() != 1 or not MIN_PIECE_LENGTH <= length <= MAX_PIECE_LENGTH
    ):
        raise typer.BadParameter(
            f"{text} is not a power of two from {format_size(MIN_PIECE_LENGTH)} "
            f"to {format_size(MAX_PIECE_LENGTH)}.",
            param_hint="'--piece-length'",
        )
    return length


def _umask() -> int:
    # The only way to read it is to set it; the command line has one thread here.
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _name_of(path: Path) -> str:
    # resolve(): "." and ".." have no name of their own.
    return path.resolve().name


def _check_paths(path: Path, target: Path, *, force: bool) -> None:
    if not path.exists():
        raise CommandError(f"{path}: no such file or directory", ExitCode.USAGE)
    if not os.access(target.parent, os.W_OK | os.X_OK):
        # Now rather than after an hour of hashing.
        reason = "Permission denied" if target.parent.is_dir() else "No such directory"
        raise StorageError(str(target.parent), reason)
    if target.is_dir():
        raise CommandError(f"{target} is a directory; -o names a file", ExitCode.USAGE)
    if target.exists() and not force:
        raise CommandError(
            f"{target} exists; --force overwrites it, -o names another file", ExitCode.USAGE
        )


def _tell(display: Display, target: Path, data: bytes, seconds: float) -> None:
    from millstream import Metainfo

    metainfo = Metainfo.parse(data)
    rate = metainfo.total_length / seconds if seconds else 0.0
    display.event(
        "complete",
        f"{safe_text(str(target))}: {format_size(metainfo.total_length)} in "
        f"{plural(metainfo.piece_count, 'piece')} of {format_size(metainfo.piece_length)}, "
        f"hashed in {format_duration(seconds)}, {format_rate(rate)}",
        good=True,
        path=str(target),
        name=metainfo.name,
        infohash=str(metainfo.info_hash),
        total_length=metainfo.total_length,
        piece_length=metainfo.piece_length,
        piece_count=metainfo.piece_count,
        seconds=round(seconds, 3),
    )
    display.note(f"  infohash {metainfo.info_hash}")


COMMAND = create
