"""Whether a connection is read: whoever held it must let it go on."""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum
from typing import Protocol


class Hold(Enum):
    """Why a connection is not read."""

    DISK = "the disk took all it can"
    RATE = "the rate limit is used up"


class Readable(Protocol):
    """What is read; see `interfaces.network.Connection`."""

    def pause_reading(self) -> None:
        """Bring nothing for the time being."""

    def resume_reading(self) -> None:
        """Undo `pause_reading`."""

    def limit_receive(self, most: int | None) -> None:
        """Bring at most so many bytes at once; None: as many as come."""


class LimitedLink(Hashable, Protocol):
    """What a rate limit asks of whoever receives."""

    throttle: Throttle | None

    @property
    def reading(self) -> Reading:
        """Its reading side."""


class Throttle(Protocol):
    """Keeps a rate limit on what links receive."""

    def received(self, link: LimitedLink, length: int) -> None:
        """A link brought so many bytes; it may hold the link's reading."""

    def resume(self, link: LimitedLink, now: float) -> None:
        """The link's turn has come: read it again."""


class Reading:
    """The reading side of one connection: paused from the first reason to the end of the last one.

    Attributes:
        resumed_at: when it was last read again, loop seconds; 0 if it never was held. Before that
            the peer's silence says nothing.
    """

    __slots__ = ("_connection", "_reasons", "resumed_at")

    def __init__(self, connection: Readable) -> None:
        self._connection = connection
        self._reasons: set[Hold] = set()
        self.resumed_at = 0.0

    @property
    def is_held(self) -> bool:
        """Whether nothing is read at present."""
        return bool(self._reasons)

    def limit(self, most: int | None) -> None:
        """Bring at most so many bytes at once; None: as many as come."""
        self._connection.limit_receive(most)

    def hold(self, reason: Hold) -> None:
        """Stop reading."""
        if not self._reasons:
            self._connection.pause_reading()
        self._reasons.add(reason)

    def release(self, reason: Hold, now: float) -> None:
        """Read again, unless there is another reason not to. Without a hold it does nothing."""
        if reason not in self._reasons:
            return
        self._reasons.remove(reason)
        if not self._reasons:
            self.resumed_at = now
            self._connection.resume_reading()
