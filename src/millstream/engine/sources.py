"""What a torrent can be added from: a file, its contents, a magnet link, a URL."""

from __future__ import annotations

from os import PathLike, fspath

from millstream.errors import HttpError
from millstream.interfaces.filesystem import FileSystem
from millstream.interfaces.http import HttpClient, HttpRequest
from millstream.protocol.magnet import Magnet
from millstream.protocol.metainfo import MAX_TORRENT_LENGTH, Metainfo

TorrentSource = Metainfo | Magnet | bytes | str | PathLike[str]


async def load_source(
    source: TorrentSource, files: FileSystem, http: HttpClient | None
) -> Metainfo | Magnet:
    """Read a torrent from wherever it is.

    Args:
        source: a .torrent file's path or contents, a magnet link, the `http://` or `https://` URL of
            a .torrent file, or one that was parsed already.
        files: where paths are.
        http: where URLs are.

    Raises:
        MalformedTorrentError: it is no usable torrent.
        MalformedMagnetError: it is no usable magnet link.
        StorageError: the path cannot be read.
        HttpError: the URL cannot be fetched.
    """
    if isinstance(source, Magnet):
        return source
    if isinstance(source, str):
        if is_magnet(source):
            return Magnet.parse(source)
        if is_url(source):
            source = await _fetch(source, http)
    return await load_metainfo(source, files)


async def load_metainfo(
    torrent: Metainfo | bytes | str | PathLike[str], files: FileSystem
) -> Metainfo:
    """Read a torrent file from wherever it is. Raises MalformedTorrentError and StorageError."""
    if isinstance(torrent, Metainfo):
        return torrent
    if not isinstance(torrent, bytes | bytearray | memoryview):
        torrent = await files.load(fspath(torrent), MAX_TORRENT_LENGTH + 1)
    return Metainfo.parse(bytes(torrent))


def is_magnet(text: str) -> bool:
    """Whether the text is meant as a magnet link."""
    return text[:7].lower() == "magnet:"


def is_url(text: str) -> bool:
    """Whether the text is meant as a URL rather than a path."""
    return text[:8].lower().startswith(("http://", "https://"))


async def _fetch(url: str, http: HttpClient | None) -> bytes:
    if http is None:
        raise HttpError(f"{url}: this engine has no HTTP")
    response = await http.get(HttpRequest(url=url, max_length=MAX_TORRENT_LENGTH))
    if response.status != 200:
        raise HttpError(f"{url}: the server answered {response.status}")
    return response.body
