"""From a request's run to the peer's socket: cache, disk, vectored send."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from millstream.core.peer import Peer
from millstream.core.upload import Upload
from millstream.core.upload_queue import Run
from millstream.engine.link import Link
from millstream.engine.torrent_disk import TorrentDisk
from millstream.interfaces.disk import Read
from millstream.interfaces.network import Buffer
from millstream.protocol.infohash import InfoHash
from millstream.protocol.messages import piece_header
from millstream.storage.read_cache import ReadBuffer, ReadCache


@dataclass(slots=True)
class _Reading:
    """What a read is for."""

    link: Link
    peer: Peer
    run: Run
    buffer: ReadBuffer


class RunReader:
    """Reads the runs of one torrent and sends them. `reading` counts those at the disk.

    Args:
        torrent: whose pieces.
        disk: reads what the cache lacks.
        cache: shared by all torrents.
        upload: is told what became of each run.
    """

    __slots__ = ("_cache", "_disk", "_piece_length", "_torrent", "_upload", "reading")

    def __init__(
        self,
        torrent: InfoHash,
        disk: TorrentDisk,
        cache: ReadCache,
        upload: Upload,
    ) -> None:
        self._torrent = torrent
        self._disk = disk
        self._piece_length = disk.placement.layout.piece_length
        self._cache = cache
        self._upload = upload
        self.reading = 0

    def serve(self, link: Link, peer: Peer, run: Run) -> None:
        """Send the run, now or when it was read."""
        buffer = self._cache.find(self._torrent, run.index, run.begin, run.end)
        if buffer is not None:
            self._send(_Reading(link, peer, run, buffer))
            return
        buffer = self._cache.take(run.begin, run.end)
        offset = run.index * self._piece_length + run.begin
        self.reading += 1
        reading = _Reading(link, peer, run, buffer)
        self._disk.read(offset, buffer.view[: run.length], reading)

    def take(self, job: Read, *, succeeded: bool) -> None:
        """A read ended."""
        reading = job.tag
        if not isinstance(reading, _Reading):
            return
        self.reading -= 1
        if succeeded:
            self._cache.keep(self._torrent, reading.run.index, reading.buffer)
            self._upload.piece_read(reading.peer, reading.run.index)
            self._send(reading)
        else:
            self._cache.done(reading.buffer)
            self._upload.refused(reading.peer, reading.run)

    def _send(self, reading: _Reading) -> None:
        run, buffer = reading.run, reading.buffer
        if reading.link.is_closed:
            self._cache.done(buffer)
            return
        index, base, view = run.index, buffer.begin, buffer.view
        buffers: list[Buffer] = []
        length = run.block_length
        for begin in range(run.begin, run.end, length):
            at = begin - base
            buffers += (piece_header(index, begin, length), view[at : at + length])
        sent: Callable[[], None] = partial(self._cache.done, buffer)
        self._upload.served(reading.peer, run)
        reading.link.send_many(buffers, sent)
