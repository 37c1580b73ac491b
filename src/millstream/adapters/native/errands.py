"""Short blocking work in threads, for a coroutine to wait for: `asyncio.to_thread`, but cheaper.

That takes a copied context, two futures chained to each other, a condition and two wake-ups of
threads; here the loop's own future, a lock for each thread and at most one wake-up of the loop are
enough. It was measured: 19 us of CPU a call instead of 37.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

# Errands that run at the same time; more wait. As many as asyncio's own pool of threads at most has:
# a disk that does not answer keeps one of them for each errand it was given.
MAX_THREADS = 32

# A thread without an errand ends after so many seconds.
IDLE_SECONDS = 10.0

# Seconds for which the end of the interpreter waits for errands that nobody waits for any more.
EXIT_PATIENCE = 10.0


@dataclass(slots=True, eq=False)
class _Errand:
    """Work, and who waits for it; then what came of it."""

    work: Callable[[], Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None

    def tell(self) -> None:
        """Say what came of it. In the loop's thread."""
        if self.future.done():
            return
        if isinstance(self.error, StopIteration):
            # A future takes none: where it is awaited it would be a result.
            self.error = RuntimeError(f"an errand raised {self.error!r}")
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class _Worker(threading.Thread):
    """A thread, with what it is to do next. Whoever gives it that frees `call`.

    It ends after its errand if `is_last`.
    """

    def __init__(self, work: Callable[[_Worker], None], first: _Errand) -> None:
        # A daemon, for the interpreter would wait until an idle one ends. `_wait_for_all` waits for
        # those that are at work.
        super().__init__(target=work, args=(self,), name="millstream-files", daemon=True)
        self.errand: _Errand | None = first
        self.is_last = False
        self.call = threading.Lock()
        self.call.acquire()


class Errands:
    """The errands of one event loop. Create and use it in the loop's thread.

    Threads are started on demand, up to a limit, and the one that had work last gets the next.

    Args:
        max_threads: how many errands run at once.
        idle_seconds: how long a thread waits for another errand.
    """

    def __init__(self, max_threads: int = MAX_THREADS, idle_seconds: float = IDLE_SECONDS) -> None:
        self.loop = asyncio.get_running_loop()
        self._max_threads = max_threads
        self._idle_seconds = idle_seconds
        # Guards the three below. Nobody waits while he has it.
        self._lock = threading.Lock()
        self._workers: set[_Worker] = set()
        self._idle: list[_Worker] = []
        self._waiting: deque[_Errand] = deque()
        # From the threads to the loop.
        self._finished: deque[_Errand] = deque()
        self._waking = False
        _everywhere.add(self)

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Do it in a thread; the future has its result, or the exception that it raised.

        If the future is cancelled, work that has not begun is left undone; what has begun comes to
        its end, and nobody is told.

        Raises:
            RuntimeError: no thread is there, and the system has no more.
        """
        future: asyncio.Future[T] = self.loop.create_future()
        errand = _Errand(work, future)
        with self._lock:
            if self._give(errand, self._max_threads):
                return future
            worker = _Worker(self._work, errand)
            self._workers.add(worker)
        try:
            worker.start()
        except RuntimeError:  # the system has no more threads
            with self._lock:
                self._workers.discard(worker)
                if not self._give(errand, 1):
                    raise
        return future

    def _give(self, errand: _Errand, enough: int) -> bool:
        """Leave it to one of the threads that there are, if one is idle or they are so many."""
        if self._idle:
            worker = self._idle.pop()
            worker.errand = errand
            worker.call.release()
            return True
        if len(self._workers) >= enough:
            self._waiting.append(errand)
            return True
        return False

    def close(self) -> None:
        """End the threads that have nothing to do; others end after their errand.

        Whoever comes with another errand gets a new thread.
        """
        with self._lock:
            idle, self._idle = self._idle, []
            self._workers.difference_update(idle)
            for worker in self._workers:
                worker.is_last = True
        for worker in idle:
            worker.call.release()
        for worker in idle:
            worker.join()

    def wait(self, until: float) -> None:
        """Wait until every errand is done and every thread has ended, or until `time.monotonic()`.

        For when no loop runs any more.
        """
        self.close()
        with self._lock:
            at_work = list(self._workers)
        for worker in at_work:
            worker.join(max(0.0, until - time.monotonic()))

    def _collect(self) -> None:
        self._waking = False
        finished = self._finished
        for _ in range(len(finished)):
            finished.popleft().tell()

    # In the threads.

    def _work(self, worker: _Worker) -> None:
        while (errand := worker.errand) is not None:
            if not errand.future.cancelled():
                try:
                    errand.result = errand.work()
                except BaseException as error:  # noqa: BLE001 - it is the waiting coroutine's
                    errand.error = error
            # Ready for the next before the loop hears of this one: most often the loop has it then,
            # and the thread need not even fall asleep. Nor does `close` find it still at work.
            with self._lock:
                worker.errand = self._waiting.popleft() if self._waiting else None
                is_idle = worker.errand is None and not worker.is_last
                if is_idle:
                    self._idle.append(worker)
                elif worker.errand is None:
                    self._workers.discard(worker)
            self._finished.append(errand)
            # A thread that rests holds on to nothing: a result may be large. Nor does an exception
            # by way of its traceback, which leads here.
            del errand
            self._wake_loop()
            if is_idle:
                self._rest(worker)

    def _wake_loop(self) -> None:
        # Two threads may both wake it; the second finds nothing and that is fine.
        if not self._waking:
            self._waking = True
            with suppress(RuntimeError):  # it is closed, and nobody waits
                self.loop.call_soon_threadsafe(self._collect)

    def _rest(self, worker: _Worker) -> None:
        """Wait for an errand. If it has none after that, the worker has left."""
        if worker.call.acquire(timeout=self._idle_seconds):
            return
        with self._lock:
            if worker in self._idle:
                self._idle.remove(worker)
                self._workers.discard(worker)
                return
        worker.call.acquire()  # it was called at the last moment


_everywhere: weakref.WeakSet[Errands] = weakref.WeakSet()

# A fork has no thread of these, and whoever held a lock then never lets it go there.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_everywhere.clear)


@atexit.register
def _wait_for_all() -> None:
    """What somebody gave up waiting for comes to its end, unless its disk answers no more."""
    until = time.monotonic() + EXIT_PATIENCE
    for errands in list(_everywhere):
        errands.wait(until)
