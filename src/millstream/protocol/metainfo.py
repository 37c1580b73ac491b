"""Torrent files: what they say (BEP 3). `protocol.metainfo_building` writes them.

Read here besides: tracker tiers (BEP 12), web seeds (BEP 19), private torrents (BEP 27), pad files
and attributes (BEP 47), and the `.utf-8` keys that older creators wrote beside names in a local
encoding. A hybrid torrent (BEP 52) is read as the version 1 torrent it also is.

Whatever decides which bytes are downloaded must be right, or the torrent is refused with one clear
sentence. Whatever only helps, trackers and comments for example, is left out where it is
malformed, as libtorrent does.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from millstream.errors import BencodeError, MalformedTorrentError
from millstream.protocol.bencode import Bencoded, decode_dict
from millstream.protocol.infohash import InfoHash

DIGEST_LENGTH = 20

# Bytes of a torrent file: qBittorrent's limit. Libtorrent's own, 10 MB, is below what its limit on
# pieces allows.
MAX_TORRENT_LENGTH = 100 << 20

# Libtorrent: load_torrent_limits.max_pieces.
MAX_PIECES = 0x200000

# Libtorrent counts the blocks of a piece in 15 bits.
MAX_PIECE_LENGTH = 0x7FFF * 16384

# Libtorrent keeps offsets in a torrent in 48 bits.
MAX_TOTAL_LENGTH = (1 << 48) - 1

# Directories inside each other, the file included. Libtorrent: the depth of a BEP 52 file tree.
MAX_PATH_PARTS = 100

# What BitComet called its padding before BEP 47 gave it an attribute.
_BITCOMET_PADDING = "_____padding_file_"

_Dict: TypeAlias = dict[bytes, Bencoded]


class FileAttribute(enum.Flag):
    """The attributes of a file (BEP 47, `attr`)."""

    PAD = enum.auto()
    EXECUTABLE = enum.auto()
    HIDDEN = enum.auto()
    SYMLINK = enum.auto()


# The letters of `attr`.
ATTRIBUTE_LETTERS = {
    ord("p"): FileAttribute.PAD,
    ord("x"): FileAttribute.EXECUTABLE,
    ord("h"): FileAttribute.HIDDEN,
    ord("l"): FileAttribute.SYMLINK,
}
_NO_ATTRIBUTES = FileAttribute(0)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file as the torrent names it. Not a path to open: only `storage.layout` makes these.

    Attributes:
        path: the parts of the path, hostile ones included; below the torrent's name in a
            multi-file torrent, the torrent's name alone in a single-file torrent.
        length: bytes, 0 for a symlink.
        attributes: what BEP 47 says of it.
        symlink_target: the parts of the target's path below the torrent's name, for a symlink.
    """

    path: tuple[str, ...]
    length: int
    attributes: FileAttribute = _NO_ATTRIBUTES
    symlink_target: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Metainfo:
    """What a torrent file says.

    Attributes:
        info_hash: SHA-1 of the info dict, exactly as it stands in the file.
        name: the suggested name of the file or directory, as hostile as any other.
        piece_length: bytes in each piece but the last, 1 to MAX_PIECE_LENGTH.
        digests_at: where in `info` the SHA-1 of the first piece begins; those of the others follow.
        files: the files in the order their bytes follow each other; at least one.
        total_length: bytes in all files, padding included; at least 1.
        is_multi_file: whether the files lie in a directory that has the torrent's name.
        private: whether peers may come from trackers only (BEP 27).
        trackers: announce URLs in tiers (BEP 12); from `announce` where there is no list.
        web_seeds: URLs of `url-list` (BEP 19), each once.
        comment: free text.
        created_by: the program that made the torrent.
        creation_date: seconds since the epoch.
        info: the encoding of the info dict, for peers that come without it (BEP 9).
    """

    info_hash: InfoHash
    name: str
    piece_length: int
    digests_at: int
    files: tuple[FileEntry, ...]
    total_length: int
    is_multi_file: bool
    private: bool
    trackers: tuple[tuple[str, ...], ...]
    web_seeds: tuple[str, ...]
    comment: str | None
    created_by: str | None
    creation_date: int | None
    info: bytes

    @property
    def piece_count(self) -> int:
        """Pieces in the torrent; at least 1."""
        return -(-self.total_length // self.piece_length)

    @property
    def digests(self) -> bytes:
        """The SHA-1 of every piece, 20 bytes each: a copy. They are most of what a torrent says."""
        return self.info[self.digests_at : self.digests_at + self.piece_count * DIGEST_LENGTH]

    def digest(self, piece: int) -> bytes:
        """Return the SHA-1 that a piece must have: 20 bytes.

        Raises:
            IndexError: there is no such piece.
        """
        if not 0 <= piece < self.piece_count:
            raise IndexError(f"there is no piece {piece}")
        begin = self.digests_at + piece * DIGEST_LENGTH
        return self.info[begin : begin + DIGEST_LENGTH]

    @classmethod
    def from_info(
        cls, info: bytes, trackers: Sequence[Sequence[str]] = (), web_seeds: Sequence[str] = ()
    ) -> Metainfo:
        """What a torrent file with this info dictionary would say (BEP 9).

        Args:
            info: the bencoded info dictionary.
            trackers: announce URLs in tiers.
            web_seeds: URLs.

        Raises:
            MalformedTorrentError: the dictionary makes no usable torrent.
        """
        found = cls.parse(b"d4:info" + info + b"e")
        if found.info != info:
            raise MalformedTorrentError("the info dictionary is followed by something else")
        return replace(
            found,
            trackers=tuple([tuple(tier) for tier in trackers if tier]),
            web_seeds=tuple(web_seeds),
        )

    @classmethod
    def parse(cls, data: bytes) -> Metainfo:
        """Read a torrent file.

        Dictionary keys in any order are accepted, and blanks behind the end.

        Raises:
            MalformedTorrentError: the file is no usable torrent; the message is one sentence.
        """
        if len(data) > MAX_TORRENT_LENGTH:
            raise MalformedTorrentError(
                f"the torrent file has {len(data)} bytes, over the limit of {MAX_TORRENT_LENGTH}"
            )
        data = data.rstrip()
        try:
            torrent, spans = decode_dict(data, strict_keys=False)
        except BencodeError as error:
            raise MalformedTorrentError(f"this is no torrent file: {error}") from error
        info = torrent.get(b"info")
        if not isinstance(info, dict):
            raise MalformedTorrentError("the torrent file has no info dictionary")
        start, end = spans[b"info"]
        raw_info = data[start:end]

        _check_version(info)
        files = _read_files(info)
        total_length = sum(file.length for file in files)
        piece_length, digests = _read_pieces(info, total_length)
        # Where the first one is they all are, as a rule; to look for all takes as long as SHA-1.
        at = raw_info.index(digests[:DIGEST_LENGTH])
        return cls(
            info_hash=InfoHash(hashlib.sha1(raw_info).digest()),
            name=_read_name(info) if b"files" in info else files[0].path[0],
            piece_length=piece_length,
            digests_at=at if raw_info.startswith(digests, at) else raw_info.index(digests),
            files=files,
            total_length=total_length,
            is_multi_file=b"files" in info,
            private=_read_private(info),
            trackers=_read_trackers(torrent),
            web_seeds=_read_web_seeds(torrent),
            comment=_read_text(torrent, b"comment"),
            created_by=_read_text(torrent, b"created by"),
            creation_date=_read_date(torrent),
            info=raw_info,
        )


def _check_version(info: _Dict) -> None:
    version = info.get(b"meta version")
    if isinstance(version, int) and version > 2:
        raise MalformedTorrentError(f"the torrent has the unknown meta version {version}")
    if b"file tree" in info and b"pieces" not in info:
        raise MalformedTorrentError(
            "this is a version 2 torrent (BEP 52) without the version 1 part that is needed here"
        )


def _read_name(info: _Dict) -> str:
    name = info.get(b"name.utf-8")
    if not isinstance(name, bytes):
        name = info.get(b"name")
    if not isinstance(name, bytes):
        raise MalformedTorrentError("the torrent has no name")
    return _text(name)


def _read_files(info: _Dict) -> tuple[FileEntry, ...]:
    if b"files" not in info:
        length, attributes, target = _read_kind(info, "the file")
        return (FileEntry((_read_name(info),), length, attributes, target),)
    entries = info[b"files"]
    if not isinstance(entries, list):
        raise MalformedTorrentError("the files of the torrent are no list")
    if not entries:
        raise MalformedTorrentError("the torrent lists no files")
    return tuple([_read_file(entry, number) for number, entry in enumerate(entries, 1)])


def _read_file(entry: Bencoded, number: int) -> FileEntry:
    label = f"file {number}"
    if not isinstance(entry, dict):
        raise MalformedTorrentError(f"{label} of the torrent is no dictionary")
    length, attributes, target = _read_kind(entry, label)
    path = _read_path(entry.get(b"path.utf-8")) or _read_path(entry.get(b"path"))
    if not path:
        if FileAttribute.PAD not in attributes:
            raise MalformedTorrentError(f"{label} of the torrent has no path")
        # Padding need not be named (BEP 47); this is what it is called where it is.
        path = (".pad", str(length))
    if len(path) > MAX_PATH_PARTS:
        raise MalformedTorrentError(f"{label} of the torrent lies over {MAX_PATH_PARTS} deep")
    if path[-1].startswith(_BITCOMET_PADDING):
        attributes |= FileAttribute.PAD
    return FileEntry(path, length, attributes, target)


def _read_kind(entry: _Dict, label: str) -> tuple[int, FileAttribute, tuple[str, ...] | None]:
    """Read length, attributes and symlink target of a file."""
    attributes = _NO_ATTRIBUTES
    letters = entry.get(b"attr")
    if letters and isinstance(letters, bytes):
        for letter in set(letters) & ATTRIBUTE_LETTERS.keys():
            attributes |= ATTRIBUTE_LETTERS[letter]
    if FileAttribute.SYMLINK in attributes:
        target = _read_path(entry.get(b"symlink path"))
        if target:
            # A symlink takes no room in the pieces, whatever its length says.
            return 0, attributes, target
        attributes &= ~FileAttribute.SYMLINK
    length = entry.get(b"length")
    if not isinstance(length, int):
        raise MalformedTorrentError(f"{label} of the torrent has no length")
    if length < 0:
        raise MalformedTorrentError(f"{label} of the torrent has the negative length {length}")
    return length, attributes, None


def _read_path(parts: Bencoded | None) -> tuple[str, ...]:
    """Decode a list of strings; empty for anything else."""
    if not isinstance(parts, list):
        return ()
    texts = [_text(part) for part in parts if isinstance(part, bytes)]
    return tuple(texts) if len(texts) == len(parts) else ()


def _read_pieces(info: _Dict, total_length: int) -> tuple[int, bytes]:
    piece_length = info.get(b"piece length")
    if not isinstance(piece_length, int) or piece_length <= 0:
        raise MalformedTorrentError("the torrent has no proper piece length")
    if piece_length > MAX_PIECE_LENGTH:
        raise MalformedTorrentError(
            f"the torrent has pieces of {piece_length} bytes, over the limit of {MAX_PIECE_LENGTH}"
        )
    if total_length == 0:
        raise MalformedTorrentError("the torrent holds no data: all of its files are empty")
    if total_length > MAX_TOTAL_LENGTH:
        raise MalformedTorrentError(
            f"the torrent has {total_length} bytes, over the limit of {MAX_TOTAL_LENGTH}"
        )
    pieces = -(-total_length // piece_length)
    if pieces > MAX_PIECES:
        raise MalformedTorrentError(
            f"the torrent has {pieces} pieces, over the limit of {MAX_PIECES}"
        )
    digests = info.get(b"pieces")
    if not isinstance(digests, bytes):
        raise MalformedTorrentError("the torrent has no piece hashes")
    if len(digests) != pieces * DIGEST_LENGTH:
        raise MalformedTorrentError(
            f"the torrent has {pieces} pieces of 20 bytes of hash, but {len(digests)} bytes of them"
        )
    return piece_length, digests


def _read_trackers(torrent: _Dict) -> tuple[tuple[str, ...], ...]:
    tiers = torrent.get(b"announce-list")
    if isinstance(tiers, list):
        urls = [_read_urls(tier) for tier in tiers if isinstance(tier, list)]
        if found := tuple([tier for tier in urls if tier]):
            return found
    single = _read_urls([torrent.get(b"announce", b"")])
    return (single,) if single else ()


def _read_web_seeds(torrent: _Dict) -> tuple[str, ...]:
    urls = torrent.get(b"url-list", b"")
    return tuple(dict.fromkeys(_read_urls(urls if isinstance(urls, list) else [urls])))


def _read_urls(urls: list[Bencoded]) -> tuple[str, ...]:
    texts = [_text(url).strip() for url in urls if isinstance(url, bytes)]
    return tuple([text for text in texts if text])


def _read_private(info: _Dict) -> bool:
    private = info.get(b"private")
    return isinstance(private, int) and private != 0


def _read_text(torrent: _Dict, key: bytes) -> str | None:
    for name in (key + b".utf-8", key):
        value = torrent.get(name)
        if value and isinstance(value, bytes):
            return _text(value)
    return None


def _read_date(torrent: _Dict) -> int | None:
    date = torrent.get(b"creation date")
    return date if isinstance(date, int) and date >= 0 else None


def _text(value: bytes) -> str:
    # Libtorrent, too, puts an underscore where the bytes are no UTF-8.
    return value.decode("utf-8", "replace").replace("\ufffd", "_")
