"""The slow rhythm beside the tick: what has to be looked at though nothing happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from millstream.core.torrent import BEAT
from millstream.logging.component_logger import component_logger

_LOG = component_logger("engine")


class Heartbeat:
    """Calls everyone every BEAT seconds, with the loop's time.

    Args:
        beats: whom, in this order.
    """

    def __init__(self, beats: Sequence[Callable[[float], None]]) -> None:
        self._beats = beats
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin; the first beat comes after BEAT seconds."""
        self._timer = asyncio.get_running_loop().call_later(BEAT, self._beat)

    def stop(self) -> None:
        """No more beats."""
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        # Before all else: whatever goes wrong in one beat, there is a next one.
        self._timer = loop.call_later(BEAT, self._beat)
        now = loop.time()
        for beat in self._beats:
            try:
                beat(now)
            except Exception:  # noqa: BLE001 - it is logged whole
                _LOG.exception("something that is looked after now and then is not")
