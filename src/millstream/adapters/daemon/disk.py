"""The disk queue of a sandboxed engine: a tick's jobs go to the daemon in packed batches (seed 000).

A batch does not wait for the results of the one before, so a slow way to the daemon costs time and not
throughput; only as many are on their way as the daemon takes without holding up the connection. When the
daemon goes away, its batches are sent again to the one that comes back: whatever it did of them
already is done to the same bytes once more. If none comes back in time, their jobs fail.
"""

from __future__ import annotations

import asyncio
import errno
import time
from collections import deque
from collections.abc import Callable, Sequence

from millstream.adapters.daemon.connection import DaemonConnection
from millstream.adapters.daemon.disk_batch import (
    Batch,
    Buffer,
    job_length,
    make_batches,
    why_unfit,
)
from millstream.adapters.daemon.disk_metrics import DiskMetrics, DiskSnapshot
from millstream.adapters.daemon.files_away import root_away
from millstream.adapters.daemon.lent_path import below, split_root
from millstream.errors import MalformedFrameError, NetworkError, StorageError
from millstream.interfaces.disk import (
    DiskConfig,
    DiskJob,
    DiskResult,
    Hash,
    Outcome,
    Read,
    VerifiedWrite,
)
from millstream.io_wire.calls import encode_call
from millstream.io_wire.envelope import HEADER_LENGTH, LENGTH_LENGTH, Frame, Opcode

# What a frame has besides its payload, in a message of several.
FRAME_LENGTH = HEADER_LENGTH + LENGTH_LENGTH

# Times that a batch may go down with a daemon.
MAX_LOSSES = 3

# Paths of one release.
MAX_RELEASED = 2000


