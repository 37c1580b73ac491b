"""Where and when one torrent announces: all its trackers, without any I/O (BEP 3, 7, 12, 31).

The announcer says what is `due`, and is told how it went. A tier is served by the first of its
trackers that answers; one that fails is passed over while it waits, and one that answers goes to the
front. Unless all tiers are to be asked, the first tier that is served ends the search.

`started`, `completed` and `stopped` follow no interval. `completed` is only told where `started` was
answered before, and not at all if the torrent was complete then.
"""

from __future__ import annotations

import enum
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import NamedTuple

from millstream.errors import TrackerError
from millstream.tracker.announce import AnnounceEvent, AnnounceResponse
from millstream.tracker.config import TrackerConfig
from millstream.tracker.endpoint import Endpoint
from millstream.tracker.tiers import Tiers
from millstream.tracker.tracker_url import TrackerUrl
from millstream.tracker.udp_packets import MAX_URL_DATA


class TrackerState(enum.Enum):
    """What a tracker is to a torrent at the moment; the value is a word for the user."""

    IDLE = "not asked"
    ANNOUNCING = "announcing"
    WORKING = "working"
    FAILED = "failed"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerStatus:
    """A tracker of a torrent.

    Attributes:
        url: its announce URL.
        tier: its tier, from 0.
        state: what it is at the moment.
        error: what went wrong last, in words; None if nothing, or if it works by now.
        next_announce: seconds until the next announce; None if none is planned.
        seeders: as it says; None if it did not.
        leechers: as it says; None if it did not.
        peers: how many it named in its last answer.
        warning: its words for the user.
    """

    url: str
    tier: int
    state: TrackerState
    error: str | None = None
    next_announce: float | None = None
    seeders: int | None = None
    leechers: int | None = None
    peers: int = 0
    warning: str | None = None


class Announce(NamedTuple):
    """An announce to be made.

    Attributes:
        endpoint: where; its `url` and `family` count.
        event: what happened.
        want: how many peers to ask for.
        tracker_id: what this tracker wants to hear again.
    """

    endpoint: Endpoint
    event: AnnounceEvent
    want: int
    tracker_id: bytes | None


class _Tracker:
    """A URL with its endpoints; none, and a reason, if it cannot be used."""

    __slots__ = ("endpoints", "reason", "url")

    def __init__(self, url: str, families: Sequence[int], config: TrackerConfig) -> None:
        self.url = url
        self.endpoints: tuple[Endpoint, ...] = ()
        self.reason: str | None = None
        try:
            usable = _usable_families(TrackerUrl.parse(url), families, config)
        except TrackerError as error:
            self.reason = str(error)
        else:
            self.endpoints = tuple([Endpoint(url, family) for family in usable])

    @property
    def serves(self) -> bool:
        """Whether it answers, or may be about to."""
        return any(end.works or end.in_flight is not None for end in self.endpoints)


