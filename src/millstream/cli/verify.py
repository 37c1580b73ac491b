"""`millstream verify`: compare files with their torrent."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import typer

from millstream.cli.contents import FileReport, bad_files, content_files
from millstream.cli.display import Display, open_display
from millstream.cli.exit_codes import ExitCode
from millstream.cli.formatting import (
    format_duration,
    format_rate,
    format_size,
    plural,
    safe_text,
)
from millstream.cli.options import ContentOption, JsonOption, QuietOption, TorrentArgument
from millstream.cli.running import run
from millstream.cli.torrent_file import read_torrent

if TYPE_CHECKING:
    from millstream import Metainfo

EPILOG = "[bold]Example[/bold]\n  millstream verify Pictures.torrent -o ~"

# A torrent may have a hundred thousand files; people get the first ones, `--json` all.
MAX_FILES_SHOWN = 50


def verify(
    torrent: TorrentArgument,
    *,
    output: ContentOption = Path(),
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare files with their torrent, piece by piece.

    Nothing is changed. The exit code is 0 if everything is there and right, and 4 if not; the
    files concerned are listed.
    """
    with open_display(json=json, quiet=quiet) as display:
        metainfo = read_torrent(torrent)
        is_complete = run(lambda: _verify(display, metainfo, output))
    if not is_complete:
        raise typer.Exit(int(ExitCode.BAD_DATA))


async def _verify(display: Display, metainfo: Metainfo, directory: Path) -> bool:
    from millstream import verify_torrent

    name = safe_text(metainfo.name)
    begun = monotonic()
    report = await verify_torrent(
        metainfo,
        directory,
        progress=lambda done, total: display.count("Checking", name, done, total),
    )
    seconds = monotonic() - begun
    bad = frozenset(report.bad)
    reports = bad_files(content_files(metainfo), metainfo.piece_length, bad, directory)
    is_complete = not bad and not reports
    rate = metainfo.total_length / seconds if seconds else 0.0
    pieces = plural(report.piece_count, "piece")
    if is_complete:
        sentence = (
            f"{name} is complete: all {pieces} match "
            f"({format_size(metainfo.total_length)} in {format_duration(seconds)}, "
            f"{format_rate(rate)})"
        )
    else:
        # Empty files are in no piece; they alone can be missing.
        found = f"{len(bad):,} of {pieces} missing or bad" if bad else "files are missing"
        sentence = f"{name} is not complete in {safe_text(str(directory))}: {found}"
    display.event(
        "complete",
        sentence,
        good=is_complete,
        name=metainfo.name,
        infohash=str(metainfo.info_hash),
        is_complete=is_complete,
        piece_count=report.piece_count,
        good_pieces=report.good_pieces,
        bad_pieces=list(report.bad),
        bad_files=[
            {
                "path": item.path,
                "problem": item.problem,
                "bad_pieces": item.bad_pieces,
                "piece_count": item.piece_count,
            }
            for item in reports
        ],
        seconds=round(seconds, 3),
    )
    for item in reports[:MAX_FILES_SHOWN]:
        display.note(f"  {_line(item)}")
    if len(reports) > MAX_FILES_SHOWN:
        display.note(
            f"  and {plural(len(reports) - MAX_FILES_SHOWN, 'more file')}; --json lists all"
        )
    return is_complete


def _line(item: FileReport) -> str:
    pieces = (
        f", {item.bad_pieces:,} of {plural(item.piece_count, 'piece')} missing or bad"
        if item.bad_pieces and item.problem != "missing"
        else ""
    )
    return f"{safe_text(item.path)}: {item.problem}{pieces}"


COMMAND = verify
