"""The public face of what is wanted of a torrent: limits, its place in the queue, goals."""

from __future__ import annotations

import asyncio

from millstream.core.goals import Goals
from millstream.engine.torrent_handle import TorrentHandle
from millstream.errors import ConfigError


class TorrentWishes(TorrentHandle):
    """What a user wants of a torrent, besides its files."""

    @property
    def added_at(self) -> float:
        """When it was added first: seconds since the epoch; 0 if that is not known."""
        return self._membership.added_at

    @property
    def completed_at(self) -> float | None:
        """When all that is wanted was there first: seconds since the epoch; None before that."""
        return self._membership.completed_at

    @property
    def active_seconds(self) -> float:
        """How long it was at work, in all runs."""
        return self._membership.activity.active_seconds(asyncio.get_running_loop().time())

    @property
    def seeding_seconds(self) -> float:
        """How long it seeded, in all runs."""
        return self._membership.activity.seeding_seconds(asyncio.get_running_loop().time())

    @property
    def limits(self) -> tuple[int | None, int | None]:
        """Its own limits, down and up: bytes a second, or None."""
        return self._membership.own_limits

    def set_limits(self, *, download: int | None, upload: int | None) -> None:
        """Limit this torrent, in bytes a second; None: no limit of its own. Raises ConfigError."""
        self._membership.limit_rates(download=download, upload=upload)
        self._membership.changed()

    @property
    def max_peers(self) -> int | None:
        """How many connections it may have; None: as many as `SwarmConfig` says."""
        return self._membership.max_connections

    @max_peers.setter
    def max_peers(self, most: int | None) -> None:
        """Raises ConfigError; the range is 1 up."""
        if most is not None and most < 1:
            raise ConfigError(f"max_peers is {most}; it must be 1 or more, or None")
        self._membership.limit_connections(most)
        self._membership.changed()
        if most is not None:
            # The newest go: the others have proven themselves.
            for link in list(self._membership.links.values())[most:]:
                link.close("the torrent may have fewer connections now")
        self._membership.wake()

    @property
    def super_seeding(self) -> bool:
        """Whether peers are shown one piece at a time, as the only seed does (BEP 16).

        It ends by itself when there is a second seed. Peers that are connected when it is set know
        what we have already. Raises MetadataPendingError.
        """
        return self._session.machine.super_seeding

    @super_seeding.setter
    def super_seeding(self, wanted: bool) -> None:
        self._session.machine.super_seeding = wanted

    # The queue, and when it has seeded enough.

    @property
    def queue_position(self) -> int:
        """Its place in the engine's order, from 0; `Engine.queue` moves several at once."""
        return self._membership.queue.order.position(self.info_hash)

    @queue_position.setter
    def queue_position(self, position: int) -> None:
        self._membership.queue.place(self.info_hash, position)
        self._membership.changed()

    @property
    def is_auto_managed(self) -> bool:
        """Whether the queue decides when it runs."""
        return self._membership.is_auto_managed

    @is_auto_managed.setter
    def is_auto_managed(self, wanted: bool) -> None:
        self._membership.is_auto_managed = wanted
        self._membership.queue.exemption_changed(self._membership)
        self._membership.changed()

    @property
    def is_forced(self) -> bool:
        """Whether it runs without regard to the queue's limits and to goals."""
        return self._membership.is_forced

    @is_forced.setter
    def is_forced(self, wanted: bool) -> None:
        self._membership.is_forced = wanted
        self._membership.queue.exemption_changed(self._membership)
        self._membership.changed()

    @property
    def goals(self) -> Goals:
        """Its own goals, and which of them are those of all torrents."""
        return self._membership.goals or Goals()

    def set_goals(self, goals: Goals) -> None:
        """Say when it has seeded enough; what it reached before is forgotten."""
        self._membership.goals = None if goals == Goals() else goals
        self._membership.goals_reached = False
        self._membership.changed()
