"""A heart for what beats."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Beating(Protocol):
    """What the heartbeat calls once a second."""

    def beat(self, now: float) -> None:
        """A second has passed."""


async def beat_for(seconds: float, beating: Beating) -> None:
    """Let so much time pass, with a beat each second."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        await asyncio.sleep(1)
        beating.beat(loop.time())
    await asyncio.sleep(0.01)
