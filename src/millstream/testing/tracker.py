"""A tracker for simulated swarms: the real one, at an address of a simulated web.

```python
web = MemoryWeb()
tracker = MemoryTracker(web, rng)
... engines with MemoryHttp(web, address) and torrents that name tracker.url ...
assert tracker.announces[-1][1].event is AnnounceEvent.STOPPED
```
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from urllib.parse import urlsplit

from millstream.adapters.memory.http import MemoryWeb
from millstream.errors import MalformedDataError
from millstream.interfaces.http import HttpRequest, HttpResponse
from millstream.tracker.announce import AnnounceRequest
from millstream.tracker.announce_query import parse_announce_query
from millstream.tracker.http_tracker import HttpTracker
from millstream.tracker.registry import Registry, RegistryConfig


class MemoryTracker:
    """An HTTP tracker that answers in a `MemoryWeb`.

    Args:
        web: where clients find it.
        rng: draws the peers.
        config: what it remembers; None for the defaults.
        host: its name.
        port: where it listens.
        latency: seconds each way.
        clock: gives `now`; None for the running loop's.

    Attributes:
        registry: what is tracked.
        announces: every announce it could read, with the address that it came from.
        is_down: whether it answers with status 503 only.
    """

    def __init__(
        self,
        web: MemoryWeb,
        rng: random.Random,
        config: RegistryConfig | None = None,
        *,
        host: str = "tracker.test",
        port: int = 80,
        latency: float = 0.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.registry = Registry(config)
        self.announces: list[tuple[str, AnnounceRequest]] = []
        self.is_down = False
        self.url = f"http://{host}/announce" if port == 80 else f"http://{host}:{port}/announce"
        self._tracker = HttpTracker(self.registry, rng)
        self._clock = clock
        web.serve(host, port, self._answer, latency=latency)

    def _answer(self, request: HttpRequest, client: str) -> HttpResponse:
        if self.is_down:
            return HttpResponse(503, {"content-type": "text/html"}, b"<h1>no backend</h1>")
        parts = urlsplit(request.url)
        query = parts.query.encode("utf-8", "surrogateescape")
        now = self._clock() if self._clock else asyncio.get_running_loop().time()
        match parts.path:
            case "/announce":
                self._note(query, client)
                body = self._tracker.announce(query, client, now)
            case "/scrape":
                body = self._tracker.scrape(query, client, now)
            case _:
                return HttpResponse(404, {"content-type": "text/plain"}, b"not found")
        return HttpResponse(200, {"content-type": "text/plain"}, body)

    def _note(self, query: bytes, client: str) -> None:
        try:
            self.announces.append((client, parse_announce_query(query).announce))
        except MalformedDataError:
            return
