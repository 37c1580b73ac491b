"""The events of all torrents, for those who listen at `/events`."""

from __future__ import annotations

import asyncio
from collections import deque

from millstream import Torrent
from millstream.events import Event
from millstream.rpc.torrent_view import Json
from millstream.rpc.views import event_view

# Events kept for a listener that does not read; libtorrent keeps 2000 alerts. The oldest go, and
# the listener is told how many.
MAX_PENDING = 4096


class Subscription:
    """One listener's events, from its creation on.

    Args:
        torrent: the infohash in hex of the only torrent it wants to hear of; None for all.
    """

    def __init__(self, torrent: str | None = None) -> None:
        self._torrent = torrent
        self._pending: deque[Json] = deque()
        self._lost = 0
        self._news = asyncio.Event()

    def put(self, event: Json) -> None:
        """Append an event, if the listener wants it."""
        if self._torrent is not None and event.get("id", self._torrent) != self._torrent:
            return
        if len(self._pending) >= MAX_PENDING:
            self._pending.popleft()
            self._lost += 1
        self._pending.append(event)
        self._news.set()

    async def take(self) -> list[Json]:
        """All events that are there, once there is one; first how many were lost."""
        await self._news.wait()
        self._news.clear()
        events = list(self._pending)
        self._pending.clear()
        if self._lost:
            events.insert(0, {"type": "lost", "count": self._lost})
            self._lost = 0
        return events


class Feed:
    """Passes events on to the subscriptions; costs next to nothing while there are none."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []

    def subscribe(self, torrent: str | None = None) -> Subscription:
        """A new subscription; give it back with `unsubscribe`."""
        subscription = Subscription(torrent)
        self._subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forget a subscription."""
        self._subscriptions.remove(subscription)

    def watch(self, torrent: Torrent) -> None:
        """Pass on what happens to a torrent, until it leaves its engine."""
        name = str(torrent.info_hash)

        def happened(event: Event) -> None:
            if self._subscriptions:
                self.tell({**event_view(event), "id": name})

        torrent.listen(happened)

    def tell(self, event: Json) -> None:
        """Pass something on."""
        for subscription in self._subscriptions:
            subscription.put(event)
