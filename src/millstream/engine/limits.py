"""The rate limits of the engine: what is set, what the hour says, and the timer of the turns."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace

from millstream.core.limits_config import LimitsConfig
from millstream.core.rate_limit import RateLimit
from millstream.engine.reading import LimitedLink
from millstream.engine.torrent_limits import LimitedTorrent, TorrentLimits
from millstream.interfaces.clock import LocalClock

# A turn due within so many seconds is given with the one that is due now.
TURN_SLACK = 0.001


class Limits:
    """All torrents' limits, and the source of each torrent's own.

    It costs nothing where nothing is limited: links and uploads then have no limiter at all.

    Args:
        config: the limits to begin with.
        clock: says when the schedule is on.

    Attributes:
        config: what is set now.
        fair_share: what each torrent that has peers may bring of what holds for all together.
    """

    def __init__(self, config: LimitsConfig, clock: LocalClock) -> None:
        self.config = config
        self.fair_share: int | None = None
        self._clock = clock
        self._download: RateLimit[LimitedLink] = RateLimit(None, 0.0)
        self._upload: RateLimit[TorrentLimits] = RateLimit(None, 0.0)
        self._torrents: dict[TorrentLimits, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Put into force what is configured; the loop must be running."""
        self._apply()

    @property
    def of_each(self) -> tuple[int | None, int | None]:
        """The limits, down and up, that a torrent has of its own from the start."""
        return self.config.torrent_download, self.config.torrent_upload

    def torrent(
        self, torrent: LimitedTorrent, download: int | None = None, upload: int | None = None
    ) -> TorrentLimits:
        """The limits of a torrent that has peers, or these limits of its own."""
        limits = TorrentLimits(
            self._download,
            self._upload,
            download,
            upload,
            turns=self,
            torrent=torrent,
        )
        self._torrents[limits] = None
        return limits

    @property
    def download(self) -> int | None:
        """What holds now for all torrents together, bytes a second; None: unlimited."""
        bucket = self._download.bucket
        return None if bucket is None else bucket.rate

    @property
    def upload(self) -> int | None:
        """What holds now for all torrents together, bytes a second; None: unlimited."""
        bucket = self._upload.bucket
        return None if bucket is None else bucket.rate

    @property
    def is_alternative(self) -> bool:
        """Whether the schedule has put the alternative limits in force."""
        schedule = self.config.schedule
        return schedule is not None and schedule.is_on(*self._clock.local_time())

    def set(self, *, download: int | None, upload: int | None) -> None:
        """Set the normal limits, in bytes a second. Raises ConfigError if one is too low."""
        self.configure(replace(self.config, download=download, upload=upload))

    def configure(self, config: LimitsConfig) -> None:
        """Set everything; torrents that are there already keep their own limits."""
        self.config = config
        self._apply()

    def follow(self, before: LimitsConfig, after: LimitsConfig) -> None:
        """Set what is another in `after` than in `before`, and leave what was set since."""
        changes = {
            field.name: getattr(after, field.name)
            for field in fields(after)
            if getattr(after, field.name) != getattr(before, field.name)
        }
        if changes:
            self.configure(replace(self.config, **changes))

    def beat(self) -> None:
        """Look at the clock, and how many torrents share; call it about once a second."""
        if self.config.schedule is not None:
            self._apply()
        share = self.download
        if share is not None:
            count = sum(torrent.has_links for torrent in self._torrents)
            share = max(1, share // max(1, count))
        if share != self.fair_share:
            self.fair_share = share
            for torrent in self._torrents:
                torrent.tell_rate()

    def close(self) -> None:
        """Give no more turns."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _apply(self) -> None:
        config = self.config
        download, upload = config.download, config.upload
        if self.is_alternative:
            download, upload = config.alternative_download, config.alternative_upload
        if (download, upload) == (self.download, self.upload):
            return
        now = asyncio.get_running_loop().time()
        self._download.set_rate(download, now)
        self._upload.set_rate(upload, now)
        for torrent in self._torrents:
            torrent.apply()
        # Whoever waits may have its turn earlier now.
        self._plan_turn(now)

    # Turns, as engine.torrent_limits.Turns.

    def torrent_gone(self, torrent: TorrentLimits) -> None:
        """The torrent leaves the engine."""
        self._torrents.pop(torrent, None)

    def turn_at(self, when: float) -> None:
        """Ask for a turn at the loop's time given; the earliest that is asked for counts."""
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._turn)

    def _turn(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        if _is_due(self._download.next_turn(now), now):
            for link in self._download.turn(now):
                if link.throttle is not None:
                    link.throttle.resume(link, now)
        if _is_due(self._upload.next_turn(now), now):
            for torrent in self._upload.turn(now):
                torrent.wake()
        self._plan_turn(now)

    def _plan_turn(self, now: float) -> None:
        for when in (self._download.next_turn(now), self._upload.next_turn(now)):
            if when is not None:
                self.turn_at(when)


def _is_due(when: float | None, now: float) -> bool:
    return when is not None and when <= now + TURN_SLACK
