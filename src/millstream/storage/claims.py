"""What a torrent's state says is on the disk, and about which files it says so.

A claim is believed at the next start as far as the files are as they were (`engine.resumption`). It
has a checksum: of all that is remembered, only this could make us serve bytes that are wrong.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from millstream.errors import RemoteProtocolError
from millstream.protocol.bencode import Bencodable, Bencoded, encode
from millstream.protocol.bitfield import decode_bitfield, encode_bitfield
from millstream.protocol.metainfo import MAX_PIECES

_RECORD_LENGTH = 16
_NO_FILE = -1
_MAX_INT64 = (1 << 63) - 1


class FileRecord(NamedTuple):
    """A file as it was: bytes, and the time of its last change in nanoseconds since the epoch."""

    size: int
    mtime: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The pieces that are on the disk.

    Attributes:
        piece_count: all pieces of the torrent.
        flushed: the set (an int) of the pieces that are on the medium: files were flushed after
            these were written.
        written: the set of those that were verified and written since. The process may be killed
            and they stay; if the power fails they may be gone.
        files: how each file of the torrent was when it was last flushed or looked at; None for one
            that did not exist, or is not known.
        running: whether files that lack pieces, or hold unflushed ones, were being written to.
        taken_at: when all this was so, nanoseconds since the epoch.
    """

    piece_count: int
    flushed: int = 0
    written: int = 0
    files: tuple[FileRecord | None, ...] = ()
    running: bool = False
    taken_at: int = 0

    def encode(self) -> dict[bytes, Bencodable]:
        """What `decode` reads."""
        said: dict[bytes, Bencodable] = {
            b"piece count": self.piece_count,
            b"flushed": encode_bitfield(self.flushed, self.piece_count),
            b"written": encode_bitfield(self.written, self.piece_count) if self.written else b"",
            b"files": _pack(self.files),
            b"running": int(self.running),
            b"taken at": self.taken_at,
        }
        said[b"checksum"] = zlib.crc32(encode(said))
        return said

    @classmethod
    def decode(cls, said: Bencoded | None) -> Claims | None:
        """Read claims; None for what is not exactly as `encode` made it: it claims nothing."""
        if not isinstance(said, dict):
            return None
        body = {key: value for key, value in said.items() if key != b"checksum"}
        if said.get(b"checksum") != zlib.crc32(encode(body)):
            return None
        match body:
            case {
                b"piece count": int(count),
                b"flushed": bytes(flushed),
                b"written": bytes(written),
                b"files": bytes(files),
                b"running": int(running),
                b"taken at": int(taken_at),
            } if 0 < count <= MAX_PIECES and not len(files) % _RECORD_LENGTH:
                pass
            case _:
                return None
        try:
            return cls(
                piece_count=count,
                flushed=decode_bitfield(flushed, count),
                written=decode_bitfield(written, count) if written else 0,
                files=_unpack(files),
                running=running != 0,
                taken_at=taken_at,
            )
        except RemoteProtocolError:  # a bitfield of another length
            return None


def _pack(files: Sequence[FileRecord | None]) -> bytes:
    numbers: list[int] = []
    for file in files:
        fits = file is not None and 0 <= file.size <= _MAX_INT64 and abs(file.mtime) <= _MAX_INT64
        numbers += file if file is not None and fits else (_NO_FILE, 0)
    return struct.pack(f">{len(numbers)}q", *numbers)


def _unpack(data: bytes) -> tuple[FileRecord | None, ...]:
    return tuple(
        FileRecord(size, mtime) if size >= 0 else None
        for size, mtime in struct.iter_unpack(">qq", data)
    )
