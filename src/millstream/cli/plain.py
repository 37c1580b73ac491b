"""Plain lines, for pipes, logs and terminals that can do no more: no escape codes, no hurry."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Self, TextIO

from millstream.cli.display import JsonValue, Snapshot, Unit
from millstream.cli.formatting import (
    counted,
    format_eta,
    format_percent,
    format_rate,
    format_size,
    plural,
)
from millstream.cli.peer_lines import peer_lines
from millstream.cli.swarm_changes import SwarmChanges, swarm_line

if TYPE_CHECKING:
    from millstream import InfoHash, PeerAddress, ScrapeEntry

INTERVAL = 5.0
# Peers tend to come several at once.
NEWS_INTERVAL = 1.0


class PlainLines:
    """Writes a line for each event, and for progress one every few seconds at most."""

    def __init__(self, output: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._output = output
        self._clock = clock
        self._next = clock() + INTERVAL
        self._last_line = ""
        self._here: set[PeerAddress] = set()
        self._swarms = SwarmChanges()

    def event(
        self, name: str, sentence: str = "", /, *, good: bool | None = None, **facts: JsonValue
    ) -> None:
        """Write the sentence."""
        if sentence:
            self._write(sentence)

    def note(self, sentence: str, /) -> None:
        """Write the sentence."""
        self._write(sentence)

    def lines(self, lines: Iterable[str], /) -> None:
        """Write the lines."""
        self._output.write("".join([f"{line}\n" for line in lines]))
        self._output.flush()

    def transfer(self, snapshot: Snapshot) -> None:
        """Write how the transfer stands, when it is time to."""
        if self._is_due():
            lines = [transfer_line(snapshot)]
            if snapshot.peers:
                lines += peer_lines(snapshot.peers)
            self._write("\n".join(lines))

    def peers(self, snapshot: Snapshot) -> None:
        """Write the peers, when it is time to, and soon when others come or go."""
        peers = snapshot.peers or ()
        here = {peer.address for peer in peers}
        if here != self._here:
            self._here = here
            self._next = min(self._next, self._clock() + NEWS_INTERVAL)
        if self._is_due():
            self._write("\n".join([peers_line(snapshot), *peer_lines(peers)]))

    def swarms(self, swarms: Mapping[InfoHash, ScrapeEntry]) -> None:
        """Write a line for each swarm that changed."""
        changed, more = self._swarms.look(swarms)
        for info_hash, counts in changed:
            self._write(swarm_line(info_hash, counts))
        if more:
            self._write(f"... and {plural(more, 'more swarm')} changed")

    def count(self, doing: str, what: str, done: int, total: int, unit: Unit = "piece") -> None:
        """Write how far the count is, when it is time to."""
        if self._is_due():
            self._write(
                f"{doing} {what}: {format_percent(done / max(1, total))}, {counted(done, total, unit)}"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def _is_due(self) -> bool:
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + INTERVAL
        return True

    def _write(self, line: str) -> None:
        # Nothing new is nothing to say: a seeder without peers must not fill a log.
        if line != self._last_line:
            self._last_line = line
            self._output.write(line + "\n")
            self._output.flush()


def transfer_line(snapshot: Snapshot) -> str:
    """A transfer in one line: `downloading: 62.4 %, 3.10 GiB of 5 GiB, 87.3 MB/s, ...`."""
    status = snapshot.status
    state = str(status.state.value)
    peers = _waits(snapshot) or f"{plural(status.peers, 'peer')} ({plural(status.seeds, 'seed')})"
    if state == "fetching metadata":
        peers = _waits(snapshot) or plural(status.peers, "peer")
        return f"{state}: {format_percent(status.metadata_progress)}, {peers}"
    if state == "checking":
        return (
            f"checking: {status.checked_pieces:,} of {plural(status.piece_count, 'piece')}, "
            f"{status.pieces_have:,} good"
        )
    if state == "seeding":
        return (
            f"seeding: {format_rate(status.upload_rate)}, "
            f"{format_size(status.uploaded)} uploaded, {plural(status.peers, 'peer')}"
        )
    eta = "" if status.eta is None else f", ETA {format_eta(status.eta)}"
    return (
        f"{state}: {format_percent(status.progress)}, {format_size(status.bytes_done)} of "
        f"{format_size(status.total_length)}, {format_rate(status.download_rate)}{eta}, {peers}, "
        f"{status.pieces_have:,}/{plural(status.piece_count, 'piece')}"
    )


def peers_line(snapshot: Snapshot) -> str:
    """The peers in one line, above a line for each."""
    status = snapshot.status
    return _waits(snapshot) or (
        f"{plural(status.peers, 'peer')} ({plural(status.seeds, 'seed')}): "
        f"{format_rate(status.download_rate)} down, {format_rate(status.upload_rate)} up"
    )


def _waits(snapshot: Snapshot) -> str:
    return f"no peers: {snapshot.waiting_for}" if snapshot.waiting_for else ""
