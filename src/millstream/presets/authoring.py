"""Making and verifying torrents with this machine's files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from millstream.adapters.native import NativeDiskQueue, NativeFileSystem
from millstream.engine.authoring import author_torrent
from millstream.engine.config import EngineConfig, NetworkConfig
from millstream.interfaces.disk import DiskConfig
from millstream.presets.native import create_native_engine
from millstream.protocol.metainfo import Metainfo


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a check of a torrent's files found.

    Attributes:
        piece_count: all pieces.
        good_pieces: those that match their digest.
        bad: the numbers of the others: missing, short or different.
    """

    piece_count: int
    good_pieces: int
    bad: tuple[int, ...]


async def create_torrent(
    path: str | os.PathLike[str],
    *,
    piece_length: int | None = None,
    private: bool = False,
    trackers: Sequence[Sequence[str]] = (),
    web_seeds: Sequence[str] = (),
    comment: str | None = None,
    creation_date: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    workers: int = 0,
) -> bytes:
    """Make a .torrent of a file or directory, hashing on all cores.

    Args:
        path: what to share.
        piece_length: bytes; None chooses well.
        private: ask for peers of the trackers alone (BEP 27).
        trackers: announce URLs in tiers (BEP 12).
        web_seeds: URLs of the content (BEP 19).
        comment: free text.
        creation_date: seconds since the epoch.
        progress: called with (pieces hashed, all pieces).
        workers: hashing threads; 0 for one a core.

    Raises:
        StorageError: something cannot be read.
        EngineError: there is nothing in it.
    """
    whole = Path(os.path.abspath(path))
    disk = NativeDiskQueue(DiskConfig(workers=workers))
    try:
        return await author_torrent(
            NativeFileSystem(),
            disk,
            str(whole.parent),
            whole.name,
            piece_length=piece_length,
            private=private,
            trackers=trackers,
            web_seeds=web_seeds,
            comment=comment,
            creation_date=creation_date,
            progress=progress,
        )
    finally:
        await disk.close()
