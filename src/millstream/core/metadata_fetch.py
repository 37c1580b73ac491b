"""Fetching the info dictionary from many peers at once (BEP 9), whatever some of them send.

An *attempt* puts one dictionary together: of the size that its peers claim, from all of them. If
its digest is wrong and all of it came from one peer, that peer lied. If several sent it, nobody
knows who; from then on every peer that claims this size gets an attempt of its own, until one
succeeds: then the earlier senders whose pieces differ are known, too.

Only MAX_ATTEMPTS run at a time, for they are what holds memory. The others wait in line; an attempt
that lasts too long or stands still makes room for them and begins again later, with more time. So
peers that lie, trickle or are silent can delay an honest one but not stop it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from millstream.core.geometry import ConnectionId
from millstream.core.metadata_assembly import MetadataAssembly
from millstream.core.metadata_attempt import MetadataAttempt, MetadataSource
from millstream.protocol.infohash import InfoHash
from millstream.protocol.ut_metadata import (
    MAX_METADATA_LENGTH,
    MetadataData,
    piece_count,
    piece_length,
)

# Requests to one peer without an answer. Libtorrent has 2.
MAX_OUTSTANDING = 2

# Attempts that hold data, each at most MAX_METADATA_LENGTH. An honest swarm needs one. Libtorrent
# has one, of the size that the first peer claims.
MAX_ATTEMPTS = 3


class MetadataFetch:
    """Fetches the info dictionary of one torrent.

    Args:
        info_hash: the SHA-1 that the dictionary must have.
        rng: puts peers in a line that none of them can foresee.

    Attributes:
        metadata: the info dictionary once it is here, verified.
    """

    __slots__ = ("_attempts", "_culprits", "_info_hash", "_mixed", "_rng", "_sources", "metadata")

    def __init__(self, info_hash: InfoHash, rng: random.Random) -> None:
        self.metadata: bytes | None = None
        self._info_hash = info_hash
        self._rng = rng
        self._sources: dict[ConnectionId, MetadataSource] = {}
        # By size and the only peer, if there is one; who waits longest comes first.
        self._attempts: dict[tuple[int, ConnectionId | None], MetadataAttempt] = {}
        # Of the sizes that several peers sent together, wrongly: each piece's sender and digest.
        self._mixed: dict[int, list[tuple[ConnectionId, bytes]]] = {}
        self._culprits: dict[ConnectionId, str] = {}

    @property
    def progress(self) -> float:
        """How much of it is here, 0 to 1, in the attempt that has most."""
        if self.metadata is not None:
            return 1.0
        return max((assembly.progress for _, assembly in self._running()), default=0.0)

    def culprits(self) -> dict[ConnectionId, str]:
        """The peers found out since the last call, and what each did; they should be dropped."""
        culprits, self._culprits = self._culprits, {}
        return culprits

    def add_peer(self, connection: ConnectionId, size: int) -> None:
        """The peer takes requests and claims that the dictionary has this size in bytes.

        It may claim so again, and otherwise. A size of over MAX_METADATA_LENGTH makes it a culprit.
        """
        source = self._sources.get(connection)
        if source is not None and source.attempt.size == size:
            return
        known = None if self.metadata is None else len(self.metadata)
        if size != known and (known is not None or not 0 < size <= MAX_METADATA_LENGTH):
            self._accuse(connection, f"claimed metadata of {size} bytes")
        elif known is None:
            self.remove_peer(connection)
            entered = self._enter(connection, size)
            if source is not None:  # what it was asked for may still come
                source.give_up_all()
                entered.late = source.late

    def remove_peer(self, connection: ConnectionId) -> None:
        """The peer is gone; what it sent stays. Unknown ones are ignored."""
        source = self._sources.pop(connection, None)
        if source is None:
            return
        attempt = source.attempt
        del attempt.peers[connection]
        if attempt.assembly is not None:
            for piece in source.asked:
                attempt.assembly.give_up(connection, piece)
        if attempt.is_abandoned:
            self._abandon(attempt)

    def requests(self, now: float) -> list[tuple[ConnectionId, int]]:
        """Whom to ask for which piece now. To be called after every change, and once a second."""
        if self.metadata is not None:
            return []
        self._give_up_overdue(now)
        self._take_turns(now)
        chosen: list[tuple[ConnectionId, int]] = []
        # Everyone is asked for one piece before anyone is asked for two.
        for outstanding in range(MAX_OUTSTANDING):
            for attempt, assembly in self._running():
                for connection, source in attempt.peers.items():
                    if len(source.asked) > outstanding or not source.is_ready(now):
                        continue
                    piece = assembly.choose(connection, now)
                    if piece is not None:
                        assembly.asked(connection, piece, now)
                        source.asked[piece] = now
                        chosen.append((connection, piece))
        return chosen

    def data_received(self, connection: ConnectionId, message: MetadataData, now: float) -> None:
        """A peer sent a piece; it may have completed `metadata` or made `culprits`.

        What comes from peers that are not known, or no longer, is ignored.
        """
        source = self._sources.get(connection)
        if source is None:
            return
        attempt, piece = source.attempt, message.piece
        is_late = piece not in source.asked
        if is_late and not source.came_late(piece):
            self._accuse(connection, f"sent piece {piece} of the metadata without being asked")
            return
        if message.total_size != attempt.size or piece >= piece_count(attempt.size):
            if not is_late:  # else it may have answered before it claimed another size
                self._accuse(connection, f"claimed metadata of {attempt.size} bytes, and others")
            return
        length = len(message.data)
        if length != piece_length(attempt.size, piece):
            self._accuse(connection, f"sent {length} bytes as piece {piece} of the metadata")
            return
        source.asked.pop(piece, None)
        source.answered()
        if attempt.assembly is None or piece in attempt.assembly:
            return
        attempt.assembly.put(connection, piece, message.data)
        attempt.moved = now
        if attempt.assembly.is_complete:
            self._judge(attempt, attempt.assembly)

    def rejected(self, connection: ConnectionId, piece: int, now: float) -> None:
        """A peer refused a piece: others are asked, and it is not for a while."""
        source = self._sources.get(connection)
        if source is None:
            return
        if source.asked.pop(piece, None) is None:
            source.came_late(piece)
            return
        if source.attempt.assembly is not None:
            source.attempt.assembly.give_up(connection, piece)
        source.failed(now)

    # Taking turns.

    def _running(self) -> Iterator[tuple[MetadataAttempt, MetadataAssembly]]:
        for attempt in self._attempts.values():
            if attempt.assembly is not None:
                yield attempt, attempt.assembly

    def _enter(self, connection: ConnectionId, size: int) -> MetadataSource:
        """Let the peer take part in the attempt for its size, or in one of its own."""
        alone = connection if size in self._mixed else None
        attempt = self._attempts.setdefault((size, alone), MetadataAttempt(size, alone))
        source = MetadataSource(attempt)
        attempt.peers[connection] = self._sources[connection] = source
        return source

    def _abandon(self, attempt: MetadataAttempt) -> None:
        del self._attempts[attempt.size, attempt.alone]
        if not any(other.size == attempt.size for other in self._attempts.values()):
            self._mixed.pop(attempt.size, None)

    def _give_up_overdue(self, now: float) -> None:
        for connection, source in self._sources.items():
            overdue = source.overdue(now)
            for piece in overdue:
                source.give_up(piece)
                if source.attempt.assembly is not None:
                    source.attempt.assembly.give_up(connection, piece)
            if overdue:
                source.failed(now)

    def _take_turns(self, now: float) -> None:
        line = self._attempts.values()
        waiting = [each for each in line if each.assembly is None and each.is_ready(now)]
        if not waiting:
            return
        running = [attempt for attempt, _ in self._running()]
        room = MAX_ATTEMPTS - len(running)
        for attempt in running:
            if room < len(waiting) and attempt.must_yield(now):
                room += 1
                attempt.stop()
                if attempt.is_abandoned:
                    self._abandon(attempt)
                else:  # to the end of the line
                    key = (attempt.size, attempt.alone)
                    self._attempts[key] = self._attempts.pop(key)
        for attempt in waiting[:room]:
            attempt.start(now)

    # Finding out who lied.

    def _judge(self, attempt: MetadataAttempt, assembly: MetadataAssembly) -> None:
        if assembly.digest() == self._info_hash:
            self._finish(attempt.size, assembly)
            return
        senders = list(dict.fromkeys(assembly.senders.values()))
        if len(senders) == 1:
            attempt.restart()
            if senders[0] in self._sources:
                self._accuse(senders[0], "sent metadata that does not match the infohash")
            elif attempt.is_abandoned:
                self._abandon(attempt)
            return
        self._mixed[attempt.size] = [
            (assembly.senders[piece], digest)
            for piece, digest in enumerate(assembly.piece_digests())
        ]
        del self._attempts[attempt.size, attempt.alone]
        attempt.stop()
        peers = list(attempt.peers.items())
        self._rng.shuffle(peers)
        for connection, source in peers:
            self._enter(connection, attempt.size).late = source.late

    def _finish(self, size: int, assembly: MetadataAssembly) -> None:
        self.metadata = assembly.join()
        evidence = self._mixed.get(size, [])
        for (sender, digest), good in zip(evidence, assembly.piece_digests(), strict=False):
            if digest != good and sender in self._sources:
                self._accuse(sender, "sent metadata that did not match the infohash")
        for connection, source in list(self._sources.items()):
            if source.attempt.size != size:
                self._accuse(connection, f"claimed metadata of {source.attempt.size} bytes")
        self._sources.clear()
        self._attempts.clear()
        self._mixed.clear()

    def _accuse(self, connection: ConnectionId, reason: str) -> None:
        self.remove_peer(connection)
        self._culprits[connection] = reason
