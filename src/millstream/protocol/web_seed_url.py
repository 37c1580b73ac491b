"""Where a web seed keeps the files of a torrent (BEP 19)."""

from __future__ import annotations

from millstream.protocol.metainfo import Metainfo
from millstream.protocol.percent import quote


def file_url(seed: str, metainfo: Metainfo, index: int) -> str:
    """The URL of one file.

    A URL that ends in a slash is a directory, to which the torrent's name is appended, and in a
    torrent of several files the file's path; any other is the file of a single-file torrent itself,
    or the directory above the torrent's name.

    Args:
        seed: the web seed's URL, as the torrent has it.
        metainfo: the torrent.
        index: which of its files.
    """
    if not metainfo.is_multi_file:
        return seed + _quoted(metainfo.name) if seed.endswith("/") else seed
    base = seed if seed.endswith("/") else seed + "/"
    return base + "/".join(map(_quoted, (metainfo.name, *metainfo.files[index].path)))


def _quoted(part: str) -> str:
    # A name may be anything: what would be a path of its own stays one name.
    return quote(part.encode())
