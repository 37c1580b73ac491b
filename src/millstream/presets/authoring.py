"""Making and verifying torrents with this machine's files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from millstream.adapters.native import NativeDiskQueue, NativeFileSystem
from millstream.core.piece_set import members
from millstream.engine.authoring import author_torrent
from millstream.engine.checking import Checker
from millstream.engine.sources import load_metainfo
from millstream.engine.torrent_disk import TorrentDisk
from millstream.interfaces.disk import DiskConfig, DiskResult
from millstream.protocol.bitfield import every_piece
from millstream.protocol.metainfo import Metainfo
from millstream.storage.layout import FileLayout
from millstream.storage.placement import Placement


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
    files = NativeFileSystem()
    whole = Path(files.root(os.fspath(path)))
    disk = NativeDiskQueue(DiskConfig(workers=workers))
    try:
        return await author_torrent(
            files,
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
        await files.close()


async def verify_torrent(
    torrent: Metainfo | bytes | str | os.PathLike[str],
    save_path: str | os.PathLike[str],
    *,
    progress: Callable[[int, int], None] | None = None,
    workers: int = 0,
) -> VerifyReport:
    """Check a torrent's files, on all cores, and change nothing.

    Args:
        torrent: a .torrent file's path or contents, or parsed metainfo.
        save_path: the directory under which its files are.
        progress: called with (pieces looked at, all pieces).
        workers: hashing threads; 0 for one a core.

    Raises:
        MalformedTorrentError: it is no usable torrent.
        StorageError: the torrent file cannot be read.
    """
    files = NativeFileSystem()
    try:
        metainfo = await load_metainfo(torrent, files)
        return await _verify(metainfo, files, os.fspath(save_path), progress, workers)
    finally:
        await files.close()


async def _verify(
    metainfo: Metainfo,
    files: NativeFileSystem,
    save_path: str,
    progress: Callable[[int, int], None] | None,
    workers: int,
) -> VerifyReport:
    count = metainfo.piece_count

    def looked_at(checked: int) -> None:
        if progress is not None:
            progress(checked, count)

    disk = NativeDiskQueue(DiskConfig(workers=workers))
    root = files.root(save_path)
    placement = Placement(FileLayout.from_metainfo(metainfo), root, "")
    own = TorrentDisk(metainfo.info_hash, placement, disk)
    checker = Checker(metainfo, own, looked_at)

    def take(results: list[DiskResult]) -> None:
        own.delivered(len(results))
        for result in results:
            checker.take(result)

    disk.start(take, lambda: None)
    try:
        good = await checker.run(files)
    finally:
        await disk.close()
    bad = tuple(members(every_piece(count) & ~good, count))
    return VerifyReport(count, good.bit_count(), bad)
