"""The client of a control server, for the command line and other programs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp

from millstream.errors import ConfigError, ControlError
from millstream.rpc.config import DEFAULT_PORT

DEFAULT_URL = f"http://127.0.0.1:{DEFAULT_PORT}"

# Seconds for an answer: removing a torrent waits for its trackers, checking files does not.
TIMEOUT = 30.0
# Bytes of an answer: 10,000 torrents are 6 MB, and the pieces' availability of a large one 3 MB.
MAX_ANSWER = 256 << 20


class ControlClient:
    """Asks a control server; use it as an async context manager.

    Args:
        url: where it is, `http://host:port`; without a scheme, `http://` is meant.
        token: what lets us in; None where none is needed.
        timeout: seconds for an answer.

    Raises:
        ConfigError: that is no such URL.
    """

    def __init__(
        self, url: str = DEFAULT_URL, *, token: str | None = None, timeout: float = TIMEOUT
    ) -> None:
        self.url = _checked(url)
        self._token = token
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        headers = {} if self._token is None else {"Authorization": f"Bearer {self._token}"}
        self._session = aiohttp.ClientSession(
            headers=headers, timeout=aiohttp.ClientTimeout(total=self._timeout)
        )
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, path: str) -> dict[str, Any]:
        """Ask for something; raises ControlError if nobody answers, or the answer is no."""
        return await self._ask("GET", path, None)

    async def post(self, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Have something done; raises ControlError if nobody answers, or the answer is no."""
        return await self._ask("POST", path, body or {})

    async def _ask(
        self, method: str, path: str, body: Mapping[str, object] | None
    ) -> dict[str, Any]:
        if self._session is None:
            raise ConfigError("the client is used outside its `async with`")
        try:
            # A redirect would take the token elsewhere.
            async with self._session.request(
                method, f"{self.url}{path}", json=body, allow_redirects=False
            ) as response:
                text = await response.content.read(MAX_ANSWER)
                while not response.content.at_eof() and len(text) < MAX_ANSWER:
                    text += await response.content.read(MAX_ANSWER - len(text))
                status = response.status
        except aiohttp.ClientConnectorError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            raise ControlError(
                f"no daemon answers at {self.url} ({why}); start one with `millstream daemon`"
            ) from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            why = str(error) or f"no answer within {self._timeout:g} s"
            raise ControlError(f"the daemon at {self.url} does not answer: {why}") from error
        return self._read(status, text)

    def _read(self, status: int, text: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict) or "ok" not in answer:
            raise ControlError(f"what answers at {self.url} is no Millstream daemon", status)
        if not answer["ok"] or status != 200:
            why = str(answer.get("message") or answer.get("error"))
            raise ControlError(why, status, str(answer.get("error", "")))
        return answer


def _checked(url: str) -> str:
    full = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(full)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
        usable = usable and parts.port != 0 and not parts.query and not parts.fragment
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"{url[:100]!r} is no address of a daemon, such as {DEFAULT_URL}")
    return full.rstrip("/")
