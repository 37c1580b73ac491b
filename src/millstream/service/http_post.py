"""POSTs of webhooks over aiohttp, which is loaded at the first one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from millstream import __version__
from millstream.errors import HttpError

if TYPE_CHECKING:
    from aiohttp import ClientSession


class Poster(Protocol):
    """Sends POSTs."""

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> tuple[int, str]:
        """Send one, and wait so many seconds for its answer; redirects are not followed.

        Returns:
            The status, and `Retry-After` as it came; empty if it did not.

        Raises:
            HttpError: there was no answer; the message names the host and the cause.
        """

    async def close(self) -> None:
        """Close the connections that are kept."""


class HttpPoster:
    """Implements `Poster`. Proxies from the environment are not used, and no cookies are kept.

    Local addresses are as good as others: the user named them.
    """

    def __init__(self) -> None:
        self._session: ClientSession | None = None

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> tuple[int, str]:
        """See `Poster`."""
        import aiohttp  # noqa: PLC0415 - most services have no webhooks

        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={"User-Agent": f"Millstream/{__version__}"},
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        limit = aiohttp.ClientTimeout(total=seconds)
        try:
            # The answer's body is of no interest, and not read.
            async with self._session.post(
                url, data=body, headers=headers, timeout=limit, allow_redirects=False
            ) as answer:
                return answer.status, answer.headers.get("Retry-After", "")
        except TimeoutError:
            raise HttpError(f"{host_of(url)}: no answer within {seconds:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Not the error's own words where they could have the URL: it may let in who knows it.
            cause = getattr(error, "os_error", None)
            words = str(cause.strerror or cause) if isinstance(cause, OSError) else ""
            raise HttpError(f"{host_of(url)}: {words or type(error).__name__}") from None

    async def close(self) -> None:
        """See `Poster`."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def host_of(url: str) -> str:
    """What may be told of a webhook's URL."""
    return urlsplit(url).hostname or "?"
