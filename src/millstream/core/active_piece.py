"""One piece between its first request and the disk (seed 004).

All that is known of an unfinished piece is here: which blocks were asked of whom and when, which
came and from whom, and the buffer they go into. The buffer is taken when the first block comes, so
requests alone cost no memory. Blocks are kept in parallel arrays because whole runs of them are
claimed, found and cleared at the speed of slices.
"""

from __future__ import annotations

from millstream.core.geometry import BLOCK_SHIFT, ConnectionId, PieceIndex
from millstream.protocol.messages import BLOCK_LENGTH

NOBODY = ConnectionId(0)
# Owns the blocks that were kept while the torrent was stopped: no connection has this id.
RESTORED = ConnectionId(-1)


class ActivePiece:
    """The blocks of one piece.

    Attributes:
        owner: for each block, the connection it was last asked of or came from, or RESTORED. After
            the last block this is the list of contributors.
        received: for each block, 1 if it came.
        asked: for each block, 1 if it came or is awaited.
        missing: how many blocks have not come.
        unrequested: how many blocks are neither here nor awaited.
        askers: the connections that were ever asked for a block of it.
        only_from: if set, the one connection that may be asked: the piece failed before, and
            with a single contributor the next failure names the culprit.
    """

    __slots__ = (
        "also_asked",
        "asked",
        "askers",
        "block_count",
        "index",
        "length",
        "missing",
        "only_from",
        "owner",
        "received",
        "requested_at",
        "unrequested",
        "view",
    )

    def __init__(self, index: PieceIndex, length: int) -> None:
        blocks = -(-length // BLOCK_LENGTH)
        self.index = index
        self.length = length
        self.block_count = self.missing = self.unrequested = blocks
        self.view: memoryview | None = None
        self.owner = [NOBODY] * blocks
        self.requested_at = [0.0] * blocks
        self.received = bytearray(blocks)
        self.asked = bytearray(blocks)
        self.also_asked: dict[int, list[ConnectionId]] = {}
        self.askers: set[ConnectionId] = set()
        self.only_from: ConnectionId | None = None

    def claim(self, by: ConnectionId, most: int, now: float) -> list[tuple[int, int]]:
        """Mark up to `most` unrequested blocks as asked of `by`.

        Returns runs of (first block, count), in order.
        """
        runs = []
        asked, first = self.asked, 0
        while most and self.unrequested:
            first = asked.find(0, first)
            stop = asked.find(1, first, first + most)
            if stop < 0:
                stop = min(first + most, self.block_count)
            count = stop - first
            asked[first:stop] = b"\1" * count
            self.owner[first:stop] = [by] * count
            self.requested_at[first:stop] = [now] * count
            self.unrequested -= count
            most -= count
            runs.append((first, count))
            first = stop
        return runs

    def is_awaited_from(self, connection: ConnectionId, block: int) -> bool:
        """Whether the block was asked of that connection and has not come from anyone."""
        if self.received[block] or not self.asked[block]:
            return False
        return self.owner[block] == connection or connection in self.also_asked.get(block, ())

    def put(self, connection: ConnectionId, block: int, data: memoryview) -> list[ConnectionId]:
        """Store an awaited block of the right length: the one copy of its way.

        Returns the other connections it had been asked of, which want a cancel. `view` must be set.
        """
        begin = block << BLOCK_SHIFT
        self.view[begin : begin + len(data)] = data  # type: ignore[index]
        self.received[block] = 1
        self.missing -= 1
        others: list[ConnectionId] = []
        if self.also_asked and block in self.also_asked:
            others = self.also_asked.pop(block)
            others.append(self.owner[block])
            others = [other for other in others if other != connection]
            self.owner[block] = connection
        return others

    def restore(self, block: int, data: memoryview) -> None:
        """Store a block, of the right length, that came at another time; nobody is asked for it.

        `view` must be set.
        """
        begin = block << BLOCK_SHIFT
        self.view[begin : begin + len(data)] = data  # type: ignore[index]
        self.owner[block] = RESTORED
        self.received[block] = self.asked[block] = 1
        self.missing -= 1
        self.unrequested -= 1

    def ask_also(self, block: int, connection: ConnectionId, now: float) -> None:
        """Record that a second connection was asked for an awaited block."""
        self.requested_at[block] = now
        self.also_asked.setdefault(block, []).append(connection)

    def release(self, connection: ConnectionId, *, asked_before: float | None = None) -> list[int]:
        """Forget what is awaited from a connection; the blocks may then be asked of others.

        Args:
            connection: whose requests to forget.
            asked_before: only requests made before this time.

        Returns:
            The blocks that were awaited from it.
        """
        released = []
        for block, owner in enumerate(self.owner):
            if self.received[block]:
                continue
            others = self.also_asked.get(block)
            if owner == connection and self.asked[block]:
                if asked_before is not None and self.requested_at[block] >= asked_before:
                    continue
                self._reassign(block, others)
            elif others and connection in others and asked_before is None:
                others.remove(connection)
                if not others:
                    del self.also_asked[block]
            else:
                continue
            released.append(block)
        return released

    def oldest_request(self, connection: ConnectionId) -> float | None:
        """When the connection was first asked for what it owes; None if it owes nothing.

        A block that somebody else was asked for as well counts from then on.
        """
        times = [
            self.requested_at[block]
            for block, owner in enumerate(self.owner)
            if owner == connection and not self.received[block]
        ]
        return min(times, default=None)

    def release_block(self, connection: ConnectionId, block: int) -> bool:
        """As `release`, for one block that was rejected; False if it was not awaited from there."""
        if not self.is_awaited_from(connection, block):
            return False
        others = self.also_asked.get(block)
        if self.owner[block] == connection:
            self._reassign(block, others)
        elif others:
            others.remove(connection)
            if not others:
                del self.also_asked[block]
        return True

    def _reassign(self, block: int, others: list[ConnectionId] | None) -> None:
        """The block's owner will not send it: the next who was asked owns it, or nobody."""
        if others:
            self.owner[block] = others.pop(0)
            if not others:
                del self.also_asked[block]
        else:
            self.owner[block] = NOBODY
            self.asked[block] = 0
            self.unrequested += 1

    def awaited_connections(self) -> set[ConnectionId]:
        """The connections that owe blocks of this piece."""
        owing = {
            owner
            for owner, asked, received in zip(self.owner, self.asked, self.received, strict=True)
            if asked and not received
        }
        for others in self.also_asked.values():
            owing.update(others)
        return owing

    @property
    def received_bytes(self) -> int:
        """Bytes of the blocks that came."""
        spare = self.block_count * BLOCK_LENGTH - self.length
        return self.received.count(1) * BLOCK_LENGTH - spare * self.received[-1]

    @property
    def is_untouched(self) -> bool:
        """Whether nothing came and nothing is awaited."""
        return self.unrequested == self.block_count

    def check_invariant(self) -> None:
        """Raise AssertionError if the books do not agree; called by tests after each step."""
        blocks = range(self.block_count)
        assert self.missing == self.received.count(0)
        assert self.unrequested == self.asked.count(0)
        for block in blocks:
            assert self.asked[block] or not self.received[block]
            assert bool(self.asked[block]) == (self.owner[block] != NOBODY)
            others = self.also_asked.get(block, [])
            assert len(set(others)) == len(others)
            assert not others or (not self.received[block] and self.asked[block])
            assert self.owner[block] not in others
