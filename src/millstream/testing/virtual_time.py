"""An event loop whose clock jumps: hours of a swarm in seconds, the same every time.

Nothing sleeps. When no callback is ready, the clock moves to the next deadline; when there is no
deadline either, the program waits for something that cannot happen, and the loop says so. Sockets
and threads would bring the real world's timing in, so the loop has none.

The loop is a `BaseEventLoop` with a selector that never selects: the same scheduling code as the
loops of production, with two inputs replaced.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import random
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, NoReturn, TypeVar, TypeVarTuple, Unpack

from millstream.errors import MillstreamError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

DEFAULT_LIMIT = 7 * 86_400.0
"""Seconds of virtual time after which a run is taken for endless: a week."""


class VirtualTimeError(MillstreamError):
    """A run in virtual time did what virtual time cannot: the message says what."""


class DeadlockError(VirtualTimeError):
    """Every task waits, and no timer is left to wake one. The message lists the tasks."""


class TimeLimitError(VirtualTimeError):
    """The run passed its limit of virtual seconds. The message lists the tasks."""


class _JumpingSelector:
    """Stands where a selector stands: instead of waiting for the timeout it moves the clock."""

    def __init__(self, jump: Callable[[float | None], None]) -> None:
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[Any, int]]:
        if timeout != 0:
            self._jump(timeout)
        return []


class VirtualTimeLoop(asyncio.BaseEventLoop):
    """An event loop in virtual time, which begins at 0.0 seconds.

    An exception that a callback lets escape ends the run at once; other loops only log it.

    Args:
        limit: seconds of virtual time after which the loop raises TimeLimitError.
    """

    def __init__(self, *, limit: float = DEFAULT_LIMIT) -> None:
        super().__init__()
        self._now = 0.0
        self._limit = limit
        self._failure: BaseException | None = None
        self._selector = _JumpingSelector(self._jump)
        self.set_exception_handler(_remember_failure)

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._now

    def fail(self, error: BaseException) -> None:
        """End the run with this error before the next callback; only the first one counts."""
        if self._failure is None:
            self._failure = error

    def raise_failure(self) -> None:
        """Raise, once, the error that was given to `fail`."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def call_soon_threadsafe(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Schedule as `call_soon` does; refused from another thread."""
        thread = getattr(self, "_thread_id", None)
        if thread is not None and thread != threading.get_ident():
            raise VirtualTimeError("virtual time has one thread; another one scheduled a callback")
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> NoReturn:
        """Refuse: a thread's pace is not the virtual clock's."""
        raise VirtualTimeError("virtual time has one thread; run_in_executor asked for another")

    def _run_once(self) -> None:
        self.raise_failure()
        super()._run_once()  # type: ignore[misc]

    def _process_events(self, event_list: list[Any]) -> None:
        """Do nothing: the selector never has events."""

    def _jump(self, timeout: float | None) -> None:
        if timeout is None:
            raise DeadlockError(
                f"deadlock at {self._now:.3f} s: nothing is ready and nothing is scheduled"
                + self._describe_tasks()
            )
        # The first deadline itself: now + timeout could miss it by a rounding.
        deadline: float = self._scheduled[0].when()  # type: ignore[attr-defined]
        if deadline > self._limit:
            raise TimeLimitError(
                f"the run did not end within {self._limit:g} virtual seconds"
                + self._describe_tasks()
            )
        self._now = max(self._now, deadline)

    def _describe_tasks(self) -> str:
        tasks = sorted(asyncio.all_tasks(self), key=asyncio.Task.get_name)
        return "".join(f"\n  {task.get_name()} waits in {_position(task)}" for task in tasks)


def _remember_failure(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    assert isinstance(loop, VirtualTimeLoop)
    loop.fail(context.get("exception") or VirtualTimeError(str(context.get("message"))))


def _position(task: asyncio.Task[Any]) -> str:
    """Say where a task waits: the coroutines that await each other, the innermost last."""
    places: list[str] = []
    coroutine: Any = task.get_coro()
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        file = frame.f_code.co_filename.rpartition("/")[2]
        places.append(f"{coroutine.__qualname__} ({file}:{frame.f_lineno})")
        coroutine = coroutine.cr_await
    return " > ".join(places) or repr(coroutine)


def run_virtual(
    main: Coroutine[Any, Any, T] | Callable[[random.Random], Coroutine[Any, Any, T]],
    *,
    seed: int = 0,
    limit: float = DEFAULT_LIMIT,
) -> T:
    """Run to completion in a new VirtualTimeLoop, then cancel what is left and close the loop.

    Args:
        main: a coroutine, or a function that makes one from the `random.Random` of this run.
        seed: of that `random.Random`. The same seed gives the same run.
        limit: virtual seconds the run may take.

    Raises:
        DeadlockError: nothing can happen any more.
        TimeLimitError: `limit` was passed.
        BaseException: whatever `main`, a callback or an abandoned task raised.
    """
    loop = VirtualTimeLoop(limit=limit)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        result = runner.run(main(random.Random(seed)) if callable(main) else main)
    loop.raise_failure()
    return result


def in_virtual_time(suite: type[T]) -> type[T]:
    """Make every coroutine method `test_*` of a class synchronous, run by `run_virtual`.

    A class decorator for conformance suites, for any test runner: inherited tests count, and the
    class they come from is left as it is.
    """
    for name in dir(suite):
        method = getattr(suite, name)
        if name.startswith("test_") and inspect.iscoroutinefunction(method):
            setattr(suite, name, _synchronous(method))
    return suite


def _synchronous(method: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(method)
    def test(*args: Any, **kwargs: Any) -> None:
        run_virtual(method(*args, **kwargs))

    # Test runners look through __wrapped__ and would find the coroutine function again.
    del test.__wrapped__
    return test
