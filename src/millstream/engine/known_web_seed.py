"""A web seed that a torrent knows of: how it fared, and when it is tried again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from urllib.parse import urlsplit

from millstream.engine.status import WebSeedState, WebSeedStatus
from millstream.engine.web_seed import WebSeedLink
from millstream.protocol.compact import PeerAddress

# Seconds until one is tried again: after a failure of one that had sent something, after the first
# failure of another (libtorrent's `urlseed_wait_retry` is 30), and at most.
QUICK_RETRY = 10.0
FIRST_RETRY = 30.0
LONGEST_RETRY = 3600.0

_PORTS = {"http": 80, "https": 443}


@dataclass(slots=True)
class WebSeed:
    """A web seed and how it fared.

    Attributes:
        url: as the torrent has it.
        address: host and port; None if the URL cannot be used.
        link: while it is at work.
        failures: since it last sent something.
        next_try: monotonic seconds; infinite if never again.
        error: what went wrong last.
        is_banned: whether it sent corrupt data.
        downloaded: payload bytes that it sent when it was at work before.
    """

    url: str
    address: PeerAddress | None
    link: WebSeedLink | None = None
    failures: int = 0
    next_try: float = 0.0
    error: str | None = None
    is_banned: bool = False
    downloaded: int = 0

    @classmethod
    def parse(cls, url: str) -> WebSeed:
        """Any URL that a torrent may have; one that cannot be used is never tried."""
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError:
            port = 0
        if not port or not parts.hostname or parts.scheme not in _PORTS:
            error = "is no URL that begins with http:// or https://"
            return cls(url, None, next_try=math.inf, error=error)
        return cls(url, PeerAddress(parts.hostname, port))

    @property
    def identity(self) -> PeerAddress:
        """What its data is traced back to: one host may have several web seeds."""
        return PeerAddress(self.url, self.address.port if self.address else 0)

    @property
    def state(self) -> WebSeedState:
        """What it is to the torrent at the moment."""
        if self.link is not None:
            return WebSeedState.ACTIVE
        if self.is_banned:
            return WebSeedState.BANNED
        if self.address is None:
            return WebSeedState.UNUSABLE
        return WebSeedState.IDLE if self.error is None else WebSeedState.FAILED

    def status(self, now: float) -> WebSeedStatus:
        """A snapshot."""
        failed = self.state is WebSeedState.FAILED
        return WebSeedStatus(
            url=self.url,
            state=self.state,
            error=self.error,
            next_try=max(0.0, self.next_try - now) if failed else None,
            downloaded=self.downloaded + (self.link.peer.downloaded.total if self.link else 0),
        )

    def rested(self, error: str | None, retry_after: float | None, now: float) -> None:
        """It is at work no more; the error is None if that was no fault of its own."""
        received = 0
        if self.link is not None:
            received = self.link.peer.downloaded.total
            self.link = None
        self.downloaded += received
        self.error = error
        if error is None:
            return
        self.failures = 0 if received else self.failures + 1
        wait = QUICK_RETRY
        if self.failures:
            wait = min(FIRST_RETRY * 2.0 ** min(self.failures - 1, 10), LONGEST_RETRY)
        if retry_after is not None:
            wait = max(wait, min(retry_after, LONGEST_RETRY))
        self.next_try = now + wait

    def ban(self, reason: str) -> None:
        """It sent corrupt data: never use it again."""
        self.is_banned = True
        self.next_try = math.inf
        self.error = reason
