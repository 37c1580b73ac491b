"""Content and torrents to test with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from millstream.protocol.metainfo import FileEntry, build


def piece_digests(content: bytes, piece_length: int) -> bytes:
    """The SHA-1 of every piece of the content, 20 bytes each."""
    return b"".join(
        hashlib.sha1(content[begin : begin + piece_length]).digest()
        for begin in range(0, len(content), piece_length)
    )


def single_file_torrent(name: str, content: bytes, piece_length: int) -> bytes:
    """The .torrent of one file."""
    digests = piece_digests(content, piece_length)
    return build(
        name, [FileEntry((name,), len(content))], piece_length, digests, is_multi_file=False
    )


def multi_file_torrent(
    name: str, files: Sequence[tuple[tuple[str, ...], bytes]], piece_length: int
) -> bytes:
    """The .torrent of a directory with these (path, content) files."""
    content = b"".join(data for _, data in files)
    entries = [FileEntry(path, len(data)) for path, data in files]
    digests = piece_digests(content, piece_length)
    return build(name, entries, piece_length, digests, is_multi_file=True)
