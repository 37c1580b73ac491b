"""Answering peers that ask for the info dictionary (BEP 9).

What a peer gets is bounded twice. Over time, by an allowance: the whole dictionary some times over,
and once more every so often; BEP 9 suggests to reject what goes beyond. At any moment, by what is
on its way out to the peer: above that its requests wait, for rejecting them would make an honest
peer on a busy link look elsewhere for a minute.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from millstream.core.geometry import ConnectionId
from millstream.errors import RemoteProtocolError
from millstream.protocol import ut_metadata
from millstream.protocol.ut_metadata import (
    METADATA_PIECE_LENGTH,
    MetadataData,
    MetadataReject,
    MetadataRequest,
)

# How often a peer gets the whole at once, and after how many seconds once more.
MAX_COPIES = 3
COPY_SECONDS = 60.0

# Unsent bytes above which a peer's requests wait. Libtorrent: send_buffer_limit.
MAX_UNSENT = 10 * METADATA_PIECE_LENGTH

# Requests that wait; more are not answered at all but end the connection. Libtorrent rejects above
# 1024, and its own peers have 2 open. Some clients ask for all pieces at once: there are at most
# 1920 (MAX_METADATA_LENGTH).
MAX_WAITING = 2048


@dataclass(slots=True)
class _Client:
    """A peer that asked. `credit` is how many pieces it would get at the time `at`."""

    credit: float
    at: float
    waiting: deque[int] = field(default_factory=deque)


class MetadataServe:
    """Answers requests for the info dictionary of one torrent.

    Args:
        info: the info dictionary, encoded; None while it is not known: then every request is
            rejected.
    """

    __slots__ = ("_clients", "_info", "_piece_count")

    def __init__(self, info: bytes | None) -> None:
        self._info = info
        self._piece_count = 0 if info is None else ut_metadata.piece_count(len(info))
        self._clients: dict[ConnectionId, _Client] = {}

    def respond(
        self, connection: ConnectionId, request: MetadataRequest, now: float, unsent: int
    ) -> MetadataData | MetadataReject | None:
        """Answer a peer's request.

        Args:
            connection: whose it is.
            request: what it asks for.
            now: the time.
            unsent: bytes on their way out to the peer.

        Returns:
            What to send; None if the request waits for `resume`.

        Raises:
            RemoteProtocolError: over MAX_WAITING requests wait.
        """
        client = self._clients.get(connection)
        if client is None:
            client = _Client(float(MAX_COPIES * self._piece_count), now)
            self._clients[connection] = client
        if unsent < MAX_UNSENT and not client.waiting:
            return self._answer(client, request.piece, now)
        if len(client.waiting) >= MAX_WAITING:
            raise RemoteProtocolError(f"over {MAX_WAITING} requests for metadata wait")
        client.waiting.append(request.piece)
        return None

    def waiting(self) -> list[ConnectionId]:
        """The peers with requests that wait."""
        return [connection for connection, client in self._clients.items() if client.waiting]

    def resume(
        self, connection: ConnectionId, now: float, unsent: int
    ) -> MetadataData | MetadataReject | None:
        """Answer the oldest request that waits; None if none does, or too much is still unsent.

        To be called, until it says None, when the peer's link has sent something.
        """
        client = self._clients.get(connection)
        if client is None or not client.waiting or unsent >= MAX_UNSENT:
            return None
        return self._answer(client, client.waiting.popleft(), now)

    def remove_peer(self, connection: ConnectionId) -> None:
        """The connection is closed. Unknown ones are ignored."""
        self._clients.pop(connection, None)

    def _answer(self, client: _Client, piece: int, now: float) -> MetadataData | MetadataReject:
        gained = (now - client.at) * self._piece_count / COPY_SECONDS
        client.credit = min(client.credit + gained, float(MAX_COPIES * self._piece_count))
        client.at = now
        if self._info is None or piece >= self._piece_count or client.credit < 1:
            return MetadataReject(piece)
        client.credit -= 1
        begin = piece * METADATA_PIECE_LENGTH
        data = self._info[begin : begin + METADATA_PIECE_LENGTH]
        return MetadataData(piece, len(self._info), data)
