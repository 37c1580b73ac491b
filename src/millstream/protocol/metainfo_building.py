"""Torrent files: how they are written (BEP 3, 12, 19, 27, 47)."""

from __future__ import annotations

from collections.abc import Sequence

from millstream.errors import BencodeError, MalformedTorrentError
from millstream.protocol.bencode import Bencodable, encode
from millstream.protocol.metainfo import ATTRIBUTE_LETTERS, FileEntry, Metainfo


def build(
    name: str,
    files: Sequence[FileEntry],
    piece_length: int,
    digests: bytes,
    *,
    is_multi_file: bool,
    private: bool = False,
    trackers: Sequence[Sequence[str]] = (),
    web_seeds: Sequence[str] = (),
    comment: str | None = None,
    created_by: str | None = None,
    creation_date: int | None = None,
) -> bytes:
    """Write a torrent file that `Metainfo.parse` reads.

    Args:
        name: of the file or the directory.
        files: in order; exactly one if `is_multi_file` is false, its path then being the name.
        piece_length: bytes.
        digests: the SHA-1 of every piece, 20 bytes each.
        is_multi_file: whether the files lie in a directory.
        private: whether peers may come from trackers only (BEP 27).
        trackers: announce URLs in tiers (BEP 12).
        web_seeds: URLs (BEP 19).
        comment: free text.
        created_by: the program's name and version.
        creation_date: seconds since the epoch.

    Raises:
        MalformedTorrentError: the parts make no valid torrent.
    """
    info: dict[bytes, Bencodable] = {
        b"name": _utf8(name),
        b"piece length": piece_length,
        b"pieces": digests,
    }
    if private:
        info[b"private"] = 1
    if is_multi_file:
        info[b"files"] = [_file_dict(file) for file in files]
    elif len(files) == 1:
        single = _file_dict(files[0])
        del single[b"path"]
        info.update(single)
    else:
        raise MalformedTorrentError(f"a single-file torrent has one file, not {len(files)}")
    torrent: dict[bytes, Bencodable] = {b"info": info}
    tiers = [[_utf8(url) for url in tier] for tier in trackers if tier]
    if tiers:
        torrent[b"announce"] = tiers[0][0]
        if len(tiers) > 1 or len(tiers[0]) > 1:
            torrent[b"announce-list"] = tiers
    if web_seeds:
        torrent[b"url-list"] = [_utf8(url) for url in web_seeds]
    if comment is not None:
        torrent[b"comment"] = _utf8(comment)
    if created_by is not None:
        torrent[b"created by"] = _utf8(created_by)
    if creation_date is not None:
        torrent[b"creation date"] = creation_date
    try:
        data = encode(torrent)
    except BencodeError as error:
        raise MalformedTorrentError(f"no torrent can be made of this: {error}") from error
    # One set of rules for what a torrent must hold, for what we write as for what we read.
    Metainfo.parse(data)
    return data


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise MalformedTorrentError(f"{text!r} cannot be written as UTF-8") from error


def _file_dict(file: FileEntry) -> dict[bytes, Bencodable]:
    entry: dict[bytes, Bencodable] = {
        b"length": file.length,
        b"path": [_utf8(part) for part in file.path],
    }
    if file.attributes:
        entry[b"attr"] = bytes(
            [letter for letter, flag in ATTRIBUTE_LETTERS.items() if flag in file.attributes]
        )
    if file.symlink_target is not None:
        entry[b"symlink path"] = [_utf8(part) for part in file.symlink_target]
    return entry
