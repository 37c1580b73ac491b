"""Long work in turns: in between the loop does what else there is to do, for the peers first of all."""

from __future__ import annotations

import asyncio

# Seconds of a turn, about: what a tick of many busy peers takes, too.
TURN_TIME = 0.005


class Turns:
    """The turns of one piece of work; made when it begins."""

    __slots__ = ("_loop", "_over_at")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over_at = self._loop.time() + TURN_TIME

    async def next(self) -> bool:
        """Let others have theirs if this one is over; whether they had. Call it each millisecond."""
        if self._loop.time() < self._over_at:
            return False
        await asyncio.sleep(0)
        self._over_at = self._loop.time() + TURN_TIME
        return True
