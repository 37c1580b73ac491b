"""How long a torrent has been at work in all, and since when nobody takes anything of it."""

from __future__ import annotations

from millstream.core.torrent_state import TorrentState


class Activity:
    """The stopwatches of one torrent. They run only while it does: time asleep counts for nothing.

    Args:
        active_seconds: what earlier runs came to.
        seeding_seconds: what earlier runs came to.
    """

    __slots__ = ("_active", "_active_since", "_busy_until", "_seeding", "_seeding_since", "_sent")

    def __init__(self, active_seconds: float = 0.0, seeding_seconds: float = 0.0) -> None:
        self._active = active_seconds
        self._seeding = seeding_seconds
        self._active_since: float | None = None
        self._seeding_since: float | None = None
        # Seconds of seeding up to the last upload; in a new run the count begins anew.
        self._busy_until = seeding_seconds
        self._sent: int | None = None

    def restore(self, active_seconds: float, seeding_seconds: float) -> None:
        """Go on from what earlier runs came to; before the torrent runs."""
        self._active = active_seconds
        self._seeding = self._busy_until = seeding_seconds

    def state_changed(self, after: TorrentState, now: float) -> None:
        """Start or stop the watches; `now` is monotonic seconds."""
        seeds = after is TorrentState.SEEDING
        fetches = after is TorrentState.DOWNLOADING or after is TorrentState.FETCHING_METADATA
        self._active, self._active_since = _switch(
            self._active, self._active_since, now, on=seeds or fetches
        )
        self._seeding, self._seeding_since = _switch(
            self._seeding, self._seeding_since, now, on=seeds
        )

    def active_seconds(self, now: float) -> float:
        """Seconds in which it downloaded, fetched its metadata or seeded."""
        return self._active + _elapsed(self._active_since, now)

    def seeding_seconds(self, now: float) -> float:
        """Seconds in which it seeded."""
        return self._seeding + _elapsed(self._seeding_since, now)

    def note_uploaded(self, total: int, now: float) -> None:
        """Take note of the payload bytes sent so far; as often as idle time is to be exact."""
        if total != self._sent:
            self._sent = total
            self._busy_until = self.seeding_seconds(now)

    def idle_seconds(self, now: float) -> float:
        """Seconds of seeding since the last upload that was noted, or since the run began."""
        return self.seeding_seconds(now) - self._busy_until


def _elapsed(since: float | None, now: float) -> float:
    return 0.0 if since is None else max(0.0, now - since)


def _switch(
    counted: float, since: float | None, now: float, *, on: bool
) -> tuple[float, float | None]:
    """The seconds that a stopwatch has counted, and since when it runs, once it is on or off."""
    if on:
        return counted, now if since is None else since
    return counted + _elapsed(since, now), None
