"""The client of a control server, for the command line and other programs."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit

from millstream import __version__
from millstream.errors import ConfigError, ControlError
from millstream.rpc.config import DEFAULT_PORT
from millstream.rpc.exchange import Answer, Exchange

DEFAULT_URL = f"http://127.0.0.1:{DEFAULT_PORT}"

# Seconds for an answer: removing a torrent waits for its trackers, checking files does not.
TIMEOUT = 30.0
# Bytes of an answer: 10,000 torrents are 6 MB, and the pieces' availability of a large one 3 MB.
MAX_ANSWER = 256 << 20

_JSON = {"Content-Type": "application/json"}
# A connection there was.
_LOST = (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)


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
        self.url, self._parts = _checked(url)
        self._timeout = timeout
        self._headers = {"User-Agent": f"Millstream/{__version__}", "Accept": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._is_open = False

    async def __aenter__(self) -> Self:
        self._is_open = True
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_open = False

    async def get(self, path: str) -> dict[str, Any]:
        """Ask for something; raises ControlError if nobody answers, or the answer is no."""
        return await self._ask("GET", path, None)

    async def post(self, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Have something done; raises ControlError if nobody answers, or the answer is no."""
        return await self._ask("POST", path, body or {})

    async def _ask(
        self, method: str, path: str, body: Mapping[str, object] | None
    ) -> dict[str, Any]:
        if not self._is_open:
            raise ConfigError("the client is used outside its `async with`")
        data = None if body is None else json.dumps(body).encode()
        headers = self._headers if body is None else {**self._headers, **_JSON}
        exchange = Exchange(self._parts, timeout=self._timeout, most=MAX_ANSWER)
        try:
            async with asyncio.timeout(self._timeout):
                answer = await exchange.run(method, self._parts.path + path, headers, data)
        except (OSError, http.client.HTTPException) as error:
            raise self._unanswered(error) from error
        return self._read(answer)

    def _unanswered(self, error: Exception) -> ControlError:
        """Nobody there, or nobody who can talk."""
        if isinstance(error, TimeoutError):
            return ControlError(
                f"the daemon at {self.url} does not answer: no answer within {self._timeout:g} s"
            )
        if isinstance(error, OSError) and not isinstance(error, _LOST):
            why = error.strerror or str(error)
            return ControlError(
                f"no daemon answers at {self.url} ({why}); start one with `millstream daemon`"
            )
        why = str(error) or type(error).__name__
        return ControlError(f"the daemon at {self.url} does not answer: {why}")

    def _read(self, received: Answer) -> dict[str, Any]:
        status = received.status
        try:
            answer = json.loads(received.body)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict) or "ok" not in answer:
            raise ControlError(f"what answers at {self.url} is no Millstream daemon", status)
        if not answer["ok"] or status != 200:
            why = str(answer.get("message") or answer.get("error"))
            raise ControlError(why, status, str(answer.get("error", "")))
        return answer


def _checked(url: str) -> tuple[str, SplitResult]:
    full = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(full)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
        usable = usable and parts.port != 0 and not parts.query and not parts.fragment
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"{url[:100]!r} is no address of a daemon, such as {DEFAULT_URL}")
    full = full.rstrip("/")
    return full, urlsplit(full)
