"""Content and torrents to test with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from millstream.protocol.metainfo import FileAttribute, FileEntry
from millstream.protocol.metainfo_building import build
from millstream.storage.layout import FileLayout


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


def layout_of(*files: tuple[str | None, int], piece_length: int = 10) -> FileLayout:
    """A layout of files given as (path, length), in a directory or alone; None is padding."""
    entries = []
    for path, length in files:
        attributes = FileAttribute.PAD if path is None else FileAttribute(0)
        entries.append(FileEntry((path or "pad",), length, attributes))
    names = [path for path, _ in files]
    root_name = next(filter(None, names), "").partition("/")[0]
    return FileLayout(entries, names, piece_length, root_name)
