"""How a command says what it does: live on a terminal, plain lines elsewhere, JSON for scripts.

A command knows none of the three: it tells a `Display` what happened (`event`), how a transfer
stands (`transfer`), who its peers are (`peers`), how a tracker's swarms stand (`swarms`) and how far
a count has come (`count`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self, TypeAlias

from millstream.cli.failures import debug_wanted

if TYPE_CHECKING:
    from millstream import InfoHash, PeerStatus, ScrapeEntry, TorrentStatus

JsonValue: TypeAlias = (
    "str | int | float | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
)


Unit = Literal["piece", "byte"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A torrent at one moment, with all that may be shown of it.

    Attributes:
        name: what it is called; as hostile as any text from the network.
        status: how it stands.
        pieces: a byte for each piece as of `Torrent.piece_states()`; empty for a magnet at first.
        waiting_for: why it has no peers, in words; empty if it has some, or needs none.
        peers: the connected peers; None if nobody asked for them.
    """

    name: str
    status: TorrentStatus
    pieces: bytes = b""
    waiting_for: str = ""
    peers: Sequence[PeerStatus] | None = None


class Display(Protocol):
    """One of the ways to show a command's work; also its `with` block."""

    def event(
        self, name: str, sentence: str = "", /, *, good: bool | None = None, **facts: JsonValue
    ) -> None:
        """Something happened.

        Args:
            name: the event's name for scripts.
            sentence: the same for people; an empty one is not shown to them.
            good: True is something achieved, False something found wrong; None is neither.
            facts: the event's keys for scripts.
        """

    def note(self, sentence: str, /) -> None:
        """A line for people only."""

    def lines(self, lines: Iterable[str], /) -> None:
        """Many lines for people only, together: a table."""

    def transfer(self, snapshot: Snapshot) -> None:
        """How a torrent stands.

        Called as often as is convenient: each display keeps its own pace.
        """

    def peers(self, snapshot: Snapshot) -> None:
        """Who a torrent's peers are, for a command that is about them. At any pace, too."""

    def swarms(self, swarms: Mapping[InfoHash, ScrapeEntry]) -> None:
        """How all swarms of a tracker stand. At any pace, too."""

    def count(self, doing: str, what: str, done: int, total: int, unit: Unit = "piece") -> None:
        """How far a long work is: `doing` something ("Hashing") with `what`, in pieces or bytes."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Silent:
    """`--quiet`: the exit code says it all, and errors go to stderr as ever."""

    def event(
        self, name: str, sentence: str = "", /, *, good: bool | None = None, **facts: JsonValue
    ) -> None:
        """Nothing."""

    def note(self, sentence: str, /) -> None:
        """Nothing."""

    def lines(self, lines: Iterable[str], /) -> None:
        """Nothing."""

    def transfer(self, snapshot: Snapshot) -> None:
        """Nothing."""

    def peers(self, snapshot: Snapshot) -> None:
        """Nothing."""

    def swarms(self, swarms: Mapping[InfoHash, ScrapeEntry]) -> None:
        """Nothing."""

    def count(self, doing: str, what: str, done: int, total: int, unit: Unit = "piece") -> None:
        """Nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def open_display(*, json: bool = False, quiet: bool = False) -> Display:
    """Choose the display: as asked for, else by what stdout is connected to."""
    if json:
        from millstream.cli.json_lines import JsonLines

        return JsonLines(sys.stdout)
    if quiet:
        return Silent()
    from rich.console import Console

    console = Console(highlight=False)
    # Log lines between frames would leave neither readable.
    if console.is_terminal and not console.is_dumb_terminal and not debug_wanted():
        from millstream.cli.live import LiveView

        return LiveView(console)
    from millstream.cli.plain import PlainLines

    return PlainLines(sys.stdout)
