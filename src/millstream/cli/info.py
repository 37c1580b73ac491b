"""`millstream info`: show what is in a torrent."""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING

from millstream.cli.contents import ContentFile, content_files
from millstream.cli.display import JsonValue
from millstream.cli.file_tree import tree_lines
from millstream.cli.formatting import format_size, plural, safe_text
from millstream.cli.options import JsonOption, TorrentArgument
from millstream.cli.torrent_file import read_torrent

if TYPE_CHECKING:
    from rich.console import Console

    from millstream import Metainfo

EPILOG = "[bold]Example[/bold]\n  millstream info ubuntu.torrent"


def info(torrent: TorrentArgument, *, json: JsonOption = False) -> None:
    """Show what is in a torrent: its name, size, files and trackers.

    With `--json` it is one object on one line.
    """
    if json:
        from millstream.cli.json_lines import JsonLines

        with JsonLines(sys.stdout) as lines:
            metainfo = read_torrent(torrent)
            lines.write("info", facts(metainfo, content_files(metainfo)))
        return
    from rich.console import Console

    metainfo = read_torrent(torrent)
    show(Console(highlight=False), metainfo, content_files(metainfo))


COMMAND = info


def facts(metainfo: Metainfo, files: list[ContentFile]) -> dict[str, JsonValue]:
    """The keys of `info --json`; names are as they will be on the disk."""
    return {
        "name": metainfo.name,
        "infohash": str(metainfo.info_hash),
        "total_length": metainfo.total_length,
        "piece_length": metainfo.piece_length,
        "piece_count": metainfo.piece_count,
        "private": metainfo.private,
        "comment": metainfo.comment,
        "created_by": metainfo.created_by,
        "creation_date": metainfo.creation_date,
        "trackers": [list(tier) for tier in metainfo.trackers],
        "web_seeds": list(metainfo.web_seeds),
        "files": [{"path": file.path, "length": file.length} for file in files],
    }


def rows(metainfo: Metainfo, file_count: int) -> list[tuple[str, str]]:
    """The lines above the tree: a label and a value; what the torrent lacks is left out."""
    trackers = [
        f"{url}" + (f"  (tier {number})" if len(metainfo.trackers) > 1 else "")
        for number, tier in enumerate(metainfo.trackers, 1)
        for url in tier
    ]
    optional = [
        ("Private", "yes, peers come from the trackers only" if metainfo.private else ""),
        *_labelled("Tracker", trackers),
        *_labelled("Web seed", metainfo.web_seeds),
        ("Comment", metainfo.comment or ""),
        ("Created", _when(metainfo.creation_date)),
        ("Created by", metainfo.created_by or ""),
    ]
    return [
        ("Name", safe_text(metainfo.name)),
        ("Infohash", str(metainfo.info_hash)),
        ("Size", f"{format_size(metainfo.total_length)} in {plural(file_count, 'file')}"),
        ("Pieces", f"{metainfo.piece_count:,} of {format_size(metainfo.piece_length)}"),
        *((label, safe_text(value)) for label, value in optional if value),
    ]


def show(console: Console, metainfo: Metainfo, files: list[ContentFile]) -> None:
    """Print the facts and the tree; wide lines are left to the terminal, not cut."""
    from rich.text import Text

    for label, value in rows(metainfo, len(files)):
        console.print(Text.assemble((f"{label:<11}", "bold"), value), soft_wrap=True)
    console.print()
    tree = tree_lines(
        ((file.path, file.length) for file in files), ascii_only=console.options.ascii_only
    )
    for line in tree:
        text = Text.assemble(
            (line.guide, "dim"), (line.name, "bold blue" if line.is_directory else "")
        )
        if line.size:
            text.append(f"  {line.size}", "dim")
        console.print(text, soft_wrap=True)


def _labelled(label: str, values: list[str] | tuple[str, ...]) -> list[tuple[str, str]]:
    return [(label if not number else "", value) for number, value in enumerate(values)]


def _when(seconds: int | None) -> str:
    if seconds is None:
        return ""
    try:
        moment = dt.datetime.fromtimestamp(seconds, tz=dt.UTC)
    except (OverflowError, ValueError, OSError):
        return ""  # a date the calendar does not have tells nothing
    return f"{moment:%Y-%m-%d %H:%M} UTC"
