"""What becomes of torrents that have seeded enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from millstream.core.goals import GoalReached
from millstream.core.goals_config import GoalAction, GoalsConfig
from millstream.engine.goal_watch import GoalMember, GoalWatch
from millstream.engine.torrent import Torrent
from millstream.errors import MillstreamError
from millstream.logging.component_logger import component_logger
from millstream.protocol.infohash import InfoHash

_LOG = component_logger("torrent")


class RemoveTorrent(Protocol):
    """Lets a torrent leave its engine: `Engine.remove`."""

    async def __call__(self, torrent: Torrent, *, delete_data: bool) -> None:
        """With or without its files."""


class GoalEnds:
    """Ends torrents as `engine.goal_watch` finds that they reached a goal.

    Args:
        config: what holds for torrents without goals of their own.
        everyone: gives all torrents.
        find: gives a torrent, if it is there still.
        remove: lets it leave the engine.

    Attributes:
        watch: finds them.
    """

    def __init__(
        self,
        config: GoalsConfig,
        everyone: Callable[[], Iterable[GoalMember]],
        find: Callable[[InfoHash], Torrent | None],
        remove: RemoveTorrent,
    ) -> None:
        self.watch = GoalWatch(config, everyone, self._reached)
        self._find = find
        self._remove = remove
        self._ending: set[asyncio.Task[None]] = set()

    def _reached(self, member: GoalMember, found: GoalReached, action: GoalAction) -> None:
        task = asyncio.get_running_loop().create_task(self._finish(member.info_hash, action))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _finish(self, torrent: InfoHash, action: GoalAction) -> None:
        found = self._find(torrent)
        if found is None:
            return
        try:
            if action is GoalAction.STOP:
                await found.stop()
            else:
                await self._remove(found, delete_data=action is GoalAction.REMOVE_DATA)
        except MillstreamError as error:
            _LOG.bind(torrent=torrent).warning("could not be ended: %s", error)

    async def close(self) -> None:
        """Wait for those that are being ended."""
        await asyncio.gather(*self._ending)
