"""What is wanted of a torrent as a whole, and whether it is its turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from millstream.core.activity import Activity
from millstream.core.goals import Goals
from millstream.engine.queue import Queue
from millstream.protocol.infohash import InfoHash
from millstream.storage.claims import Claims


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
        has_turn: whether it may run; the queue says so.
        goals: its own goals; None if all are those of the engine.
        goals_reached: whether it has seeded enough; new goals are a new beginning.
        activity: how long it has been at work.
        max_connections: as the user said; None: as `SwarmConfig` says.
        added_at: seconds since the epoch; 0 if that is not known.
        completed_at: when all that is wanted was there first; None before.
        changed: called when there is something new to remember; a session sets it.
        claims: what of its files was flushed to the disk, which just went; None: nobody knows.
        remember: returns when all there is to remember is stored, or raises StorageError.
    """

    def __init__(self, info_hash: InfoHash, queue: Queue) -> None:
        self.info_hash = info_hash
        self.queue = queue
        self.is_stopped_by_user = False
        self.is_auto_managed = True
        self.is_forced = False
        self.has_turn = True
        self.goals: Goals | None = None
        self.goals_reached = False
        self.activity = Activity()
        self.max_connections: int | None = None
        self.added_at = 0.0
        self.completed_at: float | None = None
        self.changed: Callable[[], None] = _nobody_remembers
        self.claims: Callable[[], Claims | None] = _nobody_knows
        self.remember: Callable[[], Awaitable[None]] = _nothing_to_store

    def check_turn(self) -> AbstractAsyncContextManager[None]:
        """A turn to read its files."""
        is_exempt = self.is_forced or not self.is_auto_managed
        return self.queue.checks.turn(self.info_hash, is_exempt=is_exempt)


def _nobody_remembers() -> None:
    """The torrent is not of a session."""


def _nobody_knows() -> None:
    """When its files were flushed."""


async def _nothing_to_store() -> None:
    """Nor is there a store."""
