"""Reading a torrent with this machine's files and HTTP, without an engine."""

from __future__ import annotations

from millstream import __version__
from millstream.adapters.native import NativeFileSystem, NativeHttp
from millstream.engine.sources import TorrentSource, load_source
from millstream.protocol.magnet import Magnet
from millstream.protocol.metainfo import Metainfo


async def load_torrent(source: TorrentSource) -> Metainfo | Magnet:
    """Read a torrent as `Engine.add` does: from a path, its contents, a magnet link or a URL.

    Raises:
        MalformedTorrentError: it is no usable torrent.
        MalformedMagnetError: it is no usable magnet link.
        StorageError: the path cannot be read.
        HttpError: the URL cannot be fetched.
    """
    files, http = NativeFileSystem(), NativeHttp(f"Millstream/{__version__}")
    try:
        return await load_source(source, files, http)
    finally:
        await http.close()
        await files.close()
