"""What to fetch from a web seed: requests for blocks on one side, runs of bytes on the other.

To the torrent a web seed is a peer that has everything and never chokes. The messages sent to it end
here; requests that follow each other become one long run, for a request in HTTP costs much more
than one between peers.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from millstream.core.geometry import Geometry
from millstream.protocol.messages import MessageId

# The longest run fetched by one request. Libtorrent asks for 16 MiB of a web seed at a time
# (`urlseed_max_request_bytes`); of shorter ones less is lost when the connection is.
MAX_RUN_LENGTH = 4 << 20


_THREE = struct.Struct(">III").unpack_from


class Fetch(NamedTuple):
    """A run of the torrent's bytes."""

    offset: int
    length: int


class WebSeedQueue:
    """The requests that wait for one web seed.

    Args:
        geometry: the torrent's pieces.
        dropped: called for each request that is cancelled before it is fetched.
    """

    def __init__(self, geometry: Geometry, dropped: Callable[[int, int, int], None]) -> None:
        self._geometry = geometry
        self._dropped = dropped
        # Requests as (index, begin, length): a dict keeps their order and finds the cancelled.
        self._waiting: dict[tuple[int, ...], None] = {}
        self._fetching: deque[tuple[int, ...]] = deque()
        self._kept = bytearray()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def send(self, data: bytes) -> None:
        """Take messages as a peer would."""
        at = 0
        while at < len(data):
            length = int.from_bytes(data[at : at + 4], "big")
            kind = data[at + 4] if length else None
            if kind == MessageId.REQUEST:
                self._waiting[_THREE(data, at + 5)] = None
            elif kind == MessageId.CANCEL:
                self._cancel(_THREE(data, at + 5))
            # What else peers say to each other means nothing to a server.
            at += 4 + length

    def _cancel(self, request: tuple[int, ...]) -> None:
        """Drop a request, unless it is being fetched: then its data comes anyway."""
        if request in self._waiting:
            del self._waiting[request]
            self._dropped(*request)

    def next_fetch(self, most: int = MAX_RUN_LENGTH) -> Fetch | None:
        """The next run to fetch, at most so many bytes but one block at least; None: nothing waits."""
        self._kept.clear()
        self._fetching.clear()
        start = end = -1
        for request in self._waiting:
            index, begin, length = request
            offset = index * self._geometry.piece_length + begin
            if self._fetching and (offset != end or end + length - start > most):
                break
            if not self._fetching:
                start = offset
            end = offset + length
            self._fetching.append(request)
        for request in self._fetching:
            del self._waiting[request]
        return Fetch(start, end - start) if self._fetching else None

    def data_received(
        self, view: memoryview, deliver: Callable[[int, int, memoryview], None]
    ) -> None:
        """Take the next bytes of the run, and deliver each block that they complete.

        Bytes beyond the run are ignored.
        """
        while self._fetching and view:
            index, begin, length = self._fetching[0]
            if not self._kept and len(view) >= length:
                self._fetching.popleft()
                deliver(index, begin, view[:length])
                view = view[length:]
                continue
            taken = view[: length - len(self._kept)]
            self._kept += taken
            view = view[len(taken) :]
            if len(self._kept) == length:
                self._fetching.popleft()
                block, self._kept = self._kept, bytearray()
                deliver(index, begin, memoryview(block))

    @property
    def is_run_over(self) -> bool:
        """Whether the whole run came."""
        return not self._fetching
