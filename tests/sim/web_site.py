"""A web server of a simulated web that has files, and may behave as badly as a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from millstream.adapters.memory import MemoryStream, MemoryWeb
from millstream.adapters.memory.http import HttpAnswer
from millstream.interfaces.http import HttpRequest, HttpResponse


class Asked(NamedTuple):
    """A request for a part of a file."""

    path: str
    content: bytes
    begin: int
    end: int

    @property
    def data(self) -> bytes:
        """The part."""
        return self.content[self.begin : self.end]

    def headers(self, **other: str) -> dict[str, str]:
        """What comes with the part."""
        span = f"bytes {self.begin}-{self.end - 1}/{len(self.content)}"
        return {"Content-Range": span, **other}


Behaviour = Callable[[Asked], HttpAnswer | None]


class WebSite:
    """Serves files with ranges.

    Args:
        web: where it is.
        files: their content by path.
        host: its name.
        rate: bytes a second of each connection; None: everything at once.
        latency: seconds each way.
        addresses: what its name resolves to.

    Attributes:
        asked: when, and for which path and range.
        most_at_once: how many requests were open at a time.
        sent: bytes of bodies.
        behave: called with what is asked for; what it returns is the answer, None the usual one.
    """

    def __init__(
        self,
        web: MemoryWeb,
        files: dict[str, bytes],
        *,
        host: str = "web.test",
        rate: float | None = None,
        latency: float = 0.01,
        addresses: tuple[str, ...] = (),
    ) -> None:
        self.files = files
        self.host = host
        self.rate = rate
        self.asked: list[tuple[float, str, tuple[int, int]]] = []
        self.open = self.most_at_once = self.sent = 0
        self.behave: Behaviour | None = None
        self._web = web
        self._latency = latency
        self._addresses = addresses
        self.come_back()

    @property
    def url(self) -> str:
        return f"http://{self.host}/"

    def die(self) -> None:
        """Refuse connections."""
        self._web.remove(self.host, 80)

    def come_back(self) -> None:
        self._web.serve(
            self.host, 80, self._answer, latency=self._latency, addresses=self._addresses
        )

    @property
    def times(self) -> list[float]:
        """When it was asked for something."""
        return [when for when, _, _ in self.asked]

    def _answer(self, request: HttpRequest, client: str) -> HttpAnswer:
        path = unquote(urlsplit(request.url).path)
        content = self.files.get(path)
        first, _, last = request.headers["Range"].removeprefix("bytes=").partition("-")
        begin, end = int(first), int(last) + 1
        self.asked.append((asyncio.get_running_loop().time(), path, (begin, end)))
        if content is None:
            return HttpResponse(404, {}, b"no such file")
        asked = Asked(path, content, begin, end)
        return (self.behave and self.behave(asked)) or self.part(asked)

    def part(self, asked: Asked) -> HttpAnswer:
        """The usual answer."""
        return MemoryStream(206, asked.headers(), self.body(asked.data))

    async def body(self, data: bytes, part: int = 16384) -> AsyncGenerator[bytes, None]:
        """The bytes at the site's rate."""
        self.open += 1
        self.most_at_once = max(self.most_at_once, self.open)
        try:
            for at in range(0, len(data), part):
                piece = data[at : at + part]
                if self.rate is not None:
                    await asyncio.sleep(len(piece) / self.rate)
                self.sent += len(piece)
                yield piece
        finally:
            self.open -= 1
