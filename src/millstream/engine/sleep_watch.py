"""Noticing that the machine slept, that this process did, or that somebody set the clock.

The loop's clock never goes back, and on Linux and macOS it stands still while the machine sleeps.
The wall clock goes on, and goes wherever it is set. Where they part, one of both happened. Which of
them, two clocks alone cannot tell when the wall clock is ahead; for connections it is safe to take
it for a sleep, as all that comes of that is asking whether the others are still there.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from typing import NamedTuple

from millstream.interfaces.clock import LocalClock
from millstream.logging.component_logger import component_logger

# Seconds. Clocks are set by less when they are kept right, and a beat may come late by less.
LEAST_JUMP = 30.0

_LOG = component_logger("engine")


class JumpKind(enum.Enum):
    """What happened, as far as can be told."""

    SLEPT = "slept or set ahead"
    """The wall clock went on alone: the machine slept, or the clock was set ahead."""
    STALLED = "stalled"
    """Both clocks went on, and no beat came: the process was stopped, or the machine slept and
    its loop's clock goes on in sleep, as that of Windows does."""
    SET_BACK = "set back"
    """The wall clock was set back. Connections are as they were."""


class ClockJump(NamedTuple):
    """A jump of time.

    Attributes:
        kind: what happened.
        seconds: how long nothing was done, or how far the clock was set; never negative.
    """

    kind: JumpKind
    seconds: float

    @property
    def is_gap(self) -> bool:
        """Whether others may have given up on us meanwhile."""
        return self.kind is not JumpKind.SET_BACK


class SleepWatch:
    """Compares the clocks in every beat.

    Args:
        clock: the wall clock.
        jumped: is told.
    """

    def __init__(self, clock: LocalClock, jumped: Callable[[ClockJump], None]) -> None:
        self._clock = clock
        self._jumped = jumped
        self._last: tuple[float, float] | None = None

    def beat(self) -> None:
        """Look at both clocks; call it about once a second."""
        now, wall = asyncio.get_running_loop().time(), self._clock.wall_time()
        last, self._last = self._last, (now, wall)
        if last is None:
            return
        passed, apart = now - last[0], (wall - now) - (last[1] - last[0])
        if apart >= LEAST_JUMP:
            jump = ClockJump(JumpKind.SLEPT, passed + apart)
        elif passed >= LEAST_JUMP:
            jump = ClockJump(JumpKind.STALLED, passed)
        elif apart <= -LEAST_JUMP:
            jump = ClockJump(JumpKind.SET_BACK, -apart)
        else:
            return
        _LOG.info("the clock jumped: %s, %.0f s", jump.kind.value, jump.seconds)
        self._jumped(jump)
