"""HTTP: what trackers, web seeds and torrent URLs ask of a platform."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

# Redirects that are followed; libtorrent follows 4, browsers 20.
MAX_REDIRECTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One GET.

    Attributes:
        url: `http://` or `https://`.
        headers: besides what the platform sends by itself.
        timeout: seconds for the whole of it.
        max_length: the most bytes of body (decoded) that are taken; more is an error.
        allow_local: whether the host may be a loopback, private, link-local or otherwise not
            global address. Checked for the address that is really connected to, on every redirect.
        family: 4 or 6 to use only IPv4 or IPv6; None for either.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 30.0
    max_length: int = 1 << 20
    allow_local: bool = True
    family: int | None = None


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What came back; any status, redirects followed.

    Attributes:
        status: the status code.
        headers: names in lower case.
        body: empty if it was streamed.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


Accept: TypeAlias = Callable[[HttpResponse], bool]
"""Called with status and headers; False if the body is not wanted."""

DataReceived: TypeAlias = Callable[[memoryview], Awaitable[None] | None]
"""Called with a part of a body; what it returns is awaited before the next part is taken."""


class HttpClient(Protocol):
    """A platform's HTTP client. Errors are `errors.HttpError`, which names the host and the cause."""

    async def get(self, request: HttpRequest) -> HttpResponse:
        """Fetch the whole body. Raises HttpError: no connection, too long, too many redirects, refused."""

    async def stream(
        self, request: HttpRequest, accept: Accept, data_received: DataReceived
    ) -> HttpResponse:
        """Fetch the body in parts.

        Args:
            request: what to get. It waits for no `get`, and holds up none.
            accept: called with status and headers before any body; False ends it there.
            data_received: called with each part; the view is borrowed, until what it returns is
                done if it returns something to be awaited. Meanwhile the server is not read from,
                but for a buffer of the platform's.

        Raises HttpError, and what the two callables raise. Cancelling abandons it.
        """

    async def close(self) -> None:
        """Close the connections that are kept."""
