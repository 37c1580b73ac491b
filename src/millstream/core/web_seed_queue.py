"""What to fetch from a web seed: requests for blocks on one side, runs of bytes on the other.

To the torrent a web seed is a peer that has everything and never chokes. The messages sent to it end
here; requests that follow each other become one long run, for a request in HTTP costs much more
than one between peers. Several runs may be fetched at once.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from millstream.core.geometry import Geometry
from millstream.protocol.messages import MessageId

# The longest run fetched by one request. Libtorrent asks for 16 MiB of a web seed at a time
# (`urlseed_max_request_bytes`), Transmission for 1 MiB; of shorter ones less is lost when the
# connection is.
MAX_RUN_LENGTH = 4 << 20

_THREE = struct.Struct(">III").unpack_from


class Request(NamedTuple):
    """A block that was asked for."""

    piece: int
    begin: int
    length: int


class Run:
    """Blocks that follow each other in the torrent, fetched as one; made by `WebSeedQueue.next_run`.

    Attributes:
        offset: bytes from the torrent's start.
        length: bytes.
        left: the blocks that did not come yet, in order.
    """

    __slots__ = ("_fetching", "_kept", "left", "length", "offset")

    def __init__(
        self, offset: int, length: int, requests: deque[Request], fetching: set[Request]
    ) -> None:
        self.offset = offset
        self.length = length
        self.left = requests
        self._fetching = fetching
        self._kept = bytearray()

    def data_received(
        self, view: memoryview, deliver: Callable[[int, int, memoryview], None]
    ) -> None:
        """Take the next bytes of the run, and deliver each block that they complete.

        Bytes beyond the run are ignored.
        """
        while self.left and view:
            index, begin, length = self.left[0]
            if not self._kept and len(view) >= length:
                block, view = view[:length], view[length:]
            else:
                taken = view[: length - len(self._kept)]
                self._kept += taken
                view = view[len(taken) :]
                if len(self._kept) < length:
                    return
                whole, self._kept = self._kept, bytearray()
                block = memoryview(whole)
            self._fetching.discard(self.left.popleft())
            deliver(index, begin, block)


class WebSeedQueue:
    """The requests that wait for one web seed.

    Args:
        geometry: the torrent's pieces.
        is_wanted: whether the block of a piece (index, begin) is still awaited from this web seed.
        dropped: called for each request that will not be fetched.
    """

    def __init__(
        self,
        geometry: Geometry,
        is_wanted: Callable[[int, int], bool],
        dropped: Callable[[int, int, int], None],
    ) -> None:
        self._geometry = geometry
        self._is_wanted = is_wanted
        self._dropped = dropped
        # A dict keeps their order and finds the cancelled.
        self._waiting: dict[Request, None] = {}
        # What the runs that are under way still lack.
        self._fetching: set[Request] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def send(self, data: bytes) -> None:
        """Take messages as a peer would."""
        at = 0
        while at < len(data):
            length = int.from_bytes(data[at : at + 4], "big")
            kind = data[at + 4] if length else None
            if kind == MessageId.REQUEST:
                request = Request._make(_THREE(data, at + 5))
                # After a timeout the same is asked for again, though it may be on its way.
                if request not in self._fetching:
                    self._waiting[request] = None
            elif kind == MessageId.CANCEL:
                self._cancel(Request._make(_THREE(data, at + 5)))
            # What else peers say to each other means nothing to a server.
            at += 4 + length

    def _cancel(self, request: Request) -> None:
        """Drop a request, unless it is being fetched: then its data may come anyway."""
        if request in self._waiting:
            del self._waiting[request]
            self._dropped(*request)

    def next_run(self, most: int = MAX_RUN_LENGTH) -> Run | None:
        """The next run to fetch, at most so many bytes but one block at least; None: nothing waits.

        What waits and is not wanted any more is dropped.
        """
        found: deque[Request] = deque()
        unwanted: list[Request] = []
        start = end = -1
        for request in self._waiting:
            index, begin, length = request
            if not self._is_wanted(index, begin):
                unwanted.append(request)
                continue
            offset = index * self._geometry.piece_length + begin
            if found and (offset != end or end + length - start > most):
                break
            if not found:
                start = offset
            end = offset + length
            found.append(request)
        for request in found:
            del self._waiting[request]
        for request in unwanted:
            del self._waiting[request]
            self._dropped(*request)
        if not found:
            return None
        self._fetching.update(found)
        return Run(start, end - start, found, self._fetching)

    def is_useless(self, run: Run) -> bool:
        """Whether nothing of what a run still lacks is wanted any more."""
        return not any(self._is_wanted(request.piece, request.begin) for request in run.left)

    def end(self, run: Run) -> None:
        """A run is over, or was given up: what it lacks waits again, before all else."""
        if run.left:
            self._fetching.difference_update(run.left)
            self._waiting = dict.fromkeys(run.left) | self._waiting
            run.left.clear()
