"""Answering requests: the uploading half of a torrent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from millstream.core.choker import Choker
from millstream.core.config import TransferConfig
from millstream.core.geometry import ConnectionId
from millstream.core.newcomers import Newcomers
from millstream.core.peer import Peer
from millstream.core.suggestions import Suggestions
from millstream.core.upload_queue import Run
from millstream.protocol.bitfield import has_piece
from millstream.protocol.messages import BLOCK_LENGTH

# The longest run that is read and sent at once, and how much of one peer's data may be on its way
# from the disk or unsent: half a second's worth, so that a cancel or a choke finds something left to
# stop, and our own requests do not wait behind it; a fast link needs a run in the reader's hands while another is in the kernel's. libtorrent:
# half a second's worth, too, at least 10 and at most 500 KiB.
MAX_RUN_LENGTH = 1 << 20
SEND_WATERMARK = 2 << 20
MIN_SEND_WATERMARK = 32 << 10
SEND_TIME = 0.5
# Under a rate limit a peer gets so much before it is the next one's turn.
LIMITED_RUN_LENGTH = 4 * BLOCK_LENGTH


class RunServer(Protocol):
    """Reads a run and sends it; afterwards `served` is called on the peer's upload."""

    def serve(self, peer: Peer, run: Run) -> None:
        """Read the run and send its blocks to the peer."""


class UploadLimiter(Protocol):
    """A rate limit. Bytes may be spent that were not there: then nothing is allowed for a while."""

    def allowance(self, now: float) -> int:
        """Bytes that may be sent now; none if not positive."""

    def spent(self, length: int) -> None:
        """So many bytes are on their way."""


class Upload:
    """Serves the peers of one torrent.

    Attributes:
        choker: decides whom to serve.
        limiter: how much may be sent; None: no limit.
        waiting: the peers that have requests waiting, under a limit the next one first.
    """

    __slots__ = (
        *("_asking", "_config", "_newcomers", "_peers", "_server", "_suggestions"),
        *("choker", "limiter", "waiting"),
    )

    def __init__(
        self,
        peers: Mapping[ConnectionId, Peer],
        server: RunServer,
        config: TransferConfig,
        choker: Choker,
        newcomers: Newcomers,
    ) -> None:
        self._peers = peers
        self._server = server
        self._config = config
        self._newcomers = newcomers
        self._suggestions = Suggestions(peers) if config.suggest_pieces else None
        self._asking: dict[ConnectionId, Peer] = {}
        self.choker = choker
        self.limiter: UploadLimiter | None = None
        self.waiting: dict[ConnectionId, Peer] = {}

    def request_received(self, peer: Peer, index: int, begin: int, length: int) -> None:
        """Queue a request, or refuse it: choked peers and floods get nothing.

        Newcomers may have a few pieces while they are choked (BEP 6).
        """
        if peer.uploads.requests >= self._config.max_peer_requests or (
            peer.am_choking and not self._newcomers.may_have(peer, index)
        ):
            peer.refuse(index, begin, length)
            return
        peer.uploads.add(index, begin, length)
        self.waiting[peer.id] = peer

    def request_cancelled(self, peer: Peer, index: int, begin: int, length: int) -> None:
        """Drop a waiting request. One that is being served is answered (BEP 6 allows both)."""
        if peer.uploads.cancel(index, begin, length):
            peer.refuse(index, begin, length)

    def pieces_lost(self, lost: int) -> None:
        """We no longer have these pieces, a set: refuse what waits for them."""
        for peer in list(self.waiting.values()):
            for run in peer.uploads.clear():
                is_lost = has_piece(lost, run.index, peer.piece_count)
                for begin, length in run.blocks():
                    if is_lost:
                        peer.refuse(run.index, begin, length)
                    else:
                        peer.uploads.add(run.index, begin, length)

    def set_capacity(self, limit: int | None) -> None:
        """Say how much may be sent, bytes a second, for the number of slots; None: no limit."""
        self.choker.capacity.limit = limit

    def interest_changed(self, peer: Peer) -> None:
        """The peer wants something, or no longer does; slots are to be assigned anew."""
        if peer.peer_interested:
            self._asking[peer.id] = peer
        else:
            self._asking.pop(peer.id, None)

    def piece_read(self, reader: Peer, index: int) -> None:
        """A piece was read from the disk for a peer."""
        if self._suggestions is not None:
            self._suggestions.piece_read(reader, index, reader.now)

    def assign_slots(self, now: float, *, seeding: bool) -> None:
        """Choke and unchoke; who asked for the first time and is choked still gets a start."""
        unchoke, choke = self.choker.choose(self._peers.values(), now, seeding=seeding)
        for peer in choke:
            peer.set_choking(choking=True, now=now)
        for peer in unchoke:
            peer.set_choking(choking=False, now=now)
        for peer in self._asking.values():
            if peer.am_choking:
                self._newcomers.allow(peer)
        self._asking.clear()

    def serve(self, now: float) -> None:
        """Start on as many waiting runs as the peers' links and the limit can take."""
        if self.limiter is not None:
            self._serve_limited(self.limiter, now)
            return
        for connection, peer in list(self.waiting.items()):
            watermark = _watermark(peer, now)
            while peer.serving + peer.link.unsent_bytes < watermark:
                run = peer.uploads.take(min(MAX_RUN_LENGTH, watermark))
                if run is None:
                    del self.waiting[connection]
                    break
                peer.serving += run.length
                self._server.serve(peer, run)

    def _serve_limited(self, limiter: UploadLimiter, now: float) -> None:
        """One short run of each peer in turn, for as long as there is an allowance.

        Who was served goes to the end of the line, so the next call begins with somebody else.
        """
        passed_over = 0
        while passed_over < len(self.waiting):
            allowed = limiter.allowance(now)
            if allowed <= 0:
                return
            connection, peer = next(iter(self.waiting.items()))
            del self.waiting[connection]
            if peer.serving + peer.link.unsent_bytes >= _watermark(peer, now):
                self.waiting[connection] = peer
                passed_over += 1
                continue
            run = peer.uploads.take(min(allowed, LIMITED_RUN_LENGTH))
            if run is None:
                continue
            self.waiting[connection] = peer
            passed_over = 0
            peer.serving += run.length
            limiter.spent(run.length)
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
        self._asking.pop(peer.id, None)
        self.choker.forget(peer.id)


def _watermark(peer: Peer, now: float) -> int:
    """How much of the peer's data may be on its way."""
    most = min(SEND_WATERMARK, max(MIN_SEND_WATERMARK, int(SEND_TIME * peer.uploaded.rate(now))))
    # In proportion less if it asks for small blocks: each takes a buffer and the overhead of a
    # message, whatever its length.
    return most * peer.uploads.next_block_length // BLOCK_LENGTH
