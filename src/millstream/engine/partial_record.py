"""Blocks of unfinished pieces between runs: `torrent:{infohash}:partial`.

They are claims of nobody: each piece is hashed when the rest has come. So there is no more to check
here than that it can be read.
"""

from __future__ import annotations

from collections.abc import Iterable

from millstream.core.partial_piece import PartialPiece
from millstream.errors import BencodeError
from millstream.protocol import bencode

PARTIAL_VERSION = 1

# All torrents' together; libtorrent writes such blocks to the files themselves. A piece of the
# longest kind that people make has 16 MiB.
MAX_PARTIAL_BYTES = 64 << 20


def encode_partial(pieces: Iterable[PartialPiece]) -> bytes:
    """What `decode_partial` reads."""
    entries: list[bencode.Bencodable] = [
        [piece.index, piece.received, piece.data] for piece in pieces
    ]
    return bencode.encode({b"pieces": entries, b"version": PARTIAL_VERSION})


def decode_partial(data: bytes | None) -> list[PartialPiece]:
    """Read them; what cannot be read was never there."""
    if data is None or len(data) > 2 * MAX_PARTIAL_BYTES:
        return []
    try:
        said = bencode.decode(data)
    except BencodeError:
        return []
    match said:
        case {b"version": version, b"pieces": list(entries)} if version == PARTIAL_VERSION:
            return [
                PartialPiece(index, received, blocks)
                for entry in entries
                for index, received, blocks in [_fields(entry)]
                if index >= 0
            ]
    return []


def _fields(entry: bencode.Bencoded) -> tuple[int, bytes, bytes]:
    match entry:
        case [int(index), bytes(received), bytes(data)]:
            return index, received, data
    return -1, b"", b""
