"""The live view on a terminal: a few lines that are drawn over and over.

```
ubuntu-24.04-desktop-amd64.iso                       3,180/5,091 pieces
━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╸━━━━━━━━━━━━━━━━━━━━━ 62.4 %
▕████████████████▌███▊██▎ ▌  ███▏ ▌▎      ▍    ▏    ███▋▏             ▏
3.10 GiB of 4.97 GiB   ↓ 87.3 MB/s   ETA 22 s   12 peers (4 seeds)
```

The third line is the piece map: green is there, cyan is there in part, yellow is on its way. A
magnet link has no map until its metadata is here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from millstream.cli.display import JsonValue, Snapshot, Unit
from millstream.cli.formatting import (
    counted,
    format_eta,
    format_percent,
    format_rate,
    format_size,
    plural,
    safe_text,
)
from millstream.cli.peer_table import peer_table
from millstream.cli.piece_map import cell_character, piece_cells
from millstream.cli.swarm_table import swarm_summary, swarm_table

if TYPE_CHECKING:
    from millstream import InfoHash, ScrapeEntry

# A work of thousands of steps a second is not drawn thousands of times.
FRAME_INTERVAL = 1 / 15

HAVE_STYLE = "green"
PART_STYLE = "cyan"
ACTIVE_STYLE = "yellow"

# Lines that a table must leave for what stands above it and for the cursor below.
LINES_BESIDE_TABLE = 7
MIN_ROWS = 3


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

    def lines(self, lines: Iterable[str], /) -> None:
        """Print the lines as they are: rich would take a second for ten thousand."""
        self._live.update("", refresh=True)
        self._live.stop()
        self._console.file.write("".join([f"{line}\n" for line in lines]))
        self._console.file.flush()
        self._live.start()

    def transfer(self, snapshot: Snapshot) -> None:
        """Draw how the transfer stands, and its peers if they are wanted."""
        if not self._is_due():
            return
        width = self._console.width
        view = transfer_view(snapshot, width, ascii_only=self._ascii)
        if snapshot.peers:
            view = Group(view, Text(), peer_table(snapshot.peers, self._rows, width))
        self._live.update(view, refresh=True)

    def peers(self, snapshot: Snapshot) -> None:
        """Draw the peers."""
        if self._is_due():
            table = peer_table(snapshot.peers or (), self._rows, self._console.width)
            head = peers_head(snapshot, ascii_only=self._ascii)
            self._live.update(Group(head, Text(), table) if snapshot.peers else head, refresh=True)

    def swarms(self, swarms: Mapping[InfoHash, ScrapeEntry]) -> None:
        """Draw the swarms."""
        if self._is_due():
            head = Text(swarm_summary(swarms), "bold")
            table = swarm_table(swarms, self._rows)
            self._live.update(Group(head, Text(), table) if swarms else head, refresh=True)

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

    @property
    def _rows(self) -> int:
        return max(MIN_ROWS, self._console.height - LINES_BESIDE_TABLE)

    def _is_due(self) -> bool:
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + FRAME_INTERVAL
        return True


def transfer_view(snapshot: Snapshot, width: int, *, ascii_only: bool = False) -> RenderableType:
    """The four lines for a torrent in any state; three while its pieces are not known."""
    status, name = snapshot.status, Text(safe_text(snapshot.name), "bold")
    facts = Text("   ", no_wrap=True, overflow="crop").join(
        transfer_facts(snapshot, ascii_only=ascii_only)
    )
    state = str(status.state.value)
    if not status.piece_count:
        return Group(_sides(name, Text(state, "dim")), _bar(status.metadata_progress), facts)
    checking = state == "checking"
    counted = status.checked_pieces if checking else status.pieces_have
    fraction = counted / max(1, status.piece_count) if checking else status.progress
    pieces_counted = f"{counted:,}/{plural(status.piece_count, 'piece')}"
    return Group(
        _sides(name, Text(pieces_counted, "dim")),
        _bar(fraction),
        map_text(snapshot.pieces, width, ascii_only=ascii_only),
        facts,
    )


def transfer_facts(snapshot: Snapshot, *, ascii_only: bool = False) -> list[Text]:
    """What is said below the map, the most important first."""
    status = snapshot.status
    down, up = _arrows(ascii_only=ascii_only)
    match str(status.state.value):
        case "fetching metadata":
            return [_peers(snapshot)]
        case "checking":
            return [Text("checking the files on disk"), Text(f"{status.pieces_have:,} good")]
        case "queued":
            size = f"{format_size(status.bytes_done)} of {format_size(status.total_length)}"
            return [Text("waits for its turn in the queue", ACTIVE_STYLE), Text(size)]
        case "seeding":
            return [
                Text(f"{up}{format_rate(status.upload_rate)}", HAVE_STYLE),
                Text(f"{format_size(status.uploaded)} uploaded"),
                Text(plural(status.peers, "peer")),
            ]
    facts = [
        Text(f"{format_size(status.bytes_done)} of {format_size(status.total_length)}"),
        Text(f"{down}{format_rate(status.download_rate)}", HAVE_STYLE),
    ]
    if status.upload_rate >= 1000:
        facts.append(Text(f"{up}{format_rate(status.upload_rate)}"))
    if status.eta is not None:
        facts.append(Text(f"ETA {format_eta(status.eta)}", PART_STYLE))
    return [*facts, _peers(snapshot)]


def peers_head(snapshot: Snapshot, *, ascii_only: bool = False) -> RenderableType:
    """The lines above a table of peers."""
    status = snapshot.status
    down, up = _arrows(ascii_only=ascii_only)
    rates = f"{down}{format_rate(status.download_rate)}   {up}{format_rate(status.upload_rate)}"
    name = Text(safe_text(snapshot.name), "bold")
    state = str(status.state.value)
    # Whoever only watches is "seeding" what little there is: no word for people.
    known = plural(status.piece_count, "piece")
    doing = state if state in {"fetching metadata", "checking"} else known
    return Group(_sides(name, Text(doing, "dim")), _sides(_peers(snapshot), Text(rates)))


def _arrows(*, ascii_only: bool) -> tuple[str, str]:
    return ("down ", "up ") if ascii_only else ("↓ ", "↑ ")


def _peers(snapshot: Snapshot) -> Text:
    if snapshot.waiting_for:
        return Text(f"no peers: {snapshot.waiting_for}", ACTIVE_STYLE)
    seeds = f" ({plural(snapshot.status.seeds, 'seed')})" if snapshot.status.piece_count else ""
    return Text(plural(snapshot.status.peers, "peer") + seeds)


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
