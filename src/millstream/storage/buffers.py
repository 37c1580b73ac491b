"""The buffers that pieces are put together in: pooled, and bounded over the whole engine."""

from __future__ import annotations


class PieceBufferPool:
    """Counts reserved room and recycles buffers.

    Reserving is only arithmetic; a buffer exists from the first block of a piece until its write is
    done. Free buffers are handed out again last in, first out, while they are warm in the cache.

    Args:
        max_bytes: the bound on reserved room.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._free: dict[int, list[memoryview]] = {}
        self.reserved_bytes = 0
        self.free_bytes = 0

    @property
    def room(self) -> int:
        """Bytes that can still be reserved within the bound; negative when it is overdrawn."""
        return self._max_bytes - self.reserved_bytes

    def reserve(self, length: int) -> None:
        """Count room for a piece."""
        self.reserved_bytes += length

    def unreserve(self, length: int) -> None:
        """Give counted room back."""
        self.reserved_bytes -= length

    def take(self, length: int) -> memoryview:
        """A buffer of exactly `length` bytes, with whatever was in it before."""
        free = self._free.get(length)
        if free:
            self.free_bytes -= length
            return free.pop()
        return memoryview(bytearray(length))

    def give_back(self, view: memoryview) -> None:
        """Recycle a buffer; half the bound at most is kept in free ones."""
        length = len(view)
        if self.free_bytes + length <= self._max_bytes // 2:
            self.free_bytes += length
            self._free.setdefault(length, []).append(view)
