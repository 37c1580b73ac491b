"""Making a torrent of a file or a directory: walking it, hashing it in parallel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from millstream.core.geometry import Geometry, choose_piece_length
from millstream.errors import EngineError, StorageError
from millstream.interfaces.disk import DiskQueue, DiskResult, Hash
from millstream.interfaces.filesystem import FileSystem
from millstream.protocol.infohash import InfoHash
from millstream.protocol.metainfo import FileAttribute, FileEntry, build
from millstream.storage.layout import FileLayout, StoredFile

# Nothing is known of the torrent while its pieces are hashed.
_NAMELESS = InfoHash(bytes(20))

WINDOW_BYTES = 32 << 20
WINDOW_PIECES = 256

CREATED_BY = "Millstream"


class PieceHasher:
    """Hashes every piece of a layout, several at a time.

    Args:
        disk: reads and hashes; not shared with anyone while this runs.
        root: under which directory the layout's paths are.
        layout: where the pieces lie.
        geometry: how many there are.
        progress: called with (pieces hashed, all pieces).
    """

    def __init__(
        self,
        disk: DiskQueue,
        root: str,
        layout: FileLayout,
        geometry: Geometry,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._disk = disk
        self._root = root
        self._layout = layout
        self._count = geometry.piece_count
        self._progress = progress
        self._window = max(2, min(WINDOW_PIECES, WINDOW_BYTES // geometry.piece_length))
        self._digests: list[bytes] = [b""] * self._count
        self._next = self._hashed = 0
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> bytes:
        """The digests of all pieces, 20 bytes each. Raises StorageError."""
        self._disk.start(self._take, lambda: None)
        self._submit()
        await self._done
        return b"".join(self._digests)

    def _take(self, results: list[DiskResult]) -> None:
        for result in results:
            if self._done.done() or not isinstance(result.job, Hash):
                continue
            if result.error is not None:
                self._done.set_exception(result.error)
            else:
                self._digests[result.job.piece] = result.digest or b""
                self._hashed += 1
        if not self._done.done():
            self._submit()

    def _submit(self) -> None:
        while self._next < self._count and self._next - self._hashed < self._window:
            extents = self._layout.piece_extents(self._next)
            self._disk.submit_hash(Hash(_NAMELESS, self._next, self._root, extents))
            self._next += 1
        self._disk.flush()
        if self._progress is not None:
            self._progress(self._hashed, self._count)
        if self._hashed == self._count:
            self._done.set_result(None)


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
        EngineError: there is nothing in it.
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
    entries, stored, offset = [], [], 0
    for path, size in listed:
        parts = tuple(path.split("/"))
        entries.append(FileEntry(parts[1:] if found.is_directory else parts, size))
        stored.append(StoredFile(path, offset, size, FileAttribute(0)))
        offset += size
    layout = FileLayout(stored, piece_length, total, name)
    hasher = PieceHasher(disk, root, layout, Geometry(total, piece_length), progress)
    digests = await hasher.run()
    return build(
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
