"""The latest of the log, kept in memory for whoever asks."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from millstream.errors import ConfigError
from millstream.logging.components import parse_level
from millstream.logging.entry import LogEntry

# Entries that are kept unless the user says otherwise; seed 002 keeps as many.
CAPACITY = 500


class RingBufferLogger(logging.Handler):
    """A handler that keeps the latest entries; the oldest make way.

    Add it to the logger `millstream`, or to any other. It may be asked from any thread.

    Args:
        capacity: how many entries are kept, 1 up.
        level: entries below it are not kept; name or number.

    Raises:
        ConfigError: the capacity is below 1, or there is no such level.
    """

    def __init__(self, capacity: int = CAPACITY, level: str | int = logging.NOTSET) -> None:
        if capacity < 1:
            raise ConfigError(f"a log's capacity is {capacity}; it must be 1 or more")
        super().__init__(parse_level(level))
        self._entries: deque[tuple[int, LogEntry]] = deque(maxlen=capacity)
        self._count = 0
        self._listeners: list[Callable[[LogEntry], None]] = []

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def oldest(self) -> int:
        """The number of the oldest entry that is kept; without any, the one the next will have."""
        return self._count - len(self._entries) + 1

    @property
    def latest(self) -> int:
        """The number of the latest entry; 0 before the first."""
        return self._count

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record, and tell the listeners."""
        try:
            entry = LogEntry.of(record)
            self._count += 1
            self._entries.append((self._count, entry))
            for listener in list(self._listeners):
                listener(entry)
        except Exception:  # noqa: BLE001 - so says logging: a log must not end what it tells of
            self.handleError(record)

    def snapshot(
        self,
        *,
        level: str | int = logging.NOTSET,
        component: str | None = None,
        torrent: object | None = None,
        limit: int | None = None,
    ) -> list[LogEntry]:
        """The entries that are kept, the oldest first; the arguments as of `numbered`.

        Raises:
            ConfigError: there is no such level.
        """
        found = self.numbered(level=level, component=component, torrent=torrent, limit=limit)
        return [entry for _, entry in found]

    def numbered(
        self,
        *,
        after: int = 0,
        level: str | int = logging.NOTSET,
        component: str | None = None,
        torrent: object | None = None,
        limit: int | None = None,
    ) -> list[tuple[int, LogEntry]]:
        """The entries that are kept and their numbers, from 1 on, the oldest first.

        Args:
            after: only those with higher numbers: what came since somebody asked last.
            level: only from this level on; name or number.
            component: only of this component.
            torrent: only of this torrent: an `InfoHash`, or the first digits of its hex.
            limit: only so many, the latest.

        Raises:
            ConfigError: there is no such level.
        """
        lowest = parse_level(level)
        wanted = None if torrent is None else str(torrent).lower()
        self.acquire()
        try:
            entries = list(self._entries)
        finally:
            self.release()
        found = [
            (number, entry)
            for number, entry in entries
            if number > after
            and entry.level >= lowest
            and (component is None or entry.component == component)
            and (wanted is None or (entry.torrent or "").startswith(wanted))
        ]
        return found if limit is None else found[max(0, len(found) - max(0, limit)) :]

    def subscribe(self, listener: Callable[[LogEntry], None]) -> Callable[[], None]:
        """Call the listener with each entry that comes, in the thread that logs it.

        Returns what ends that.
        """
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def clear(self) -> None:
        """Forget all entries."""
        self._entries.clear()
