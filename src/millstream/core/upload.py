"""Answering requests: the uploading half of a torrent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from millstream.core.config import TransferConfig
from millstream.core.geometry import ConnectionId
from millstream.core.peer import Peer
from millstream.core.upload_queue import Run
from millstream.core.upload_slots import choose_slots
from millstream.protocol.messages import BLOCK_LENGTH

# The longest run that is read and sent at once, and how much of one peer's data may be on its way
# from the disk or unsent. Libtorrent's send buffer watermark is 500 KiB for slow links; a fast
# link needs a run in the reader's hands while another is in the kernel's.
MAX_RUN_LENGTH = 1 << 20
SEND_WATERMARK = 2 << 20


class RunServer(Protocol):
    """Reads a run and sends it; afterwards `served` is called on the peer's upload."""

    def serve(self, peer: Peer, run: Run) -> None:
        """Read the run and send its blocks to the peer."""


class Upload:
    """Serves the peers of one torrent.

    Attributes:
        waiting: the peers that have requests waiting.
    """

    def __init__(
        self, peers: Mapping[ConnectionId, Peer], server: RunServer, config: TransferConfig
    ) -> None:
        self._peers = peers
        self._server = server
        self._config = config
        self.waiting: dict[ConnectionId, Peer] = {}

    def request_received(self, peer: Peer, index: int, begin: int, length: int) -> None:
        """Queue a request, or refuse it: choked peers and floods get nothing."""
        if peer.am_choking or peer.uploads.requests >= self._config.max_peer_requests:
            peer.refuse(index, begin, length)
            return
        peer.uploads.add(index, begin, length)
        self.waiting[peer.id] = peer

    def request_cancelled(self, peer: Peer, index: int, begin: int, length: int) -> None:
        """Drop a waiting request. One that is being served is answered (BEP 6 allows both)."""
        if peer.uploads.cancel(index, begin, length):
            peer.refuse(index, begin, length)

    def assign_slots(self, now: float) -> None:
        """Choke and unchoke."""
        unchoke, choke = choose_slots(self._peers.values(), self._config.upload_slots, now)
        for peer in choke:
            peer.set_choking(choking=True, now=now)
        for peer in unchoke:
            peer.set_choking(choking=False, now=now)

    def serve(self) -> None:
        """Start on as many waiting runs as the peers' links can take."""
        for connection, peer in list(self.waiting.items()):
            while peer.serving + peer.link.unsent_bytes < _watermark(peer):
                run = peer.uploads.take(MAX_RUN_LENGTH)
                if run is None:
                    del self.waiting[connection]
                    break
                peer.serving += run.length
                self._server.serve(peer, run)

    def served(self, peer: Peer, run: Run) -> None:
        """A run left for the network."""
        peer.serving -= run.length
        peer.uploaded.total += run.length

    def refused(self, peer: Peer, run: Run) -> None:
        """A run could not be read."""
        peer.serving -= run.length
        for begin, length in run.blocks():
            peer.refuse(run.index, begin, length)

    def peer_gone(self, peer: Peer) -> None:
        """The connection is closed."""
        peer.uploads.clear()
        self.waiting.pop(peer.id, None)


def _watermark(peer: Peer) -> int:
    """How much of the peer's data may be on its way."""
    # In proportion less if it asks for small blocks: each takes a buffer and the overhead of a
    # message, whatever its length.
    return SEND_WATERMARK * peer.uploads.next_block_length // BLOCK_LENGTH
