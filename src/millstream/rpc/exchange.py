"""One request and its answer over HTTP, in a thread of its own.

The standard library's client rather than aiohttp's: a command that asks one question would spend
more time on importing the latter than on all the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import SplitResult

# Bytes that are read in one go while an answer comes.
_PART = 1 << 20


class Answer(NamedTuple):
    """What came back.

    Attributes:
        status: of HTTP.
        body: as much of it as was wanted.
    """

    status: int
    body: bytes


class Exchange:
    """One request; redirects are not followed, as they would take the token elsewhere.

    Args:
        url: where the server is.
        timeout: seconds for every wait; who wants an end to all of them together cancels `run`.
        most: bytes of the answer that are read.
    """

    def __init__(self, url: SplitResult, *, timeout: float, most: int) -> None:
        host = url.hostname or ""
        https = url.scheme == "https"
        made = http.client.HTTPSConnection if https else http.client.HTTPConnection
        self._connection = made(host, url.port, timeout=timeout)
        self._most = most
        self._ended = False

    async def run(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        """Ask.

        Raises:
            OSError: there is no connection to be had, or it is lost.
            http.client.HTTPException: what comes is no HTTP.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Answer] = loop.create_future()

        def work() -> None:
            tell: Callable[[], None]
            try:
                answer = self._ask(method, path, headers, body)
                tell = lambda: None if done.done() else done.set_result(answer)  # noqa: E731
            except Exception as error:  # noqa: BLE001 - handed on to who waits
                failed = error
                tell = lambda: None if done.done() else done.set_exception(failed)  # noqa: E731
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits
                loop.call_soon_threadsafe(tell)

        # A daemon's thread: a connection that is not made yet must not keep the program from ending.
        threading.Thread(target=work, name="control", daemon=True).start()
        try:
            return await done
        finally:
            self._end()

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        connection = self._connection
        try:
            connection.connect()
            if self._ended:
                raise ConnectionAbortedError
            connection.request(method, path, body, {**headers, "Connection": "close"})
            response = connection.getresponse()
            parts = bytearray()
            while len(parts) < self._most:
                part = response.read(min(_PART, self._most - len(parts)))
                if not part:
                    break
                parts += part
            if response.length and len(parts) < self._most:
                raise http.client.IncompleteRead(b"", response.length)
            return Answer(response.status, bytes(parts))
        finally:
            connection.close()

    def _end(self) -> None:
        """Wake the thread, whatever it waits for."""
        self._ended = True
        opened = self._connection.sock
        if opened is not None:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
