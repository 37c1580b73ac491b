"""How many connections may be begun now, so that no router is flooded with them.

Home routers keep a table of connections and choke on bursts: libtorrent begins 30 a second
(`connection_speed`), Transmission 18.
"""

from __future__ import annotations

import math


class ConnectRate:
    """A counter that fills with time; each attempt takes one. Full it holds a second's worth.

    Args:
        per_second: attempts a second.
    """

    __slots__ = ("_at", "_left", "_per_second", "_room")

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._room = max(1.0, per_second)
        self._left = self._room
        self._at = -math.inf

    def available(self, now: float) -> int:
        """How many attempts may be made now."""
        if now > self._at:
            elapsed = now - self._at
            self._left = min(self._room, self._left + elapsed * self._per_second)
            self._at = now
        # What falls short of one by a rounding is one.
        return int(self._left + 1e-9)

    def take(self) -> None:
        """An attempt is made."""
        self._left -= 1

    def wait(self, now: float) -> float:
        """Seconds until an attempt may be made."""
        if self.available(now):
            return 0.0
        return (1 - self._left) / self._per_second
