"""The rate limits of one torrent: its links held and let go, its upload given what it may send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from millstream.core.limits_config import check_rate
from millstream.core.rate_limit import RateLimit, RateShare
from millstream.core.upload import UploadLimiter
from millstream.engine.reading import Hold, LimitedLink


class LimitedUpload(Protocol):
    """The uploading half of a torrent; see `core.upload.Upload`."""

    limiter: UploadLimiter | None

    def set_capacity(self, limit: int | None) -> None:
        """Say how much it can send at most, bytes a second; None: as much as the line takes."""


class LimitedDownload(Protocol):
    """The downloading half of a torrent; see `core.download.Download`."""

    rate_limit: int | None


class TorrentLimits:
    """Made by `engine.limits.Limits.torrent`. Without a limit nothing refers to it.

    Implements `engine.reading.Throttle` and `core.upload.UploadLimiter`.

    Args:
        download: all torrents' limit on the way down.
        upload: all torrents' limit on the way up.
        download_rate: the torrent's own, bytes a second or None.
        upload_rate: the torrent's own, bytes a second or None.
        turn_at: asks for a turn at the loop's time given, or later.
        wake: makes the torrent go on with its upload, soon.
        gone: called by `close`.
    """

    def __init__(
        self,
        download: RateLimit[LimitedLink],
        upload: RateLimit[TorrentLimits],
        download_rate: int | None,
        upload_rate: int | None,
        *,
        turn_at: Callable[[float], None],
        wake: Callable[[], None],
        gone: Callable[[TorrentLimits], None],
    ) -> None:
        self._download: RateShare[LimitedLink] = download.share(download_rate, 0.0)
        self._upload: RateShare[TorrentLimits] = upload.share(upload_rate, 0.0)
        self._all_upload = upload
        self._links: dict[LimitedLink, None] = {}
        self._receiving: LimitedDownload | None = None
        self._sending: LimitedUpload | None = None
        self._turn_at = turn_at
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self.wake = wake

    # What belongs to the torrent.

    def add(self, link: LimitedLink) -> None:
        """A peer is connected."""
        self._links[link] = None
        if self._download.is_limited:
            self._throttle(link)

    def remove(self, link: LimitedLink) -> None:
        """A peer is gone."""
        self._links.pop(link, None)
        self._download.remove(link)
        link.throttle = None

    def govern(self, download: LimitedDownload, upload: LimitedUpload) -> None:
        """The torrent's metadata is known: it has these two halves now."""
        self._receiving, self._sending = download, upload
        self.apply()

    def close(self) -> None:
        """The torrent leaves the engine."""
        for link in list(self._links):
            self.remove(link)
        self._upload.remove(self)
        self._gone(self)

    # Limits.

    @property
    def download(self) -> int | None:
        """The torrent's own limit, bytes a second; None: as fast as all together may be."""
        bucket = self._download.bucket
        return None if bucket is None else bucket.rate

    @property
    def upload(self) -> int | None:
        """The torrent's own limit, bytes a second; None: as fast as all together may be."""
        bucket = self._upload.bucket
        return None if bucket is None else bucket.rate

    def set(self, *, download: int | None, upload: int | None) -> None:
        """Set both limits of its own, in bytes a second. Raises ConfigError if one is too low."""
        check_limits(download, upload)
        now = self._loop.time()
        self._download.set_rate(download, now)
        self._upload.set_rate(upload, now)
        self.apply()

    def apply(self) -> None:
        """A limit changed, the torrent's or that of all."""
        if self._download.is_limited:
            for link in self._links:
                self._throttle(link)
        else:
            for link in self._links:
                self._let_go(link)
        if self._sending is not None:
            if self._upload.is_limited:
                self._upload.add(self)
                self._sending.limiter = self
                self._sending.set_capacity(self._lowest_upload())
            else:
                self._upload.remove(self)
                self._sending.limiter = None
                self._sending.set_capacity(None)
            self.wake()

    def _lowest_upload(self) -> int | None:
        """What the torrent may send at most, its own limit or that of all."""
        buckets = (self._upload.bucket, self._all_upload.bucket)
        return min((bucket.rate for bucket in buckets if bucket is not None), default=None)

    def tell_rate(self, fair_share: int | None) -> None:
        """Tell the torrent how fast it can expect its peers to be, of this share of all."""
        if self._receiving is not None:
            rates = [rate for rate in (fair_share, self.download) if rate is not None]
            self._receiving.rate_limit = min(rates, default=None)

    @property
    def has_links(self) -> bool:
        """Whether any peer is connected."""
        return bool(self._links)

    # The way down, as engine.reading.Throttle.

    def received(self, link: LimitedLink, length: int) -> None:
        """A link brought bytes: it waits if that was all it may bring in this turn."""
        now = self._loop.time()
        share = self._download
        share.spend(link, length)
        if not share.allowance(link, now):
            link.reading.hold(Hold.RATE)
            self._turn_at(share.wait(link, now))

    def resume(self, link: LimitedLink, now: float) -> None:
        """The link's turn has come."""
        link.reading.limit(self._download.receive_quota)
        link.reading.release(Hold.RATE, now)

    def _throttle(self, link: LimitedLink) -> None:
        link.throttle = self
        self._download.add(link)
        link.reading.limit(self._download.receive_quota)

    def _let_go(self, link: LimitedLink) -> None:
        link.throttle = None
        self._download.remove(link)
        link.reading.limit(None)
        link.reading.release(Hold.RATE, self._loop.time())

    # The way up, as core.upload.UploadLimiter.

    def allowance(self, now: float) -> int:
        """How many bytes may be sent; if none, the torrent is woken when it has a turn."""
        allowed = self._upload.allowance(self, now)
        if not allowed:
            self._turn_at(self._upload.wait(self, now))
        return allowed

    def spent(self, length: int) -> None:
        """So many bytes are sent, perhaps more than were allowed: a block is not divided."""
        self._upload.spend(self, length)


def check_limits(download: int | None, upload: int | None) -> None:
    """Raise ConfigError if one of two limits is too low, before either is set."""
    for name, rate in (("download", download), ("upload", upload)):
        if rate is not None:
            check_rate(f"limits.{name}", rate)
