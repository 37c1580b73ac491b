"""An HTTP tracker without HTTP: from a query string to the bytes that answer it."""

from __future__ import annotations

import random
from dataclasses import replace

from millstream.errors import MalformedDataError, TrackerError
from millstream.tracker.announce_query import parse_announce_query, parse_scrape_query
from millstream.tracker.http_reply import encode_announce, encode_failure, encode_scrape
from millstream.tracker.registry import Registry


class HttpTracker:
    """Answers announces and scrapes; whatever is wrong with them becomes a failure reason (BEP 3).

    Args:
        registry: what is tracked.
        rng: draws the peers.
        allow_ip: whether a client may name another address than the one it announces from. Who may
            can send others to any victim (BEP 7, "IP announce parameters").

    Attributes:
        announces: those that were taken.
        scrapes: those that were answered.
        refused: requests answered by a failure reason.
    """

    def __init__(self, registry: Registry, rng: random.Random, *, allow_ip: bool = False) -> None:
        self._registry = registry
        self._rng = rng
        self._allow_ip = allow_ip
        self.announces = 0
        self.scrapes = 0
        self.refused = 0

    def announce(self, query: bytes, host: str, now: float) -> bytes:
        """Answer an announce.

        Args:
            query: what follows the `?`, as it came.
            host: the client's address in canonical text.
            now: seconds, monotonic.
        """
        try:
            asked = parse_announce_query(query)
            listens_at = asked.ip if self._allow_ip and asked.ip else host
            answer = self._registry.announce(asked.announce, listens_at, now, self._rng)
        except (MalformedDataError, TrackerError) as error:
            return self._refuse(error)
        self.announces += 1
        return encode_announce(
            replace(answer, external_ip=host),
            compact=asked.compact,
            peer_ids=() if asked.no_peer_id else answer.peer_ids,
        )

    def scrape(self, query: bytes, host: str, now: float) -> bytes:
        """Answer a scrape; arguments as for `announce`."""
        try:
            info_hashes = parse_scrape_query(query)
        except MalformedDataError as error:
            return self._refuse(error)
        self.scrapes += 1
        counts = self._registry.scrape(info_hashes, now)
        return encode_scrape(zip(info_hashes, counts, strict=True))

    def _refuse(self, error: MalformedDataError | TrackerError) -> bytes:
        self.refused += 1
        return encode_failure(
            error if isinstance(error, TrackerError) else TrackerError(str(error))
        )
