"""What is to happen in the simulated internet: few timers of the loop for very many events.

An event of the loop costs as much as the message that it carries. So whatever happens at the same
time shares one, and a network with a *resolution* lets more happen at the same time: each event at
the nearest multiple of it. That is what a network card does which interrupts once for many packets,
and it also lets an engine deal with many peers in one tick.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from typing import TypeAlias

Call: TypeAlias = Callable[[], object]


class Agenda:
    """Calls by the loop's time at which they are due; those of one time run in order.

    Args:
        resolution: seconds; 0 for exact times. No rate is wrong because of it: links reckon with
            exact times.
    """

    __slots__ = ("_due", "_resolution", "_slack", "_soon")

    def __init__(self, resolution: float = 0.0) -> None:
        self._resolution = resolution
        self._slack = resolution / 2
        self._due: dict[float, list[Call]] = {}
        self._soon: list[Call] = []

    def is_due(self, when: float, now: float) -> bool:
        """Whether what happens at `when` happens now, as far as the resolution tells."""
        return when <= now + self._slack

    def at(self, when: float, call: Call) -> None:
        """Call at a time that is not due yet."""
        if self._resolution:
            when = math.floor(when / self._resolution + 0.5) * self._resolution
        calls = self._due.get(when)
        if calls is None:
            self._due[when] = [call]
            asyncio.get_running_loop().call_at(when, self._arrived, when)
        else:
            calls.append(call)

    def soon(self, call: Call) -> None:
        """Call in the loop's next iteration, once whatever runs in this one is through."""
        if not self._soon:
            asyncio.get_running_loop().call_soon(self._run_soon)
        self._soon.append(call)

    def _run_soon(self) -> None:
        calls, self._soon = self._soon, []
        _run(calls)

    def _arrived(self, when: float) -> None:
        _run(self._due.pop(when))


def _run(calls: Iterable[Call]) -> None:
    for call in calls:
        try:
            call()
        except Exception as error:  # noqa: BLE001  as the loop does: the others still run
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"{call!r} failed", "exception": error}
            )
