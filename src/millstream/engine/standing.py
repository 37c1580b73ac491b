"""What is wanted of a torrent as a whole, and whether it is its turn."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol

from millstream.core.activity import Activity
from millstream.core.goals import Goals
from millstream.engine.queue import Queue
from millstream.protocol.infohash import InfoHash

if TYPE_CHECKING:
    from millstream.storage.claims import Claims


class Memory(Protocol):
    """Who remembers a torrent between runs: `engine.torrent_keeper`."""

    def changed(self) -> None:
        """There is something new to remember."""

    def pieces_lost(self, pieces: int) -> None:
        """Some of these pieces are there no more; what comes back of them is new."""

    def claims(self) -> Claims | None:
        """What of its files was flushed to the disk, which just went; None: nobody knows."""

    async def remember(self) -> None:
        """Return when all there is to remember is stored, or raise StorageError."""


class Standing:
    """How a torrent stands with its user, the queue and the session.

    Args:
        info_hash: the torrent.
        queue: of the engine.

    Attributes:
        info_hash: the torrent.
        queue: of the engine.
        is_stopped_by_user: whether it is to be stopped in the next run, too.
        is_auto_managed: whether the queue starts and stops it.
        is_forced: whether it runs whatever the queue says, and no goal ends it.
        is_removed: whether it leaves the engine, or left it, because somebody removed it.
        has_turn: whether it may run; the queue says so.
        goals: its own goals; None if all are those of the engine.
        goals_reached: whether it has seeded enough; new goals are a new beginning.
        activity: how long it has been at work.
        max_connections: as the user said; None: as `SwarmConfig` says.
        added_at: seconds since the epoch; 0 if that is not known.
        completed_at: when all that is wanted was there first; None before.
        memory: where it is remembered; None if it is not of a session.
    """

    __slots__ = (
        *("activity", "added_at", "completed_at", "goals", "goals_reached", "has_turn"),
        *("info_hash", "is_auto_managed", "is_forced", "is_removed", "is_stopped_by_user"),
        *("max_connections", "memory", "queue"),
    )

    def __init__(self, info_hash: InfoHash, queue: Queue) -> None:
        self.info_hash = info_hash
        self.queue = queue
        self.is_stopped_by_user = False
        self.is_auto_managed = True
        self.is_forced = self.is_removed = False
        self.has_turn = True
        self.goals: Goals | None = None
        self.goals_reached = False
        self.activity = Activity()
        self.max_connections: int | None = None
        self.added_at = 0.0
        self.completed_at: float | None = None
        self.memory: Memory | None = None

    def changed(self) -> None:
        """There is something new to remember."""
        if self.memory is not None:
            self.memory.changed()

    def pieces_lost(self, pieces: int) -> None:
        """Some of these pieces are there no more, though they may come back soon."""
        if self.memory is not None:
            self.memory.pieces_lost(pieces)
            self.memory.changed()

    def claims(self) -> Claims | None:
        """What of its files was flushed to the disk, which just went; None: nobody knows."""
        return None if self.memory is None else self.memory.claims()

    async def remember(self) -> None:
        """Return when all there is to remember is stored, or raise StorageError."""
        if self.memory is not None:
            await self.memory.remember()

    def check_turn(self) -> AbstractAsyncContextManager[None]:
        """A turn to read its files."""
        is_exempt = self.is_forced or not self.is_auto_managed
        return self.queue.checks.turn(self.info_hash, is_exempt=is_exempt)
