"""What all torrents of an engine have in common."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from millstream.core.geometry import ConnectionId
from millstream.engine.config import EngineConfig
from millstream.engine.limits import Limits
from millstream.engine.tick import Tick
from millstream.engine.udp_trackers import UdpTrackers
from millstream.interfaces.platform import Platform
from millstream.storage.buffers import PieceBufferPool
from millstream.storage.read_cache import ReadCache


@dataclass(frozen=True, slots=True)
class Shared:
    """One for each engine.

    Attributes:
        config: the settings.
        platform: what the engine stands on.
        pool: room for pieces being downloaded.
        cache: pieces being uploaded.
        tick: the rhythm.
        limits: the rate limits.
        udp: exchanges with UDP trackers.
        rng: for random choices.
        peer_id: ours.
        client: what we call ourselves (`v` of BEP 10).
        key: proves to trackers who we are.
        next_connection: gives connection ids.
        listen_port: where we accept peers; None if we do not.
        families: the IP versions, 4 and 6, in which we can be reached.
    """

    config: EngineConfig
    platform: Platform
    pool: PieceBufferPool
    cache: ReadCache
    tick: Tick
    limits: Limits
    udp: UdpTrackers
    rng: random.Random
    peer_id: bytes
    client: str
    key: int
    next_connection: Callable[[], ConnectionId]
    listen_port: Callable[[], int | None]
    families: Callable[[], Sequence[int]]
