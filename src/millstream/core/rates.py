"""Rates in bytes a second, smoothed over a few seconds."""

from __future__ import annotations

import math

# Long enough to read, short enough to follow: Transmission averages over 2.5 s, libtorrent over
# about 5 s.
TIME_CONSTANT = 3.0


class RateMeter:
    """An exponentially decaying average. Whoever moves bytes adds them to `total`."""

    __slots__ = ("_folded", "_rate", "_since", "_started", "total")

    def __init__(self, now: float) -> None:
        self.total = 0
        self._folded = 0
        self._rate = 0.0
        self._since = self._started = now

    def rate(self, now: float) -> float:
        """Bytes a second now. Folds what was added at most every 0.1 s."""
        elapsed = now - self._since
        if elapsed >= 0.1:
            keep = math.exp(-elapsed / TIME_CONSTANT)
            self._rate = self._rate * keep + (self.total - self._folded) / elapsed * (1 - keep)
            self._folded = self.total
            self._since = now
        # A young meter has seen less than its time constant: undo the pull towards zero.
        age = self._since - self._started
        return self._rate / (1 - math.exp(-age / TIME_CONSTANT)) if age else 0.0
