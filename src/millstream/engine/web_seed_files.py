"""The files of a web seed: which bytes of which file a run is, and what a server says to a request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import NamedTuple

from millstream.errors import HttpError, MalformedDataError
from millstream.interfaces.http import HttpClient, HttpRequest, HttpResponse
from millstream.protocol.content_range import ContentRange
from millstream.protocol.metainfo import Metainfo
from millstream.protocol.web_seed_url import file_url
from millstream.storage.layout import FileLayout

# A server that sends no ranges sends a file whole; up to so many bytes that is put up with.
MAX_WHOLE_FILE = 4 << 20
# Seconds for one request. Who is silent is given up long before that (`web_seed.STALL_TIME`); under
# a rate limit a request may take its time.
FETCH_TIMEOUT = 3600.0

# Answers that say nothing of the file, only that the server does not want to be asked now.
_NOT_NOW = frozenset({408, 425, 429})


class ServerBusyError(HttpError):
    """The server does not answer now; `retry_after` is the seconds it asks us to stay away."""

    def __init__(self, message: str, retry_after: float | None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class FileUnusableError(HttpError):
    """The server lacks the file, or has another one in its place, or does not send parts of it.

    Attributes:
        file: its number in the torrent.
    """

    def __init__(self, message: str, file: int) -> None:
        super().__init__(message)
        self.file = file


class FilePart(NamedTuple):
    """A part of one file of the torrent; `file` is None for padding, which is zeros."""

    file: int | None
    begin: int
    length: int


class WebSeedFiles:
    """What one web seed has, and the way to it.

    Args:
        url: the web seed's URL, as the torrent has it.
        http: fetches.
        allow_local: whether the host's address need not be global.
    """

    def __init__(
        self,
        url: str,
        metainfo: Metainfo,
        layout: FileLayout,
        http: HttpClient,
        *,
        allow_local: bool,
    ) -> None:
        self._url = url
        self._metainfo = metainfo
        self._layout = layout
        self._http = http
        self._allow_local = allow_local

    def parts(self, offset: int, length: int) -> Iterator[FilePart]:
        """The parts of files that a run of the torrent's bytes is made of, in order."""
        names = self._layout.names
        for index, begin, taken in self._layout.spans(offset, length):
            yield FilePart(None if names[index] is None else index, begin, taken)

    async def fetch(
        self,
        index: int,
        begin: int,
        length: int,
        data_received: Callable[[memoryview], Awaitable[None] | None],
    ) -> None:
        """Fetch a part of a file.

        Raises:
            FileUnusableError: asking for more of the file is in vain.
            ServerBusyError: the server says that it cannot now.
            HttpError: the connection failed or was lost.
        """
        # A server may send less than it is asked for, as long as it says so.
        while length:
            fetched = await self._fetch(index, begin, length, data_received)
            begin += fetched
            length -= fetched

    async def _fetch(
        self,
        index: int,
        begin: int,
        length: int,
        data_received: Callable[[memoryview], Awaitable[None] | None],
    ) -> int:
        url = file_url(self._url, self._metainfo, index)
        size = self._metainfo.files[index].length
        skipped = left = promised = 0
        is_whole = False

        def accept(response: HttpResponse) -> bool:
            nonlocal skipped, left, promised, is_whole
            try:
                skipped, left = _judge(response, begin, length, size)
            except MalformedDataError as error:
                raise FileUnusableError(f"{url}: {error}", index) from error
            except ServerBusyError as error:
                raise ServerBusyError(f"{url}: {error}", error.retry_after) from error
            promised, is_whole = left, response.status == 200
            return True

        def received(view: memoryview) -> Awaitable[None] | None:
            nonlocal skipped, left
            if skipped:
                dropped = min(skipped, len(view))
                skipped -= dropped
                view = view[dropped:]
            if len(view) > left and not is_whole:
                raise HttpError(f"{url}: more came than the server said")
            taken = view[:left]
            left -= len(taken)
            return data_received(taken) if taken else None

        await self._http.stream(
            HttpRequest(
                url=url,
                headers={"Range": f"bytes={begin}-{begin + length - 1}"},
                timeout=FETCH_TIMEOUT,
                max_length=max(length, size if size <= MAX_WHOLE_FILE else 0),
                allow_local=self._allow_local,
            ),
            accept,
            received,
        )
        if left:
            raise HttpError(f"{url}: the answer ended {left:,} bytes early")
        return promised


def _judge(response: HttpResponse, begin: int, length: int, size: int) -> tuple[int, int]:
    """How many bytes of the body to skip, and how many to take then.

    Raises:
        MalformedDataError: it is not what was asked for.
        ServerBusyError: the server says that it cannot now.
    """
    status, headers = response.status, response.headers
    if status in _NOT_NOW or status >= 500:
        raise ServerBusyError(
            f"the server answered {status}", _retry_after(headers.get("retry-after"))
        )
    coding = headers.get("content-encoding", "identity").strip().lower() or "identity"
    if status == 206:
        if coding != "identity":
            # The range would be one of the encoded bytes (RFC 9110, section 14).
            raise MalformedDataError(f"the server sends a part encoded as {coding[:40]!r}")
        found = ContentRange.parse(headers.get("content-range", ""))
        if found.whole not in {None, size}:
            raise MalformedDataError(
                f"the file has {found.whole:,} bytes there instead of {size:,}"
            )
        if found.begin != begin or found.length > length:
            raise MalformedDataError(
                f"the server sent {found.length:,} bytes at {found.begin:,} "
                f"where {length:,} at {begin:,} were asked for"
            )
        return 0, found.length
    if status != 200:
        raise MalformedDataError(f"the server answered {status}")
    if size > MAX_WHOLE_FILE:
        raise MalformedDataError("the server does not send parts of files")
    announced = headers.get("content-length")
    if announced is not None and coding == "identity" and announced.strip() != str(size):
        raise MalformedDataError(f"the file has {announced[:20]} bytes there instead of {size:,}")
    return begin, length


def _retry_after(text: str | None) -> float | None:
    """The seconds that a server asks us to stay away, if it says so in seconds."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) < 7):
        return None
    return float(text)
