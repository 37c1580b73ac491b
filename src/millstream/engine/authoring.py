"""Making a torrent of a file or a directory: walking it, hashing it in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from millstream.core.geometry import choose_piece_length
from millstream.engine.piece_hasher import PieceHasher
from millstream.engine.torrent_disk import TorrentDisk
from millstream.errors import EngineError, StorageError
from millstream.interfaces.disk import DiskQueue, DiskResult
from millstream.interfaces.filesystem import FileSystem
from millstream.protocol.infohash import InfoHash
from millstream.protocol.metainfo import FileEntry, Metainfo
from millstream.protocol.metainfo_building import build
from millstream.storage.layout import FileLayout
from millstream.storage.placement import Placement

# Nothing is known of the torrent while its pieces are hashed.
_NAMELESS = InfoHash(bytes(20))

CREATED_BY = "Millstream"


async def _hash_pieces(
    disk: DiskQueue,
    root: str,
    layout: FileLayout,
    progress: Callable[[int, int], None] | None,
) -> bytes:
    """The digests of all pieces, 20 bytes each. Raises StorageError."""
    piece_count = layout.piece_count
    digests: list[bytes] = [b""] * piece_count
    failures: list[StorageError] = []
    hashed = 0

    def keep(piece: int, digest: bytes | StorageError) -> None:
        nonlocal hashed
        hashed += 1
        if isinstance(digest, StorageError):
            failures.append(digest)
        else:
            digests[piece] = digest
        if progress is not None:
            progress(hashed, piece_count)

    def unfailed() -> Iterator[int]:
        for piece in range(piece_count):
            if failures:
                return
            yield piece

    own = TorrentDisk(_NAMELESS, Placement(layout, root, ""), disk)
    hasher = PieceHasher(own, unfailed(), keep)

    def take(results: list[DiskResult]) -> None:
        own.delivered(len(results))
        for result in results:
            hasher.take(result)

    disk.start(take, lambda: None)
    await hasher.run()
    if failures:
        raise failures[0]
    return b"".join(digests)


async def author_torrent(
    files: FileSystem,
    disk: DiskQueue,
    root: str,
    name: str,
    *,
    piece_length: int | None = None,
    private: bool = False,
    trackers: Sequence[Sequence[str]] = (),
    web_seeds: Sequence[str] = (),
    comment: str | None = None,
    creation_date: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> bytes:
    """Make a .torrent of `name` under `root`, a file or a directory with all that is in it.

    Files are taken in the order of their paths, so the same content makes the same infohash.

    Returns:
        The bencoded metainfo.

    Raises:
        StorageError: something cannot be read, or changed while it was.
        EngineError: there is nothing in it, or a name in it could not be stored as it is by
            whoever downloads it.
    """
    found = await files.stat(root, name)
    if found is None:
        raise StorageError(f"{root}/{name}", "there is no such file or directory")
    if found.is_directory:
        listed = await _walk(files, root, name)
    else:
        listed = [(name, found.size)]
    total = sum(size for _, size in listed)
    if not total:
        raise EngineError(f"{name!r} has no bytes to share")
    piece_length = piece_length or choose_piece_length(total)
    entries = []
    for path, size in listed:
        parts = tuple(path.split("/"))
        entries.append(FileEntry(parts[1:] if found.is_directory else parts, size))
    layout = FileLayout(entries, [path for path, _ in listed], piece_length, name)
    digests = await _hash_pieces(disk, root, layout, progress)
    torrent = build(
        name,
        entries,
        piece_length,
        digests,
        is_multi_file=found.is_directory,
        private=private,
        trackers=trackers,
        web_seeds=web_seeds,
        comment=comment,
        created_by=CREATED_BY,
        creation_date=creation_date,
    )
    stored_as = FileLayout.from_metainfo(Metainfo.parse(torrent)).paths
    for (path, _), safe in zip(listed, stored_as, strict=True):
        if path != safe:
            raise EngineError(f"{path!r} is no name that every system can store; rename it first")
    return torrent


async def _walk(files: FileSystem, root: str, directory: str) -> list[tuple[str, int]]:
    """All files below a directory with their sizes, by path."""
    found: list[tuple[str, int]] = []
    for name in await files.list(root, directory):
        path = f"{directory}/{name}"
        entry = await files.stat(root, path)
        if entry is None:
            continue
        if entry.is_directory:
            found += await _walk(files, root, path)
        else:
            found.append((path, entry.size))
    return found