class Announcer:
    """The announces of one torrent.

    Args:
        tiers: its trackers' URLs (BEP 12).
        rng: shuffles within tiers, and for the jitter of retries.
        config: the settings.
        families: 4, 6 or both: what our host has. IPv4 and IPv6 are announced separately (BEP 7).

    Attributes:
        wants_peers: whether answers should name peers; the engine may be full of them.
    """

    __slots__ = ("_config", "_is_running", "_rng", "_tiers", "_trackers", "wants_peers")

    def __init__(
        self,
        tiers: Sequence[Sequence[str]],
        rng: random.Random,
        config: TrackerConfig,
        families: Sequence[int] = (4, 6),
    ) -> None:
        self.wants_peers = True
        self._tiers = Tiers(tiers, rng)
        self._rng = rng
        self._config = config
        self._trackers = {
            url: _Tracker(url, families, config) for tier in self._tiers for url in tier
        }
        self._is_running = False

    def start(self, now: float) -> None:
        """Begin to announce, with `started`. Nothing, if it was begun already."""
        if self._is_running:
            return
        self._is_running = True
        for endpoint in self._endpoints():
            endpoint.start(now)

    def stop(self) -> list[Announce]:
        """End; returns the `stopped` to be sent, which need not be reported back."""
        if not self._is_running:
            return []
        self._is_running = False
        farewells = [
            self._announce(endpoint, AnnounceEvent.STOPPED)
            for endpoint in self._endpoints()
            if endpoint.is_started and not endpoint.refused_forever
        ]
        for endpoint in self._endpoints():
            endpoint.start(math.inf)
        return farewells

    def completed(self, now: float) -> None:
        """The last piece was downloaded."""
        for endpoint in self._endpoints():
            endpoint.completed(now)

    def reannounce(self, now: float) -> None:
        """The user wants an announce: as soon as the trackers' `min interval` allows."""
        for endpoint in self._endpoints():
            endpoint.hurry(now)

    def seek_peers(self) -> None:
        """Peers are few: announce earlier than regularly, within bounds. May be called often."""
        for tracker in self._in_play():
            for endpoint in tracker.endpoints:
                endpoint.seek_peers()

    def due(self, now: float) -> list[Announce]:
        """What to announce now; each is then under way until `succeeded` or `failed`."""
        return [
            self._announce(endpoint, endpoint.begin())
            for tracker in self._in_play()
            for endpoint in tracker.endpoints
            if endpoint.is_due(now)
        ]

    def next_due(self) -> float:
        """When `due` has something to say, unless something happens before; may be infinite."""
        return min(
            (
                endpoint.next_at
                for tracker in self._in_play()
                for endpoint in tracker.endpoints
                if endpoint.in_flight is None
            ),
            default=math.inf,
        )

    def succeeded(self, endpoint: Endpoint, response: AnnounceResponse, now: float) -> None:
        """The tracker answered."""
        endpoint.succeeded(response, now, self._config)
        self._tiers.promote(endpoint.url)

    def failed(
        self, endpoint: Endpoint, error: str, now: float, retry_in: float | None = None
    ) -> None:
        """The tracker did not answer, or refused (see `Endpoint.failed`)."""
        endpoint.failed(error, now, self._rng, retry_in)

    def trackers(self, now: float) -> list[TrackerStatus]:
        """All trackers in the order in which they are tried."""
        return [
            _status(self._trackers[url], number, now)
            for number, tier in enumerate(self._tiers)
            for url in tier
        ]

    def _announce(self, endpoint: Endpoint, event: AnnounceEvent) -> Announce:
        want = self._config.want if self.wants_peers else 0
        response = endpoint.response
        return Announce(
            endpoint,
            event,
            0 if event is AnnounceEvent.STOPPED else want,
            None if response is None else response.tracker_id,
        )

    def _endpoints(self) -> Iterator[Endpoint]:
        for tracker in self._trackers.values():
            yield from tracker.endpoints

    def _in_play(self) -> Iterator[_Tracker]:
        """The trackers that may be asked now or when their wait is over.

        Whoever takes one may begin an announce with it before taking the next: it then serves.
        """
        if not self._is_running:
            return
        for tier in self._tiers:
            for url in tier:
                tracker = self._trackers[url]
                yield tracker
                if tracker.serves:
                    if not self._config.announce_to_all_tiers:
                        return
                    break


def _usable_families(url: TrackerUrl, families: Sequence[int], config: TrackerConfig) -> list[int]:
    """The families by which a URL can be asked; raises TrackerError if there are none."""
    if url.scheme == "udp":
        if not config.udp:
            raise TrackerError("UDP trackers are turned off")
        if len(url.data) > MAX_URL_DATA:
            raise TrackerError("the tracker's URL is too long for UDP")
        host = url.address.host
    elif url.scheme in {"http", "https"}:
        if not config.http:
            raise TrackerError("HTTP trackers are turned off")
        name = url.authority.rpartition("@")[2]
        host = name[1 : name.find("]")] if name.startswith("[") else name.partition(":")[0]
    else:
        raise TrackerError(f"trackers of the kind {url.scheme}:// are not supported")
    try:
        version = ip_address(host).version
    except ValueError:
        return list(families)
    if version not in families:
        raise TrackerError(f"this host has no IPv{version}")
    return [version]


def _status(tracker: _Tracker, tier: int, now: float) -> TrackerStatus:
    ends = tracker.endpoints
    works = any(end.works for end in ends)
    if all(end.refused_forever for end in ends):
        state = TrackerState.DISABLED
    elif any(end.in_flight is not None for end in ends):
        state = TrackerState.ANNOUNCING
    elif works:
        state = TrackerState.WORKING
    elif any(end.failures for end in ends):
        state = TrackerState.FAILED
    else:
        state = TrackerState.IDLE
    answers = [end.response for end in ends if end.response is not None]
    # While one family works, the retries of the other one are nobody's concern.
    planned = [end for end in ends if end.works] or ends
    next_at = min((end.next_at for end in planned), default=math.inf)
    errors = (end.error for end in ends if end.error is not None)
    return TrackerStatus(
        url=tracker.url,
        tier=tier,
        state=state,
        # That one family of two does not work is usual.
        error=tracker.reason or (None if works else next(errors, None)),
        next_announce=None if next_at == math.inf else max(0.0, next_at - now),
        seeders=max((a.seeders for a in answers if a.seeders is not None), default=None),
        leechers=max((a.leechers for a in answers if a.leechers is not None), default=None),
        peers=sum(len(a.peers) for a in answers),
        warning=next((a.warning for a in answers if a.warning is not None), None),
    )
