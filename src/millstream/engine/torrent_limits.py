"""The rate limits of one torrent: its links held and let go, its upload given what it may send."""

from __future__ import annotations

import asyncio
from typing import Protocol

from millstream.core.limits_config import check_rate
from millstream.core.rate_limit import RateLimit, RateShare
from millstream.core.transfer import Transfer
from millstream.engine.reading import Hold, LimitedLink


class LimitedTorrent(Protocol):
    """The torrent as a whole: `engine.membership`."""

    def wake(self) -> None:
        """Go on with the upload, soon."""


class Turns(Protocol):
    """Who gives turns: `engine.limits.Limits`.

    Attributes:
        fair_share: what each torrent that has peers may bring, bytes a second; None: unlimited.
    """

    fair_share: int | None

    def turn_at(self, when: float) -> None:
        """Ask for a turn at the loop's time given, or later."""

    def torrent_gone(self, torrent: TorrentLimits) -> None:
        """The torrent leaves the engine."""


class TorrentLimits:
    """Made by `engine.limits.Limits.torrent`, for a torrent with peers or a limit of its own.

    Where nothing is limited, links and uploads do not know of it.

    Implements `engine.reading.Throttle` and `core.upload.UploadLimiter`.

    Args:
        download: all torrents' limit on the way down.
        upload: all torrents' limit on the way up.
        download_rate: the torrent's own, bytes a second or None.
        upload_rate: the torrent's own, bytes a second or None.
        turns: gives the turns.
        torrent: woken when it may go on with its upload.
    """

    __slots__ = (
        *("_all_download", "_all_upload", "_download_share", "_links", "_loop", "_transfer"),
        *("_torrent", "_turns", "_upload_share"),
    )

    def __init__(
        self,
        download: RateLimit[LimitedLink],
        upload: RateLimit[TorrentLimits],
        download_rate: int | None,
        upload_rate: int | None,
        *,
        turns: Turns,
        torrent: LimitedTorrent,
    ) -> None:
        self._all_download = download
        self._all_upload = upload
        # Of most torrents nothing is limited.
        self._download_share: RateShare[LimitedLink] | None = None
        self._upload_share: RateShare[TorrentLimits] | None = None
        self._links: dict[LimitedLink, None] = {}
        self._transfer: Transfer | None = None
        self._turns = turns
        self._loop = asyncio.get_running_loop()
        self._torrent = torrent
        if download_rate is not None:
            self._download.set_rate(download_rate, 0.0)
        if upload_rate is not None:
            self._upload.set_rate(upload_rate, 0.0)

    @property
    def _download(self) -> RateShare[LimitedLink]:
        if self._download_share is None:
            self._download_share = self._all_download.share(None, 0.0)
        return self._download_share

    @property
    def _upload(self) -> RateShare[TorrentLimits]:
        if self._upload_share is None:
            self._upload_share = self._all_upload.share(None, 0.0)
        return self._upload_share

    @property
    def _is_download_limited(self) -> bool:
        """Whether there is a limit at all, the torrent's own or that of all."""
        return self._all_download.bucket is not None or self.download is not None

    # What belongs to the torrent.

    def add(self, link: LimitedLink) -> None:
        """A peer is connected."""
        self._links[link] = None
        if self._is_download_limited:
            self._throttle(link)

    def remove(self, link: LimitedLink) -> None:
        """A peer is gone."""
        self._links.pop(link, None)
        if self._download_share is not None:
            self._download_share.remove(link)
        link.throttle = None

    def govern(self, transfer: Transfer) -> None:
        """It has peers: this is what moves its data from now on."""
        self._transfer = transfer
        self.apply()

    def wake(self) -> None:
        """It may go on with its upload."""
        self._torrent.wake()

    def close(self) -> None:
        """The torrent leaves the engine."""
        for link in list(self._links):
            self.remove(link)
        if self._upload_share is not None:
            self._upload_share.remove(self)
        self._turns.torrent_gone(self)

    # Limits.

    @property
    def download(self) -> int | None:
        """The torrent's own limit, bytes a second; None: as fast as all together may be."""
        share = self._download_share
        bucket = None if share is None else share.bucket
        return None if bucket is None else bucket.rate

    @property
    def upload(self) -> int | None:
        """The torrent's own limit, bytes a second; None: as fast as all together may be."""
        share = self._upload_share
        bucket = None if share is None else share.bucket
        return None if bucket is None else bucket.rate

    def set(self, *, download: int | None, upload: int | None) -> None:
        """Set both limits of its own, in bytes a second. Raises ConfigError if one is too low."""
        check_limits(download, upload)
        now = self._loop.time()
        if download != self.download:
            self._download.set_rate(download, now)
        if upload != self.upload:
            self._upload.set_rate(upload, now)
        self.apply()

    def apply(self) -> None:
        """A limit changed, the torrent's or that of all."""
        self.tell_rate()
        if self._is_download_limited:
            for link in self._links:
                self._throttle(link)
        else:
            for link in self._links:
                self._let_go(link)
        if self._transfer is not None:
            upload = self._transfer.upload
            lowest = self._lowest_upload()
            if lowest is not None:
                self._upload.add(self)
                upload.limiter = self
            else:
                if self._upload_share is not None:
                    self._upload_share.remove(self)
                upload.limiter = None
            upload.set_capacity(lowest)
            self.wake()

    def _lowest_upload(self) -> int | None:
        """What the torrent may send at most, its own limit or that of all."""
        bucket = self._all_upload.bucket
        rates = (self.upload, None if bucket is None else bucket.rate)
        return min((rate for rate in rates if rate is not None), default=None)

    def tell_rate(self) -> None:
        """Tell the torrent how fast it can expect its peers to be."""
        if self._transfer is not None:
            both = (self._turns.fair_share, self.download)
            rates = [rate for rate in both if rate is not None]
            self._transfer.download.rate_limit = min(rates, default=None)

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
            self._turns.turn_at(share.wait(link, now))

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
            self._turns.turn_at(self._upload.wait(self, now))
        return allowed

    def spent(self, length: int) -> None:
        """So many bytes are sent, perhaps more than were allowed: a block is not divided."""
        self._upload.spend(self, length)


def check_limits(download: int | None, upload: int | None) -> None:
    """Raise ConfigError if one of two limits is too low, before either is set."""
    for name, rate in (("download", download), ("upload", upload)):
        if rate is not None:
            check_rate(f"limits.{name}", rate)
