"""One web seed at work: to the torrent a peer, to the network a run of HTTP requests (BEP 19)."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple

from millstream.core.geometry import Geometry
from millstream.core.peer import Peer
from millstream.core.web_seed_queue import MAX_RUN_LENGTH, WebSeedQueue
from millstream.engine.reading import Hold
from millstream.errors import HttpError, RemoteProtocolError
from millstream.interfaces.http import HttpClient, HttpRequest, HttpResponse
from millstream.protocol.metainfo import Metainfo
from millstream.protocol.web_seed_url import file_url
from millstream.storage.layout import FileLayout

# Seconds for one request; Transmission waits 120.
FETCH_TIMEOUT = 120.0


class FilePart(NamedTuple):
    """A part of one file of the torrent; `number` is None for padding, which is zeros."""

    number: int | None
    begin: int
    length: int


class FileParts:
    """Finds the files in which a run of the torrent's bytes lies."""

    def __init__(self, layout: FileLayout) -> None:
        self._files = [(i, file) for i, file in enumerate(layout.files) if file.length]
        self._starts = [file.offset for _, file in self._files]

    def parts(self, offset: int, length: int) -> Iterator[FilePart]:
        """The parts, in order."""
        at = bisect_right(self._starts, offset) - 1
        while length:
            index, file = self._files[at]
            begin = offset - file.offset
            taken = min(length, file.length - begin)
            yield FilePart(None if file.path is None else index, begin, taken)
            offset += taken
            length -= taken
            at += 1


class WebSeedLink:
    """The connection to a web seed: implements `core.peer.PeerLink`, and fetches.

    Args:
        url: the web seed's URL, as the torrent has it.
        metainfo: the torrent.
        parts: where its files lie.
        http: fetches.
        allow_local: whether the host's address need not be global.
        touched: called when blocks came.
        lost: called once, with the reason and the seconds the server asks us to stay away.

    Attributes:
        peer: what the torrent takes it for; set right after.
        unsent_bytes: nothing ever waits to be sent.
    """

    peer: Peer

    def __init__(
        self,
        url: str,
        metainfo: Metainfo,
        geometry: Geometry,
        parts: FileParts,
        http: HttpClient,
        *,
        allow_local: bool,
        touched: Callable[[], None],
        lost: Callable[[str, float | None], None],
    ) -> None:
        self.url = url
        self.unsent_bytes = 0
        self.is_closed = False
        self._metainfo = metainfo
        self._parts = parts
        self._http = http
        self._allow_local = allow_local
        self._touched = touched
        self._lost = lost
        self._queue = WebSeedQueue(geometry, self._dropped)
        self._retry_after: float | None = None
        self._task: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._holds: set[Hold] = set()

    def send(self, data: bytes) -> None:
        """Take messages as a peer would; requests are fetched."""
        self._queue.send(data)
        if self._queue and self._task is None and not self.is_closed:
            self._task = self._loop.create_task(self._run())

    def close(self, reason: str) -> None:
        """Fetch no more."""
        if self.is_closed:
            return
        self.is_closed = True
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self._lost(reason, self._retry_after)

    def hold(self, reason: Hold) -> None:
        """Begin no more requests for the time being."""
        self._holds.add(reason)
        self._may_read.clear()

    def release(self, reason: Hold) -> None:
        """Go on, unless there is another reason not to."""
        self._holds.discard(reason)
        if not self._holds:
            self._may_read.set()

    def _dropped(self, index: int, begin: int, length: int) -> None:
        self.peer.receive_reject(index, begin, length)

    async def _run(self) -> None:
        try:
            while not self.is_closed and (fetch := self._queue.next_fetch(MAX_RUN_LENGTH)):
                for part in self._parts.parts(fetch.offset, fetch.length):
                    await self._may_read.wait()
                    if part.number is None:
                        self._data_received(memoryview(bytes(part.length)))
                    else:
                        await self._fetch(part.number, part.begin, part.length)
        except (HttpError, RemoteProtocolError) as error:
            self.close(str(error))
        finally:
            self._task = None

    async def _fetch(self, index: int, begin: int, length: int) -> None:
        url = file_url(self.url, self._metainfo, index)
        is_whole = begin == 0 and length == self._metainfo.files[index].length
        left = length

        def received(view: memoryview) -> None:
            nonlocal left
            left -= len(view)
            if left < 0:
                raise HttpError(f"{url}: more came than was asked for")
            self._data_received(view)

        response = await self._http.stream(
            HttpRequest(
                url=url,
                headers={"Range": f"bytes={begin}-{begin + length - 1}"},
                timeout=FETCH_TIMEOUT,
                max_length=length,
                allow_local=self._allow_local,
            ),
            lambda response: _is_answer(response, begin, is_whole=is_whole),
            received,
        )
        if not _is_answer(response, begin, is_whole=is_whole):
            self._retry_after = _retry_after(response)
            raise HttpError(f"{url}: the server answered {response.status}")
        if left:
            raise HttpError(f"{url}: the answer ended {left} bytes early")

    def _data_received(self, view: memoryview) -> None:
        if self.is_closed:
            return
        self.peer.now = self._loop.time()
        self._queue.data_received(view, self.peer.receive_block)
        self._touched()


def _is_answer(response: HttpResponse, begin: int, *, is_whole: bool) -> bool:
    """Whether the body is the range that was asked for; a server may send a file whole instead."""
    if response.status == 206:
        found = response.headers.get("content-range", "").replace(" ", "").lower()
        return found.startswith(f"bytes{begin}-")
    return response.status == 200 and is_whole


def _retry_after(response: HttpResponse) -> float | None:
    """The seconds that the server asks us to stay away, if it says so in seconds."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else None
