"""HTTP over aiohttp, which is loaded at the first request: most commands never make one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millstream.errors import HttpError
from millstream.interfaces.http import Accept, DataReceived, HttpRequest, HttpResponse

if TYPE_CHECKING:
    from millstream.adapters.native.http_session import HttpSessions


class NativeHttp:
    """The machine's HTTP client: implements `interfaces.http.HttpClient`.

    It must be made and used within one event loop. Proxies from the environment are not used, and
    no cookies are kept.

    Args:
        user_agent: what it calls itself, such as `Millstream/0.1.0`.
    """

    def __init__(self, user_agent: str) -> None:
        self._user_agent = user_agent
        self._sessions: HttpSessions | None = None
        self._closed = False

    async def get(self, request: HttpRequest) -> HttpResponse:
        """See `interfaces.http.HttpClient`."""
        return await self._open().get(request)

    async def stream(
        self, request: HttpRequest, accept: Accept, data_received: DataReceived
    ) -> HttpResponse:
        """See `interfaces.http.HttpClient`."""
        return await self._open().stream(request, accept, data_received)

    async def close(self) -> None:
        """See `interfaces.http.HttpClient`."""
        self._closed = True
        sessions, self._sessions = self._sessions, None
        if sessions is not None:
            await sessions.close()

    def _open(self) -> HttpSessions:
        if self._closed:
            raise HttpError("the HTTP client is closed")
        if self._sessions is None:
            from millstream.adapters.native.http_session import HttpSessions  # noqa: PLC0415

            self._sessions = HttpSessions(self._user_agent)
        return self._sessions
