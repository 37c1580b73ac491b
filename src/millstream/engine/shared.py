"""What all torrents of an engine have in common."""

from __future__ import annotations

import random
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Protocol

from millstream.core.geometry import ConnectionId
from millstream.engine.config import EngineConfig
from millstream.engine.kept_pieces import KeptPieces
from millstream.engine.limits import Limits
from millstream.engine.queue import Queue
from millstream.engine.tick import Tick
from millstream.engine.tracker_access import TrackerAccess
from millstream.errors import StorageError
from millstream.interfaces.platform import Platform
from millstream.protocol.infohash import InfoHash
from millstream.storage.buffers import PieceBufferPool
from millstream.storage.read_cache import ReadCache
from millstream.storage.roots import StorageRootManager


class DiskWatch(Protocol):
    """Who knows which disks can be used: `engine.housekeeping`."""

    def obstacle(self, torrent: InfoHash) -> StorageError | None:
        """Why a torrent's files cannot be used at the moment, as far as is known."""

    async def see_root(self, torrent: InfoHash, within: float) -> None:
        """Look whether the torrent's storage root is there, unless that was so many seconds ago.

        Raises RootUnavailableError.
        """

    async def require_root(self, token: str) -> None:
        """Look whether a storage root is there. Raises RootUnavailableError."""

    def paths_in_use(self, root: str, besides: InfoHash) -> Container[str]:
        """The paths below a file system's root that torrents but one have their files at."""

    def disk_failed(self, torrent: InfoHash, error: StorageError) -> None:
        """A job of the torrent failed."""


@dataclass(frozen=True, slots=True)
class Shared:
    """One for each engine.

    Attributes:
        config: the settings.
        platform: what the engine stands on.
        pool: room for pieces being downloaded.
        cache: pieces being uploaded.
        kept_pieces: what came of unfinished pieces of torrents that are stopped.
        roots: where torrents are.
        disk_watch: knows which disks can be used.
        tick: the rhythm.
        limits: the rate limits.
        queue: whose turn it is.
        trackers: the way to all trackers.
        rng: for random choices.
        peer_id: ours.
        client: what we call ourselves (`v` of BEP 10).
        next_connection: gives connection ids.
        listen_port: where we accept peers; None if we do not.
    """

    config: EngineConfig
    platform: Platform
    pool: PieceBufferPool
    cache: ReadCache
    kept_pieces: KeptPieces
    roots: StorageRootManager
    disk_watch: DiskWatch
    tick: Tick
    limits: Limits
    queue: Queue
    trackers: TrackerAccess
    rng: random.Random
    peer_id: bytes
    client: str
    next_connection: Callable[[], ConnectionId]
    listen_port: Callable[[], int | None]