class BatchingDiskQueue:
    """Implements `interfaces.disk.DiskQueue`.

    Args:
        daemon: the connection to it; it is closed with this.
        config: how much may wait; threads and handles are the daemon's own business.
    """

    def __init__(self, daemon: DaemonConnection, config: DiskConfig | None = None) -> None:
        self._daemon = daemon
        self._config = config or DiskConfig()
        self._deliver: Callable[[list[DiskResult]], None] = lambda _results: None
        self._resume: Callable[[], None] = lambda: None
        self._queued: list[DiskJob] = []
        self._waiting: deque[Batch] = deque()
        self._returned: list[Batch] = []  # by a daemon that went away
        self._in_flight: dict[_Flight, None] = {}
        self._in_flight_bytes = 0
        self._finished: list[DiskResult] = []
        self._is_collecting = False
        self._pending_jobs = 0
        self._pending_write_bytes = 0
        self._was_full = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_closed = False
        self._giving_up: asyncio.TimerHandle | None = None
        self._has_given_up = False
        self._metrics = DiskMetrics()
        daemon.observe(self)

    def start(
        self, deliver: Callable[[list[DiskResult]], None], resume: Callable[[], None]
    ) -> None:
        """See `interfaces.disk.DiskQueue`."""
        self._deliver, self._resume = deliver, resume

    def submit_write(self, job: VerifiedWrite) -> None:
        """See `interfaces.disk.DiskQueue`."""
        self._pending_write_bytes += len(job.data)
        self._queued.append(job)

    def submit_read(self, job: Read) -> None:
        """See `interfaces.disk.DiskQueue`."""
        self._queued.append(job)

    def submit_hash(self, job: Hash) -> None:
        """See `interfaces.disk.DiskQueue`."""
        self._queued.append(job)

    def flush(self) -> None:
        """See `interfaces.disk.DiskQueue`."""
        queued = self._queued
        if not queued:
            return
        self._queued = []
        self._pending_jobs += len(queued)
        self._idle.clear()
        fit: list[DiskJob] = []
        for job in queued:
            why = why_unfit(job)
            if why is None:
                fit.append(job)
            else:
                self._finish([DiskResult(job, Outcome.INVALID_ARGS, why)])
        self._waiting.extend(make_batches(fit))
        self._send_waiting()

    @property
    def is_full(self) -> bool:
        """See `interfaces.disk.DiskQueue`."""
        full = self._pending_write_bytes > self._config.max_queued_bytes
        self._was_full = self._was_full or full
        return full

    def release(self, root: str, paths: tuple[str, ...]) -> None:
        """See `interfaces.disk.DiskQueue`."""
        token, directory = split_root(root)
        for at in range(0, len(paths), MAX_RELEASED):
            some = [below(directory, path) for path in paths[at : at + MAX_RELEASED]]
            call = {"op": "release", "root": token, "paths": some}
            # In line with the batches: those that follow meet the files that are there then.
            self._daemon.put_long(Opcode.CALL, encode_call(call))

    async def drain(self) -> None:
        """See `interfaces.disk.DiskQueue`."""
        self.flush()
        await self._idle.wait()

    async def close(self) -> None:
        """See `interfaces.disk.DiskQueue`."""
        if self._is_closed:
            return
        self._is_closed = True
        await self.drain()
        if self._giving_up is not None:
            self._giving_up.cancel()
        await self._daemon.close()

    def snapshot(self) -> DiskSnapshot:
        """What is on its way, and what was."""
        return DiskSnapshot(
            len(self._queued),
            len(self._waiting),
            len(self._in_flight),
            self._in_flight_bytes,
            self._metrics.copy(),
        )

    @property
    def is_daemon_up(self) -> bool:
        """Whether batches can be sent."""
        return self._daemon.is_up

    # Of the daemon: `connection.Observer`.

    def daemon_found(self) -> None:
        """See `connection.Observer`."""
        if self._giving_up is not None:
            self._giving_up.cancel()
        self._giving_up, self._has_given_up = None, False
        self._send_waiting()

    def daemon_lost(self, error: NetworkError) -> None:
        """See `connection.Observer`: the batches have been told already."""
        self._waiting.extendleft(reversed(self._returned))
        self._returned.clear()
        self._send_waiting()

    # Batches.

    def _send_waiting(self) -> None:
        """Send what the daemon takes, or wait for it."""
        if not self._daemon.is_up:
            self._wait_for_daemon()
            return
        window = self._daemon.hello.batch_window
        while self._waiting and self._daemon.is_up:
            length = self._waiting[0].length
            if self._in_flight and self._in_flight_bytes + length > window:
                return
            self._send(self._waiting.popleft())

    def _send(self, batch: Batch) -> None:
        began = time.perf_counter()
        try:
            payload = batch.pack()
            _check_length(payload, self._daemon.hello.max_message)
        except ValueError as error:  # a path that is too long, for one: it is found alone
            self._split(batch, error)
            return
        self._metrics.sent(batch, time.perf_counter() - began)
        flight = _Flight(self, batch)
        self._in_flight[flight] = None
        self._in_flight_bytes += batch.length
        self._daemon.ask(flight, batch.opcode, payload, long=True)

    def _split(self, batch: Batch, error: Exception) -> None:
        """Something of a batch cannot be packed: then each job goes alone."""
        if len(batch.jobs) > 1:
            self._waiting.extendleft(Batch(batch.opcode, [job]) for job in reversed(batch.jobs))
            return
        (job,) = batch.jobs
        why = StorageError(job.root, str(error))
        self._finish([DiskResult(job, Outcome.INVALID_ARGS, why)])

    def landed(self, flight: _Flight, results: list[DiskResult]) -> None:
        """The results of a batch are here."""
        self._forget(flight)
        self._metrics.came_back(flight.seconds)
        self._finish(results)
        self._send_waiting()

    def went_down(self, flight: _Flight) -> None:
        """The daemon went away with it: it is sent again, before all that came later."""
        self._forget(flight)
        batch = flight.batch
        batch.losses += 1
        if batch.losses > MAX_LOSSES:
            # Perhaps it went because of this one.
            self._finish_away(batch)
            return
        self._metrics.resent += 1
        # In the order in which they were sent; what waited comes after the last of them.
        self._returned.append(batch)

    def refused(self, flight: _Flight, why: str) -> None:
        """The daemon did not understand it, or we not its answer."""
        self._forget(flight)
        error = StorageError(flight.batch.jobs[0].root, why, errno.EPROTO)
        self._finish(flight.batch.failed(error))
        self._send_waiting()

    def _forget(self, flight: _Flight) -> None:
        del self._in_flight[flight]
        self._in_flight_bytes -= flight.batch.length

    # A daemon that is away.

    def _wait_for_daemon(self) -> None:
        if not self._waiting:
            return
        if self._has_given_up:
            self._give_up()
        elif self._giving_up is None:
            self._daemon.open()
            loop = asyncio.get_running_loop()
            self._giving_up = loop.call_later(self._daemon.patience, self._give_up)

    def _give_up(self) -> None:
        """All that waits fails, and all that comes, until there is a daemon again."""
        self._has_given_up, self._giving_up = True, None
        while self._waiting:
            self._finish_away(self._waiting.popleft())

    def _finish_away(self, batch: Batch) -> None:
        for job in batch.jobs:
            error = root_away(job.root, self._daemon.why)
            self._finish([DiskResult(job, Outcome.IO_ERROR, error)])

    # Results.

    def _finish(self, results: list[DiskResult]) -> None:
        self._finished += results
        if not self._is_collecting:
            self._is_collecting = True
            asyncio.get_running_loop().call_soon(self._collect)

    def _collect(self) -> None:
        self._is_collecting = False
        results, self._finished = self._finished, []
        for result in results:
            if isinstance(result.job, VerifiedWrite):
                self._pending_write_bytes -= job_length(result.job)
        self._pending_jobs -= len(results)
        if results:
            self._deliver(results)
        if self._was_full and not self.is_full:
            self._was_full = False
            self._resume()
        if not self._pending_jobs:
            self._idle.set()


class _Flight:
    """A batch at the daemon: `connection.Request`."""

    __slots__ = ("_queue", "_sent_at", "batch", "seconds")

    def __init__(self, queue: BatchingDiskQueue, batch: Batch) -> None:
        self.batch = batch
        self.seconds = 0.0
        self._queue = queue
        self._sent_at = time.perf_counter()

    def answered(self, frame: Frame) -> bool:
        """See `connection.Request`."""
        self.seconds = time.perf_counter() - self._sent_at
        try:
            results = self.batch.results(frame.opcode, frame.payload)
        except MalformedFrameError as error:
            why = f"what the io-daemon answers makes no sense: {error}"
            self._queue.refused(self, why)
        else:
            self._queue.landed(self, results)
        return True

    def failed(self, error: NetworkError) -> None:
        """See `connection.Request`."""
        if self._queue.is_daemon_up:
            self._queue.refused(self, str(error))
        else:
            self._queue.went_down(self)


def _check_length(payload: Sequence[Buffer], most: int) -> None:
    """Raises ValueError for a batch that the daemon would not take."""
    length = sum(map(len, payload)) + FRAME_LENGTH
    if length > most:
        raise ValueError(f"{length} bytes at once are more than the {most} of the io-daemon")
