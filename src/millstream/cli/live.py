"""The live view on a terminal: a few lines that are drawn over and over.

```
ubuntu-24.04-desktop-amd64.iso                       3,180/5,091 pieces
━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╸━━━━━━━━━━━━━━━━━━━━━ 62.4 %
▕████████████████▌███▊██▎ ▌  ███▏ ▌▎      ▍    ▏    ███▋▏             ▏
3.10 GiB of 4.97 GiB   ↓ 87.3 MB/s   ETA 22 s   12 peers (4 seeds)
```

The third line is the piece map: green is there, cyan is there in part, yellow is on its way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from millstream.cli.display import JsonValue, Unit
from millstream.cli.formatting import (
    counted,
    format_eta,
    format_percent,
    format_rate,
    format_size,
    plural,
    safe_text,
)
from millstream.cli.piece_map import cell_character, piece_cells

if TYPE_CHECKING:
    from millstream import TorrentStatus

# A work of thousands of steps a second is not drawn thousands of times.
FRAME_INTERVAL = 1 / 15

HAVE_STYLE = "green"
PART_STYLE = "cyan"
ACTIVE_STYLE = "yellow"


class LiveView:
    """Draws progress in place and prints events above it."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._ascii = console.options.ascii_only
        # Drawn when there is news, by the caller's thread: no refresh thread beside the engine.
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._clock = clock
        self._next = 0.0

    def event(
        self, name: str, sentence: str = "", /, *, good: bool | None = None, **facts: JsonValue
    ) -> None:
        """Print the sentence, with a tick or a cross, in the place of what was drawn so far."""
        if sentence:
            self._live.update("", refresh=True)
            self._next = 0.0
            self._console.print(_sentence(sentence, good, ascii_only=self._ascii))

    def note(self, sentence: str, /) -> None:
        """Print the sentence."""
        self._console.print(Text(sentence))

    def transfer(self, name: str, status: TorrentStatus, pieces: bytes) -> None:
        """Draw how the transfer stands."""
        if not self._is_due():
            return
        view = transfer_view(name, status, pieces, self._console.width, ascii_only=self._ascii)
        self._live.update(view, refresh=True)

    def count(self, doing: str, what: str, done: int, total: int, unit: Unit = "piece") -> None:
        """Draw how far the count is."""
        if not self._is_due():
            return
        fraction = done / total if total else 1.0
        head = _sides(Text(f"{doing} {what}", "bold"), Text(counted(done, total, unit), "dim"))
        self._live.update(Group(head, _bar(fraction)), refresh=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _is_due(self) -> bool:
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + FRAME_INTERVAL
        return True


def transfer_view(
    name: str, status: TorrentStatus, pieces: bytes, width: int, *, ascii_only: bool = False
) -> RenderableType:
    """The four lines for a torrent in any state."""
    checking = str(status.state.value) == "checking"
    counted = status.checked_pieces if checking else status.pieces_have
    fraction = counted / max(1, status.piece_count) if checking else status.progress
    pieces_counted = f"{counted:,}/{plural(status.piece_count, 'piece')}"
    head = _sides(Text(safe_text(name), "bold"), Text(pieces_counted, "dim"))
    facts = Text("   ", no_wrap=True, overflow="crop").join(
        transfer_facts(status, ascii_only=ascii_only)
    )
    return Group(head, _bar(fraction), map_text(pieces, width, ascii_only=ascii_only), facts)


def transfer_facts(status: TorrentStatus, *, ascii_only: bool = False) -> list[Text]:
    """What is said below the map, the most important first."""
    down, up = ("down ", "up ") if ascii_only else ("↓ ", "↑ ")
    peers = Text(plural(status.peers, "peer"))
    match str(status.state.value):
        case "checking":
            return [Text("checking the files on disk"), Text(f"{status.pieces_have:,} good")]
        case "seeding":
            return [
                Text(f"{up}{format_rate(status.upload_rate)}", HAVE_STYLE),
                Text(f"{format_size(status.uploaded)} uploaded"),
                peers,
            ]
    facts = [
        Text(f"{format_size(status.bytes_done)} of {format_size(status.total_length)}"),
        Text(f"{down}{format_rate(status.download_rate)}", HAVE_STYLE),
    ]
    if status.upload_rate >= 1000:
        facts.append(Text(f"{up}{format_rate(status.upload_rate)}"))
    if status.eta is not None:
        facts.append(Text(f"ETA {format_eta(status.eta)}", PART_STYLE))
    if status.peers:
        facts.append(peers + Text(f" ({plural(status.seeds, 'seed')})"))
    else:
        facts.append(Text("waiting for peers (--peer names one)", ACTIVE_STYLE))
    return facts


def map_text(pieces: bytes, width: int, *, ascii_only: bool = False) -> Text:
    """The piece map between two edges, `width` characters in all."""
    left, right = ("[", "]") if ascii_only else ("▕", "▏")
    blank = "." if ascii_only else "·"
    text = Text(left, no_wrap=True, overflow="crop")
    text.stylize("dim")
    run, run_style = "", ""
    for filled, active in piece_cells(pieces, max(1, width - 2)):
        style = ACTIVE_STYLE if active else HAVE_STYLE if filled >= 1 else PART_STYLE
        character = cell_character(filled, ascii_only=ascii_only)
        if style != run_style:
            text.append(run, run_style)
            run, run_style = "", style
        # A cell on its way shows as a dot at least: the eye sees where the requests are.
        run += blank if active and filled <= 0 else character
    return text.append(run, run_style).append(right, "dim")


def _bar(fraction: float) -> RenderableType:
    grid = Table.grid(padding=(0, 0, 0, 1), expand=True)
    grid.add_column(ratio=1)
    grid.add_column(justify="right", no_wrap=True)
    bar = ProgressBar(
        total=1.0, completed=fraction, complete_style=PART_STYLE, finished_style=HAVE_STYLE
    )
    grid.add_row(bar, Text(format_percent(fraction), "bold"))
    return grid


def _sides(left: Text, right: Text) -> RenderableType:
    grid = Table.grid(padding=(0, 0, 0, 1), expand=True)
    grid.add_column(ratio=1, no_wrap=True, overflow="crop")
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(left, right)
    return grid


def _sentence(sentence: str, good: bool | None, *, ascii_only: bool) -> Text:
    if good is None:
        return Text(sentence)
    if good:
        return Text.assemble(("* " if ascii_only else "✔ ", "bold green"), sentence)
    return Text.assemble(("! " if ascii_only else "✘ ", "bold red"), sentence)
