"""The requests of one peer that wait for an answer, as contiguous runs.

A downloader asks for the blocks of a piece one after another. Kept as runs they cost nothing each,
and become one positional read and one vectored send.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from millstream.protocol.messages import BLOCK_LENGTH


@dataclass(slots=True)
class Run:
    """Consecutive requests of exactly `block_length` bytes each, `begin` to `end` of a piece."""

    index: int
    begin: int
    end: int
    block_length: int

    @property
    def length(self) -> int:
        """Bytes asked for."""
        return self.end - self.begin

    def holds(self, index: int, begin: int, length: int) -> bool:
        """Whether exactly this request is in it."""
        return (
            self.index == index
            and self.begin <= begin < self.end
            and (begin - self.begin) % self.block_length == 0
            and self.block_length == length
        )

    def blocks(self) -> Iterator[tuple[int, int]]:
        """The (begin, length) of every request in it."""
        for begin in range(self.begin, self.end, self.block_length):
            yield begin, self.block_length


class UploadQueue:
    """First come, first served. `requests` counts the waiting requests, `bytes` what they ask for."""

    __slots__ = ("_runs", "bytes", "requests")

    def __init__(self) -> None:
        self._runs: deque[Run] = deque()
        self.requests = 0
        self.bytes = 0

    def add(self, index: int, begin: int, length: int) -> None:
        """Append a request (already checked against the torrent's geometry)."""
        self.requests += 1
        self.bytes += length
        if self._runs:
            last = self._runs[-1]
            if (
                last.end == begin
                and last.index == index
                and last.block_length == length
                and last.length % length == 0
            ):
                last.end += length
                return
        self._runs.append(Run(index, begin, begin + length, length))

    @property
    def next_block_length(self) -> int:
        """The length of the first waiting request; of a usual one if none waits."""
        return self._runs[0].block_length if self._runs else BLOCK_LENGTH

    def take(self, most: int) -> Run | None:
        """Remove and return the first run, cut to at most `most` bytes but at least one request."""
        if not self._runs:
            return None
        run = self._runs[0]
        cut = run.begin + max(1, most // run.block_length) * run.block_length
        if cut < run.end:
            head = Run(run.index, run.begin, cut, run.block_length)
            run.begin = cut
            run = head
        else:
            self._runs.popleft()
        self._forget(run)
        return run

    def cancel(self, index: int, begin: int, length: int) -> bool:
        """Remove one waiting request; False if there is no such."""
        at = next((at for at, run in enumerate(self._runs) if run.holds(index, begin, length)), -1)
        if at < 0:
            return False
        run = self._runs[at]
        del self._runs[at]
        if begin + length < run.end:
            self._runs.insert(at, Run(index, begin + length, run.end, run.block_length))
        if run.begin < begin:
            self._runs.insert(at, Run(index, run.begin, begin, run.block_length))
        self.requests -= 1
        self.bytes -= length
        return True

    def clear(self) -> list[Run]:
        """Remove and return everything."""
        runs = list(self._runs)
        self._runs.clear()
        self.requests = self.bytes = 0
        return runs

    def _forget(self, run: Run) -> None:
        self.requests -= run.length // run.block_length
        self.bytes -= run.length
