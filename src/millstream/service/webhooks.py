"""Web addresses that are told when something happens to a torrent."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import deque

from millstream.errors import HttpError
from millstream.logging import component_logger
from millstream.service.config import WebhooksConfig
from millstream.service.http_post import HttpPoster, Poster, host_of
from millstream.service.occasion import Happening
from millstream.service.payload import Delivery, make_delivery

# Deliveries that wait for one URL; the oldest go. Each is a kilobyte.
MAX_WAITING = 10_000
# Seconds before the second attempt; each further wait is twice as long, up to the second number.
# Stripe begins with minutes and goes on for days: what is told here is of no use by then.
FIRST_WAIT = 1.0
MAX_WAIT = 300.0
# Seconds at the end of the service for what waits.
CLOSING_TIME = 5.0

# Of the statuses that are no success, those that another attempt may turn into one (RFC 9110, 6585).
PASSING = frozenset({408, 421, 425, 429})

_LOG = component_logger("service")


class Webhooks:
    """Sends what happened to all URLs, to each in order: one that is slow holds up no other.

    Args:
        config: whom to tell.
        poster: sends the POSTs; None: over the network.
        rng: spreads the attempts of those that fail together.
    """

    def __init__(
        self,
        config: WebhooksConfig,
        poster: Poster | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.config = config
        self._poster = poster or HttpPoster()
        self._rng = rng or random.Random()
        self._lines: dict[str, _Line] = {}

    def configure(self, config: WebhooksConfig) -> None:
        """Change the settings. What waits for a URL that is no longer named is still sent."""
        self.config = config

    def happened(self, happening: Happening) -> None:
        """Tell of this, if it is wanted."""
        config = self.config
        if not config.urls or happening.occasion.value not in config.events:
            return
        delivery = make_delivery(happening, str(uuid.uuid4()), config.secret)
        for url in config.urls:
            self._lines.setdefault(url, _Line(url, self)).put(delivery)

    async def close(self) -> None:
        """Send what waits, for some seconds; what is left is named in the log."""
        tasks = [line.task for line in self._lines.values() if line.task is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=CLOSING_TIME)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for line in self._lines.values():
            for delivery in line.waiting:
                line.say(delivery, "is not sent: the service ends")
        self._lines.clear()
        await self._poster.close()

    def idle(self, url: str) -> None:
        """Nothing waits for this URL any more."""
        self._lines.pop(url, None)

    async def deliver(self, url: str, delivery: Delivery) -> str:
        """Try until it is taken or there is no hope; returns why not, or nothing."""
        config, wait = self.config, FIRST_WAIT
        for attempt in range(1, config.max_attempts + 1):
            asked = 0.0
            try:
                status, retry_after = await self._poster.post(
                    url, delivery.body, delivery.headers, config.timeout
                )
            except HttpError as error:
                why = str(error)
            else:
                if 200 <= status < 300:
                    return ""
                why = f"{host_of(url)} answered {status}"
                if status < 500 and status not in PASSING:
                    return why
                if retry_after.isascii() and retry_after.isdigit():
                    asked = float(retry_after[:9])
            if attempt < config.max_attempts:
                _LOG.debug("the webhook for %r: %s; tried again", delivery.event, why)
                await asyncio.sleep(min(MAX_WAIT, max(asked, wait * self._rng.uniform(0.8, 1.2))))
                wait *= 2
        return f"{why}, at each of {config.max_attempts} attempts"


class _Line:
    """What waits for one URL, and the task that sends it while there is something."""

    def __init__(self, url: str, webhooks: Webhooks) -> None:
        self.waiting: deque[Delivery] = deque()
        self.task: asyncio.Task[None] | None = None
        self._url = url
        self._webhooks = webhooks

    def put(self, delivery: Delivery) -> None:
        if len(self.waiting) >= MAX_WAITING:
            self.say(self.waiting.popleft(), f"is not sent: {MAX_WAITING} wait already")
        self.waiting.append(delivery)
        if self.task is None:
            self.task = asyncio.create_task(self._send(), name="webhook")

    def say(self, delivery: Delivery, what: str) -> None:
        _LOG.bind(torrent=delivery.infohash).warning(
            "the webhook for %r to %s %s", delivery.event, host_of(self._url), what
        )

    async def _send(self) -> None:
        try:
            while self.waiting:
                delivery = self.waiting[0]
                why = await self._webhooks.deliver(self._url, delivery)
                if why:
                    self.say(delivery, f"failed: {why}")
                if self.waiting and self.waiting[0] is delivery:
                    self.waiting.popleft()
            self._webhooks.idle(self._url)
        finally:
            self.task = None
