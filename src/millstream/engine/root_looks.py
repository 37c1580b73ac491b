"""Looks at storage roots, few at a time: one at a dead server never ends, and must not pile up.

Each look holds one of the threads in which files are looked at, and these are few
(`adapters.native.errands.MAX_THREADS`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

# Two, and two more while others do not end; then new ones wait until one of them does.
MAX_LOOKS_AT_ONCE = 2
MAX_LOOKS = 4

# Seconds after which a root counts as gone that does not answer; a disk that has to spin up first
# takes some ten.
LOOK_PATIENCE = 30.0

# Seconds that looks may still take when the engine closes.
CLOSE_PATIENCE = 2.0


@dataclass(slots=True, eq=False)
class _Look:
    task: asyncio.Task[None]
    ended: asyncio.Future[None]
    began: float


class RootLooks:
    """One task for each root that is being looked at.

    Args:
        work: looks at the root of a token; raises nothing.
    """

    def __init__(self, work: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        self._work = work
        self._urgent: dict[str, asyncio.Future[None]] = {}
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._running: dict[str, _Look] = {}
        self._is_closed = False

    def __contains__(self, token: str) -> bool:
        return token in self._running or token in self._waiting or token in self._urgent

    @property
    def waiting(self) -> int:
        """Looks that have not begun."""
        return len(self._waiting) + len(self._urgent)

    def ask(self, token: str, *, urgent: bool = False) -> asyncio.Future[None]:
        """See that a root is looked at, before others if it is urgent.

        Returns:
            What is done when it ended. It is cancelled if there will be no look any more.
        """
        running = self._running.get(token)
        if running is not None:
            return running.ended
        ended = self._urgent.get(token) or self._waiting.get(token)
        if ended is None:
            ended = self._waiting[token] = asyncio.get_running_loop().create_future()
        if urgent and token in self._waiting:
            self._urgent[token] = self._waiting.pop(token)
        if self._is_closed:
            self._give_up()
        self.begin()
        return ended

    def begin(self) -> None:
        """Begin those that wait, as far as may be: time alone can make room."""
        loop = asyncio.get_running_loop()
        while not self._is_closed and (self._urgent or self._waiting) and self._has_slot():
            source = self._urgent or self._waiting
            token = next(iter(source))
            ended = source.pop(token)
            task = loop.create_task(self._work(token), name=f"look at the storage root {token}")
            self._running[token] = _Look(task, ended, loop.time())
            task.add_done_callback(partial(self._end, token))

    def overdue(self, now: float) -> list[str]:
        """The roots that do not answer."""
        return [token for token, look in self._running.items() if _is_late(look, now)]

    async def close(self) -> None:
        """Look no more. What does not end soon is left to itself."""
        self._is_closed = True
        self._give_up()
        tasks = [look.task for look in self._running.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=CLOSE_PATIENCE)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _give_up(self) -> None:
        for ended in (*self._urgent.values(), *self._waiting.values()):
            ended.cancel()
        self._urgent, self._waiting = {}, {}

    def _end(self, token: str, _: asyncio.Task[None]) -> None:
        look = self._running.pop(token)
        if not look.ended.done():
            look.ended.set_result(None)
        self.begin()

    def _has_slot(self) -> bool:
        now = asyncio.get_running_loop().time()
        timely = sum(not _is_late(look, now) for look in self._running.values())
        return timely < MAX_LOOKS_AT_ONCE and len(self._running) < MAX_LOOKS


def _is_late(look: _Look, now: float) -> bool:
    return now >= look.began + LOOK_PATIENCE
