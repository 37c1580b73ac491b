"""How many blocks to keep requested of one peer.

Requests in flight must cover rate x time, or the peer runs dry between our messages. A new peer's
rate is unknown: its depth starts small and grows by one for each block that comes, which doubles
it every round trip, until a measured second no longer fills it (libtorrent's slow start).

Peers that are many want more requests open together than there is room for; `fair_share` says how
many each may have then.
"""

from __future__ import annotations

from collections.abc import Iterable

from millstream.core.config import TransferConfig

INITIAL_DEPTH = 8
MIN_DEPTH = 4
# What a peer takes that does not say (`reqq`, BEP 10): libtorrent's `max_out_request_queue` is 500,
# Transmission assumes 500 as well.
UNKNOWN_QUEUE = 500
# A peer's share of the room for requests is never less: one round trip's worth on a fast LAN.
MIN_SHARE = 8
_SAMPLE_TIME = 1.0


class RequestDepth:
    """The depth for one peer, in blocks."""

    __slots__ = ("_blocks", "_cap", "_growing", "_most", "_queue_time", "_since", "depth")

    def __init__(self, config: TransferConfig, now: float) -> None:
        self._most = config.max_request_depth
        self._cap = min(self._most, UNKNOWN_QUEUE)
        self._queue_time = config.request_queue_time
        self.depth = min(INITIAL_DEPTH, self._cap)
        self._growing = True
        self._blocks = 0
        self._since = now

    def limit(self, reqq: int) -> None:
        """The peer says how many requests it keeps (`reqq` of BEP 10); what is beyond it drops."""
        self._cap = max(1, min(self._most, reqq))
        self.depth = min(self.depth, self._cap)

    def blocks_received(self, blocks: int, now: float) -> None:
        """Adapt to the blocks that came since the last call."""
        self._blocks += blocks
        if self._growing:
            self.depth = min(self._cap, self.depth + blocks)
        elapsed = now - self._since
        if elapsed >= _SAMPLE_TIME:
            wanted = int(self._blocks / elapsed * self._queue_time) + 1
            if self._growing and wanted < self.depth:
                self._growing = False
            if not self._growing:
                # Half-way towards the sample: one slow second must not empty the pipe.
                self.depth = min(self._cap, max(MIN_DEPTH, (self.depth + wanted + 1) // 2))
            self._blocks = 0
            self._since = now

    def timed_out(self) -> None:
        """A request was not answered: ask for little until the peer proves itself again."""
        self.depth = min(MIN_DEPTH, self._cap)
        self._growing = False


def fair_share(depths: Iterable[int], room: int) -> int:
    """How many blocks each peer may have requested when all together want more than `room`.

    Who wants less than an equal share leaves the rest to the others.
    """
    wanted = sorted(depths)
    for number, depth in enumerate(wanted):
        share = room // (len(wanted) - number)
        if share <= depth:
            return max(MIN_SHARE, share)
        room -= depth
    return max(MIN_SHARE, room)
