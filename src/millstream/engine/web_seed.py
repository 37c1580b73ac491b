"""One web seed at work: to the torrent a peer, to the network some HTTP requests (BEP 19)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import Protocol

from millstream.core.geometry import Geometry
from millstream.core.peer import Peer
from millstream.core.web_seed_queue import MAX_RUN_LENGTH, Run, WebSeedQueue
from millstream.engine.reading import Reading, Throttle
from millstream.engine.web_seed_files import FileUnusableError, ServerBusyError, WebSeedFiles
from millstream.errors import HttpError, MillstreamError, RemoteProtocolError

# Runs that are fetched at once, each over a connection of its own: while one waits for its first
# byte, others flow. Transmission has 4 connections to a web seed.
MAX_RUNS = 4
# Under a rate limit two keep the turns used, and less is under way that was not let in yet.
MAX_LIMITED_RUNS = 2
# Blocks asked of a web seed at most: as much as all its runs take.
MAX_REQUESTS = MAX_RUNS * MAX_RUN_LENGTH >> 14
# Seconds after which a request that brings nothing is given up; libtorrent's `urlseed_timeout` is 20.
STALL_TIME = 20.0


class WebSeedOwner(Protocol):
    """Whom a web seed at work tells what becomes of it."""

    def is_wanted(self, link: WebSeedLink, index: int, begin: int) -> bool:
        """Whether a block is still awaited from it."""

    def touched(self, link: WebSeedLink) -> None:
        """Blocks came."""

    def file_unusable(self, link: WebSeedLink, file: int, error: str) -> bool:
        """It lacks a file; whether it has others."""

    def lost(self, link: WebSeedLink, error: str | None, retry_after: float | None) -> None:
        """It is at work no more; the error is None if that was no fault of its own."""


class Fetch:
    """A run on its way.

    Attributes:
        task: fetches it.
        heard_at: when it last brought something, or was let bring something.
        is_held: whether it waits because of us.
        error: why it was given up.
    """

    __slots__ = ("error", "heard_at", "is_held", "run", "task")

    task: asyncio.Task[None]

    def __init__(self, run: Run, now: float) -> None:
        self.run = run
        self.heard_at = now
        self.is_held = False
        self.error: HttpError | None = None


class WebSeedLink:
    """The connection to a web seed: a `core.peer.PeerLink` and an `engine.reading.LimitedLink`.

    Args:
        files: where its files are.
        geometry: the torrent's pieces.
        owner: is told what becomes of it.
        tasks: where its tasks are kept until they are over.

    Attributes:
        peer: what the torrent takes it for; set right after.
        unsent_bytes: nothing ever waits to be sent.
        reading: whether it fetches, or is held for the disk or a rate limit.
        throttle: counts what it receives; None: there is no limit.
    """

    peer: Peer

    def __init__(
        self,
        files: WebSeedFiles,
        geometry: Geometry,
        owner: WebSeedOwner,
        tasks: set[asyncio.Task[None]],
    ) -> None:
        self.unsent_bytes = 0
        self.is_closed = False
        self.reading = Reading(self)
        self.throttle: Throttle | None = None
        self._files = files
        self._owner = owner
        self._tasks = tasks
        self._queue = WebSeedQueue(geometry, partial(owner.is_wanted, self), self._dropped)
        self._fetches: list[Fetch] = []
        self._most_fetches = MAX_RUNS
        self._most_at_once: int | None = None
        self._may_read = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    # core.peer.PeerLink

    def send(self, data: bytes) -> None:
        """Take messages as a peer would; requests are fetched."""
        self._queue.send(data)
        self._begin()

    def close(self, reason: str) -> None:
        """Fetch no more, for a reason that lies with us."""
        self._end(None, None)

    def _dropped(self, index: int, begin: int, length: int) -> None:
        self.peer.receive_reject(index, begin, length)

    # engine.reading.Readable

    def pause_reading(self) -> None:
        """Bring nothing for the time being."""
        self._may_read.clear()

    def resume_reading(self) -> None:
        """Undo `pause_reading`."""
        self._may_read.set()
        self._begin()

    def limit_receive(self, most: int | None) -> None:
        """Bring at most so many bytes at once; None: as many as come."""
        self._most_at_once = most

    # Fetching.

    def tend(self, now: float) -> None:
        """Give up requests that bring nothing, or nothing that is still wanted; twice a second."""
        for fetch in self._fetches:
            if self._queue.is_useless(fetch.run):
                fetch.task.cancel()
            elif not fetch.is_held and now - fetch.heard_at > STALL_TIME:
                fetch.error = HttpError(f"the server sent nothing for {STALL_TIME:g} seconds")
                fetch.task.cancel()
        self._begin()

    def _begin(self) -> None:
        most = self._most_fetches
        if self.peer.snubbed:
            most = 1  # a line so slow is not to be shared
        elif self.throttle is not None:
            most = min(MAX_LIMITED_RUNS, most)
        while not self.is_closed and not self.reading.is_held and len(self._fetches) < most:
            run = self._queue.next_run()
            if run is None:
                return
            fetch = Fetch(run, self._loop.time())
            fetch.task = self._loop.create_task(self._fetch(fetch))
            self._fetches.append(fetch)
            self._tasks.add(fetch.task)
            fetch.task.add_done_callback(partial(self._fetched, fetch))

    async def _fetch(self, fetch: Fetch) -> None:
        for part in self._files.parts(fetch.run.offset, fetch.run.length):
            if part.file is None:
                self._take(fetch, memoryview(bytes(part.length)))
            else:
                received = partial(self._data_received, fetch)
                await self._files.fetch(part.file, part.begin, part.length, received)

    def _data_received(self, fetch: Fetch, view: memoryview) -> Awaitable[None] | None:
        if self.throttle is None and not self.reading.is_held:
            self._take(fetch, view)
            return None
        return self._take_by_and_by(fetch, view)

    async def _take_by_and_by(self, fetch: Fetch, view: memoryview) -> None:
        """Take what came as fast as the disk and the limit let it in."""
        while view:
            if self.reading.is_held:
                fetch.is_held = True
                await self._may_read.wait()
                fetch.is_held = False
                continue
            part = view[: self._most_at_once]
            view = view[len(part) :]
            if self.throttle is not None:
                self.throttle.received(self, len(part))
            self._take(fetch, part)

    def _take(self, fetch: Fetch, view: memoryview) -> None:
        if self.is_closed:
            return
        fetch.heard_at = self.peer.now = self._loop.time()
        fetch.run.data_received(view, self.peer.receive_block)
        self._owner.touched(self)

    def _fetched(self, fetch: Fetch, task: asyncio.Task[None]) -> None:
        """A run is over, well or badly."""
        self._tasks.discard(task)
        self._fetches.remove(fetch)
        self._queue.end(fetch.run)
        error = fetch.error if task.cancelled() else task.exception()
        if self.is_closed:
            return
        if isinstance(error, HttpError | RemoteProtocolError):
            self._failed(error)
        elif error is not None:
            raise error
        self._begin()

    def _failed(self, error: MillstreamError) -> None:
        if isinstance(error, FileUnusableError):
            if self._owner.file_unusable(self, error.file, str(error)):
                return
        elif self._fetches:
            # The server may not want so many connections: the others go on.
            self._most_fetches = len(self._fetches)
            return
        self._end(str(error), error.retry_after if isinstance(error, ServerBusyError) else None)

    def _end(self, error: str | None, retry_after: float | None) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        for fetch in self._fetches:
            fetch.task.cancel()
        self._owner.lost(self, error, retry_after)
