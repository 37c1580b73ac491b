"""`millstream info`: show what is in a torrent."""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING

from millstream.cli.contents import ContentFile, content_files
from millstream.cli.display import JsonValue
from millstream.cli.file_tree import tree_lines
from millstream.cli.formatting import format_size, plural, safe_text
from millstream.cli.options import JsonOption, SourceArgument
from millstream.cli.running import run
from millstream.cli.torrent_source import read_source

if TYPE_CHECKING:
    from rich.console import Console

    from millstream import Magnet, Metainfo

EPILOG = "[bold]Example[/bold]\n  millstream info ubuntu.torrent"


def info(torrent: SourceArgument, *, json: JsonOption = False) -> None:
    """Show what is in a torrent: its name, size, files and trackers.

    The files have the numbers that `millstream download --select` takes. Of a magnet link it shows
    what the link says; nobody is asked for more. With `--json` it is one object on one line.
    """
    if json:
        from millstream.cli.json_lines import JsonLines

        with JsonLines(sys.stdout) as lines:
            lines.write("info", facts_of(run(lambda: read_source(torrent))))
        return
    from rich.console import Console

    show_source(Console(highlight=False), run(lambda: read_source(torrent)))


COMMAND = info


def facts_of(source: Metainfo | Magnet) -> dict[str, JsonValue]:
    """The keys of `info --json`."""
    from millstream import Metainfo

    if isinstance(source, Metainfo):
        return facts(source, content_files(source))
    return magnet_facts(source)


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
        "files": [
            {"number": number, "path": file.path, "length": file.length}
            for number, file in enumerate(files, 1)
        ],
    }


def magnet_facts(magnet: Magnet) -> dict[str, JsonValue]:
    """The keys of `info --json` that a magnet link can tell; `selected` counts files from 0."""
    return {
        "name": magnet.name,
        "infohash": str(magnet.info_hash),
        "trackers": [[url] for url in magnet.trackers],
        "web_seeds": list(magnet.web_seeds),
        "peers": [str(peer) for peer in magnet.peers],
        "selected": None if magnet.select is None else str(magnet.select),
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


def magnet_rows(magnet: Magnet) -> list[tuple[str, str]]:
    """What a magnet link says: a label and a value; what it lacks is left out."""
    found = [
        ("Name", magnet.name or ""),
        ("Infohash", str(magnet.info_hash)),
        *_labelled("Tracker", magnet.trackers),
        *_labelled("Web seed", magnet.web_seeds),
        *_labelled("Peer", [str(peer) for peer in magnet.peers]),
        ("Selected", "" if magnet.select is None else f"{magnet.select}, files counted from 0"),
    ]
    return [(label, safe_text(value)) for label, value in found if value]


def show_source(console: Console, source: Metainfo | Magnet) -> None:
    """Print what a torrent or a link says."""
    from millstream import Metainfo

    if isinstance(source, Metainfo):
        show(console, source, content_files(source))
    else:
        _show_rows(console, magnet_rows(source))


def show(console: Console, metainfo: Metainfo, files: list[ContentFile]) -> None:
    """Print the facts and the tree; wide lines are left to the terminal, not cut."""
    from rich.text import Text

    _show_rows(console, rows(metainfo, len(files)))
    console.print()
    tree = tree_lines(
        ((file.path, file.length) for file in files), ascii_only=console.options.ascii_only
    )
    # The one file of a torrent needs no number.
    width = len(f"{len(files)}") if metainfo.is_multi_file else 0
    for line in tree:
        number = "" if line.number is None else f"{line.number}"
        text = Text.assemble(
            (f"{number:>{width}} " if width else "", "cyan"),
            (line.guide, "dim"),
            (line.name, "bold blue" if line.is_directory else ""),
        )
        if line.size:
            text.append(f"  {line.size}", "dim")
        console.print(text, soft_wrap=True)


def _show_rows(console: Console, found: list[tuple[str, str]]) -> None:
    from rich.text import Text

    for label, value in found:
        console.print(Text.assemble((f"{label:<11}", "bold"), value), soft_wrap=True)


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
