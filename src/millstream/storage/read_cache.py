"""Runs read for uploading: buffers that are shared, kept while hot, and used again.

Several peers that fetch the same piece are served from one read. A buffer is recycled when nobody
sends from it any more and it has cooled down.
"""

from __future__ import annotations

from collections import OrderedDict

from millstream.protocol.infohash import InfoHash

_SMALLEST = 16 << 10

# Free buffers that are kept: what a handful of fast peers have on their way. Memory that is given
# back to the system is cleared page by page when it is taken again.
MAX_FREE_BYTES = 16 << 20


class ReadBuffer:
    """A run of a piece, in memory. `users` counts the sends that still need it."""

    __slots__ = ("begin", "cached", "end", "users", "view")

    def __init__(self, view: memoryview) -> None:
        self.view = view
        self.begin = self.end = 0
        self.users = 0
        self.cached = False


class ReadCache:
    """Read buffers by torrent and piece, the least recently used given up first.

    Args:
        max_bytes: how much content is kept while nobody needs it. Buffers in use are extra; they
            are bounded by what the peers' links may hold unsent.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._hot: OrderedDict[tuple[InfoHash, int], ReadBuffer] = OrderedDict()
        self._hot_bytes = 0
        self._free: dict[int, list[memoryview]] = {}
        self._free_bytes = 0

    def find(self, torrent: InfoHash, piece: int, begin: int, end: int) -> ReadBuffer | None:
        """The bytes `begin` to `end` of the piece, if they are here; counts a user."""
        buffer = self._hot.get((torrent, piece))
        if buffer is None or begin < buffer.begin or end > buffer.end:
            return None
        self._hot.move_to_end((torrent, piece))
        buffer.users += 1
        return buffer

    def take(self, begin: int, end: int) -> ReadBuffer:
        """A buffer to read a run into; counts a user."""
        capacity = max(_SMALLEST, 1 << (end - begin - 1).bit_length())
        free = self._free.get(capacity)
        if free:
            self._free_bytes -= capacity
            buffer = ReadBuffer(free.pop())
        else:
            buffer = ReadBuffer(memoryview(bytearray(capacity)))
        buffer.begin, buffer.end = begin, end
        buffer.users = 1
        return buffer

    def keep(self, torrent: InfoHash, piece: int, buffer: ReadBuffer) -> None:
        """The buffer was filled: others may use it."""
        self._drop(self._hot.pop((torrent, piece), None))
        self._hot[torrent, piece] = buffer
        buffer.cached = True
        self._hot_bytes += len(buffer.view)
        while self._hot_bytes > self._max_bytes:
            self._drop(self._hot.popitem(last=False)[1])

    def done(self, buffer: ReadBuffer) -> None:
        """A user is done with the buffer."""
        buffer.users -= 1
        self._recycle(buffer)

    def forget(self, torrent: InfoHash) -> None:
        """The torrent's files changed or it was removed."""
        for key in [key for key in self._hot if key[0] == torrent]:
            self._drop(self._hot.pop(key))

    def _drop(self, buffer: ReadBuffer | None) -> None:
        if buffer is not None:
            buffer.cached = False
            self._hot_bytes -= len(buffer.view)
            self._recycle(buffer)

    def _recycle(self, buffer: ReadBuffer) -> None:
        if buffer.users or buffer.cached:
            return
        capacity = len(buffer.view)
        if self._free_bytes + capacity <= MAX_FREE_BYTES:
            self._free_bytes += capacity
            self._free.setdefault(capacity, []).append(buffer.view)
