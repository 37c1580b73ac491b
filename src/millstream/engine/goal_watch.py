"""Looking, now and then, which seeds have seeded enough."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import ceil
from typing import Protocol

from millstream.core.activity import Activity
from millstream.core.goals import GoalFacts, GoalReached, Goals, reached
from millstream.core.goals_config import GoalAction, GoalsConfig
from millstream.core.torrent import BEAT
from millstream.core.torrent_state import TorrentState
from millstream.engine.status import TorrentStatus
from millstream.logging.component_logger import component_logger
from millstream.protocol.infohash import InfoHash

# Seconds between two looks at the same torrent.
LOOK_INTERVAL = 10.0

_LOG = component_logger("torrent")


class GoalStage(Protocol):
    """What the watch asks of a torrent's stage."""

    @property
    def state(self) -> TorrentState:
        """What it is doing."""

    def status(self) -> TorrentStatus:
        """A snapshot."""


class GoalMember(Protocol):
    """A torrent as the watch sees it; `engine.membership.Membership` is one.

    Attributes:
        is_forced: whether it seeds without regard to goals, as in qBittorrent.
        goals: its own ones; None if all are those of the engine.
        goals_reached: whether it has seeded enough. If the user starts it again after that, it goes
            on for ever, as in Transmission. New goals are a new beginning: set it to False with
            them.
    """

    is_forced: bool
    goals: Goals | None
    goals_reached: bool

    @property
    def info_hash(self) -> InfoHash:
        """Its name."""

    @property
    def activity(self) -> Activity:
        """Its stopwatches, which follow its state."""

    @property
    def stage(self) -> GoalStage:
        """What it is at the moment."""


class GoalWatch:
    """Looks at some seeds in every beat, so that ten thousand are no burst of work.

    Args:
        config: what holds for torrents without goals of their own.
        everyone: gives all torrents.
        reached: called once for a torrent that has reached a goal, with what is to become of it.

    Attributes:
        config: what holds for all; `configure` changes it.
    """

    def __init__(
        self,
        config: GoalsConfig,
        everyone: Callable[[], Iterable[GoalMember]],
        reached: Callable[[GoalMember, GoalReached, GoalAction], None],
    ) -> None:
        self.config = config
        self._everyone = everyone
        self._reached = reached
        self._waiting: list[GoalMember] = []
        self._next_round = 0.0
        self._share = 1

    def configure(self, config: GoalsConfig) -> None:
        """Change what holds for all, also for those that reached what held before."""
        if config == self.config:
            return
        self.config = config
        for member in self._everyone():
            member.goals_reached = False

    def beat(self, now: float) -> None:
        """Look at those whose turn it is; call it in every beat of the engine."""
        if not self._waiting and now >= self._next_round:
            self._next_round = now + LOOK_INTERVAL
            self._waiting = [each for each in self._everyone() if self._is_watched(each)]
            self._share = ceil(len(self._waiting) * BEAT / LOOK_INTERVAL)
        for _ in range(min(self._share, len(self._waiting))):
            member = self._waiting.pop()
            if self._is_watched(member):
                self._look(member, now)

    def _is_watched(self, member: GoalMember) -> bool:
        return (
            (member.goals is not None or not self.config.is_empty)
            and member.stage.state is TorrentState.SEEDING
            and not member.goals_reached
            and not member.is_forced
        )

    def _look(self, member: GoalMember, now: float) -> None:
        goals = self.config if member.goals is None else member.goals.over(self.config)
        if goals.is_empty:
            return
        status, activity = member.stage.status(), member.activity
        activity.note_uploaded(status.uploaded, now)
        facts = GoalFacts(
            uploaded=status.uploaded,
            downloaded=status.downloaded,
            size=status.bytes_done,
            seeding_seconds=activity.seeding_seconds(now),
            idle_seconds=activity.idle_seconds(now),
        )
        found = reached(facts, goals)
        if found is not None:
            member.goals_reached = True
            _LOG.bind(torrent=member.info_hash).info("seeded enough: %s", found.text)
            self._reached(member, found, goals.action)
