"""The rhythm of the engine (seed 000), driven by events.

Whatever happens - bytes came, the disk answered, a beat of the clock - asks for one tick in the
present iteration of the loop. A tick has five phases, the same for all torrents that have
something to do, and ends with one hand-over to the disk for all of them.

The clock's beat is for torrents that are awake: those that were woken since they last came to rest.
Ten thousand that rest cost it nothing.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from typing import Protocol

from millstream.engine.tick_meter import TickMeter
from millstream.interfaces.disk import DiskQueue, DiskResult
from millstream.logging.component_logger import component_logger

_LOG = component_logger("engine")


class Ticking(Protocol):
    """A torrent as the tick sees it."""

    def gather(self, results: list[DiskResult]) -> None:
        """Take the disk's results."""

    def process(self, now: float) -> None:
        """Do what is due by time."""

    def request(self, now: float) -> None:
        """Ask peers for blocks."""

    def output(self, now: float) -> None:
        """Give pieces to the disk, and news and data to the peers."""

    def rests_until(self, now: float) -> float:
        """When time alone will bring something about: now or before, later, or never (infinity)."""

    def broke(self, error: Exception) -> None:
        """One of the above raised what it should not have: give up, and leave the others alone."""


class Tick:
    """Runs the phases. `pause` is called when the disk took all it can.

    Attributes:
        meter: how long the ticks took.
    """

    def __init__(self, disk: DiskQueue) -> None:
        self._disk = disk
        self.meter = TickMeter()
        self._due: dict[Ticking, None] = {}
        self._results: dict[Ticking, list[DiskResult]] = {}
        self._running: list[Ticking] = []
        self._awake: dict[Ticking, None] = {}
        self._resting: dict[Ticking, float] = {}
        self._next_rise = math.inf
        self._scheduled: asyncio.Handle | None = None

    def wake(self, torrent: Ticking) -> None:
        """The torrent has something to do: tick soon."""
        self._due[torrent] = None
        if self._scheduled is None:
            self._scheduled = asyncio.get_running_loop().call_soon(self.run)

    def deliver(self, torrent: Ticking, result: DiskResult) -> None:
        """The disk answered: gather it in the next tick."""
        self._results.setdefault(torrent, []).append(result)
        self.wake(torrent)

    def beat(self, now: float) -> None:
        """Half a second is over: wake those that are awake still, or have rested long enough."""
        if now >= self._next_rise:
            for torrent in [each for each, until in self._resting.items() if until <= now]:
                del self._resting[torrent]
                self.wake(torrent)
            self._next_rise = min(self._resting.values(), default=math.inf)
        self._for_each(list(self._awake), lambda torrent: self._let_rest(torrent, now))

    def _let_rest(self, torrent: Ticking, now: float) -> None:
        """Wake a torrent, or let it rest for as long as it may."""
        until = torrent.rests_until(now)
        if until <= now:
            self.wake(torrent)
            return
        del self._awake[torrent]
        if until < math.inf:
            self._resting[torrent] = until
            self._next_rise = min(self._next_rise, until)

    def forget(self, torrent: Ticking) -> None:
        """The torrent leaves the engine."""
        for book in (self._due, self._results, self._awake, self._resting):
            book.pop(torrent, None)

    def stop(self) -> None:
        """Forget what is scheduled."""
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None

    def run(self) -> None:
        """One tick."""
        clock = asyncio.get_running_loop().time
        now = clock()
        self._scheduled = None
        self._running = list(self._due)
        self._awake.update(self._due)
        self._due = {}
        self.gather()
        self.process(now)
        self.request(now)
        self.output(now)
        self.write()
        self._running = []
        self.meter.took(now, clock())

    def gather(self) -> None:
        """Phase 1: the disk's results. Bytes from peers were taken in as they came."""
        results, self._results = self._results, {}
        self._for_each(results, lambda torrent: torrent.gather(results[torrent]))

    def process(self, now: float) -> None:
        """Phase 2: timeouts, slots, interest, new connections."""
        self._for_each(self._running, lambda torrent: torrent.process(now))

    def request(self, now: float) -> None:
        """Phase 3: top up the request queues."""
        self._for_each(self._running, lambda torrent: torrent.request(now))

    def output(self, now: float) -> None:
        """Phase 4: whole pieces, haves, answers."""
        self._for_each(self._running, lambda torrent: torrent.output(now))

    def write(self) -> None:
        """Phase 5: everything for the disk, at once."""
        self._disk.flush()

    def _for_each(self, torrents: Iterable[Ticking], act: Callable[[Ticking], None]) -> None:
        """Do it with all. One that breaks hinders no other; a try costs nothing where all is well."""
        for torrent in torrents:
            try:
                act(torrent)
            except Exception as error:  # noqa: BLE001 - it is logged whole, by the torrent
                self._give_up(torrent, error)

    def _give_up(self, torrent: Ticking, error: Exception) -> None:
        # Or it would break again in every beat. Once it is started again, that wakes it.
        self._awake.pop(torrent, None)
        try:
            torrent.broke(error)
        except Exception:  # noqa: BLE001 - it is logged whole
            _LOG.exception("a torrent broke, and could not be stopped")
