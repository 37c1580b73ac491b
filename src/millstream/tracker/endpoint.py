"""One way to one tracker: its URL by IPv4 or by IPv6, and when to announce there (BEP 7, BEP 31)."""

from __future__ import annotations

import math
import random

from millstream.tracker.announce import AnnounceEvent, AnnounceResponse
from millstream.tracker.config import TrackerConfig

# The back-off is libtorrent's: 5 s and, with the square of the failures in a row, 12.5 s more for
# each, at most an hour. The jitter keeps all who lost a tracker from coming back at once.
RETRY_BASE = 5.0
RETRY_FACTOR = 12.5
MAX_RETRY = 3600.0
RETRY_JITTER = 0.2

# No error is longer in a list of trackers.
MAX_ERROR_LENGTH = 500

_FOREVER = math.inf


class Endpoint:
    """The state of announcing at one endpoint. All times are monotonic seconds.

    Args:
        url: the tracker's.
        family: 4 or 6.

    Attributes:
        in_flight: the event of the announce that is under way; None if none is.
        is_started: whether the tracker knows of us.
        failures: in a row.
        next_at: when the next announce is due.
        earliest: before this the user's wish counts for nothing either.
        error: what went wrong last; None once it works.
        refused_forever: whether the tracker never wants to be asked again (BEP 31).
        response: its last answer.
    """

    __slots__ = (
        "_completed_due",
        "_early_at",
        "_early_count",
        "earliest",
        "error",
        "failures",
        "family",
        "in_flight",
        "is_started",
        "next_at",
        "refused_forever",
        "response",
        "url",
    )

    def __init__(self, url: str, family: int) -> None:
        self.url = url
        self.family = family
        self.refused_forever = False
        self.error: str | None = None
        self.response: AnnounceResponse | None = None
        self.start(_FOREVER)

    def start(self, now: float) -> None:
        """Announce `started` now, as if for the first time."""
        self.in_flight: AnnounceEvent | None = None
        self.is_started = False
        self.failures = 0
        self.next_at = self.earliest = _FOREVER if self.refused_forever else now
        self._early_at = _FOREVER
        self._early_count = 0
        self._completed_due = False

    @property
    def works(self) -> bool:
        """Whether its last announce was answered."""
        return self.is_started and self.failures == 0

    def is_due(self, now: float) -> bool:
        """Whether to announce now."""
        return self.in_flight is None and now >= self.next_at

    def begin(self) -> AnnounceEvent:
        """An announce is sent now; returns its event."""
        if not self.is_started:
            event = AnnounceEvent.STARTED
        elif self._completed_due:
            event = AnnounceEvent.COMPLETED
        else:
            event = AnnounceEvent.NONE
        self.in_flight = event
        return event

    def succeeded(self, response: AnnounceResponse, now: float, config: TrackerConfig) -> None:
        """The announce under way was answered."""
        if self.in_flight is AnnounceEvent.COMPLETED:
            self._completed_due = False
        self.in_flight = None
        self.is_started = True
        self.failures = 0
        self.error = None
        self.response = response
        least = max(response.min_interval, config.shortest_interval)
        self.earliest = now + least
        self.next_at = now + max(least, response.interval)
        # Each early announce waits twice as long as the one before: a swarm that is small stays so.
        early = config.early_interval * 2.0**self._early_count
        self._early_at = now + max(least, early)
        if self._completed_due:
            self.next_at = now

    def failed(
        self, error: str, now: float, rng: random.Random, retry_in: float | None = None
    ) -> None:
        """The announce under way failed.

        Args:
            error: words for the user.
            now: when.
            rng: for the jitter.
            retry_in: seconds for which the tracker wants to be left alone; infinite: forever.
        """
        self.in_flight = None
        self.failures += 1
        self.error = error[:MAX_ERROR_LENGTH]
        self._early_at = _FOREVER
        if not self.is_started:
            # `started` will say what is left: for this tracker the download was complete from then.
            self._completed_due = False
        wait = min(RETRY_BASE + RETRY_FACTOR * float(self.failures) ** 2, MAX_RETRY)
        wait *= rng.uniform(1 - RETRY_JITTER, 1 + RETRY_JITTER)
        self.next_at = now + max(wait, retry_in or 0.0)
        self.earliest = now + max(RETRY_BASE, retry_in or 0.0)
        self.refused_forever = retry_in == _FOREVER

    def completed(self, now: float) -> None:
        """The download is complete: tell the tracker, if it knows of us."""
        if self.is_started or self.in_flight is not None:
            self._completed_due = True
            if self.failures == 0:
                self.next_at = min(self.next_at, now)

    def hurry(self, now: float) -> None:
        """Announce as soon as the tracker allows, because the user wants it."""
        if not self.refused_forever:
            self.next_at = min(self.next_at, max(now, self.earliest))

    def seek_peers(self) -> None:
        """Announce earlier than regularly, because peers are few."""
        if self._early_at < self.next_at:
            self.next_at = self._early_at
            self._early_count += 1
