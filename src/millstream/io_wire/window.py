"""How many bytes of a socket may be on their way, to whoever gives the credit for them.

A socket that fills a whole window within two round trips could do more: its window is doubled, as long
as there is room for all. So a socket over a slow way between engine and daemon is as fast as one
nearby, and a thousand idle ones cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable

# To begin with: what a round trip of 1 ms brings at 2 Gbit/s.
FIRST_WINDOW = 256 << 10

# Of one socket: 100 ms at 640 Mbit/s.
MAX_WINDOW = 8 << 20

# By which all windows of a side together may grow: what nobody takes in time lies in memory there.
MAX_GROWTH = 32 << 20


class WindowRoom:
    """What the windows of all sockets share.

    Args:
        clock: seconds.
        round_trip: seconds to the other side and back, as far as is known.

    Attributes:
        growth: bytes by which windows have grown.
    """

    def __init__(self, clock: Callable[[], float], round_trip: Callable[[], float]) -> None:
        self.clock = clock
        self.round_trip = round_trip
        self.growth = 0


class Window:
    """One socket's.

    Args:
        room: shared with all others.
    """

    __slots__ = ("_began", "_in_window", "_room", "_taken", "length")

    def __init__(self, room: WindowRoom) -> None:
        self.length = FIRST_WINDOW
        self._room = room
        self._taken = 0  # since credit was given
        self._in_window = 0  # since the window's time began
        self._began = 0.0

    def taken(self, count: int) -> int:
        """So many bytes were taken.

        Returns:
            How much credit is to be given for it; 0 for none yet.
        """
        self._taken += count
        if self._taken < self.length // 4:
            return 0
        credit, self._taken = self._taken, 0
        return credit + self._grow(credit)

    def close(self) -> None:
        """The socket is gone."""
        self._room.growth -= self.length - FIRST_WINDOW
        self.length = FIRST_WINDOW

    def _grow(self, credit: int) -> int:
        now = self._room.clock()
        self._in_window += credit
        if self._in_window < self.length:
            return 0
        was_quick = now - self._began < 2 * self._room.round_trip()
        self._began, self._in_window = now, 0
        if not was_quick or 2 * self.length > MAX_WINDOW:
            return 0
        if self._room.growth + self.length > MAX_GROWTH:
            return 0
        growth = self.length
        self.length += growth
        self._room.growth += growth
        return growth
