"""`ut_metadata`: the info dictionary, asked for and sent in pieces of 16 KiB (BEP 9).

A message is a bencoded dictionary; behind that of a `data` message follows the piece, bare.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from millstream.errors import RemoteProtocolError
from millstream.protocol import bencode
from millstream.protocol.bencode import Bencodable, Bencoded
from millstream.protocol.extension import parse_dict

METADATA_PIECE_LENGTH = 16384
"""Every piece has this length but the last, which may be shorter."""

# Libtorrent: max_metadata_size. The info dict of a torrent with 2^21 pieces has 40 MiB of digests,
# but torrents of over 8 MiB are hardly seen.
MAX_METADATA_LENGTH = 30 << 20

_REQUEST, _DATA, _REJECT = range(3)


class MetadataRequest(NamedTuple):
    """Asks for a piece, counted from 0."""

    piece: int


class MetadataData(NamedTuple):
    """A piece: `data` has 0 to 16384 bytes, of the `total_size` (at least 1) of the info dict."""

    piece: int
    total_size: int
    data: bytes


class MetadataReject(NamedTuple):
    """The sender has not got the piece, or will not send it now."""

    piece: int


MetadataMessage: TypeAlias = MetadataRequest | MetadataData | MetadataReject


def piece_count(size: int) -> int:
    """How many pieces an info dictionary of this size in bytes has."""
    return -(-size // METADATA_PIECE_LENGTH)


def piece_length(size: int, piece: int) -> int:
    """How many bytes this piece has in an info dictionary of this size."""
    return min(METADATA_PIECE_LENGTH, size - piece * METADATA_PIECE_LENGTH)


def parse(payload: bytes | memoryview) -> MetadataMessage | None:
    """Read a message; None for types that are not known, which BEP 9 says to ignore.

    Nothing is known here of how many pieces there are: `piece` and `total_size` may be any numbers
    from 0 and 1 up.

    Raises:
        RemoteProtocolError: no dictionary, a key is missing or has the wrong type or a number below
            those, or a piece of over 16 KiB.
    """
    payload = bytes(payload)
    said, end = parse_dict(payload, "ut_metadata")
    kind = _read(said, b"msg_type", 0)
    if kind > _REJECT:
        return None
    piece = _read(said, b"piece", 0)
    if kind == _REQUEST:
        return MetadataRequest(piece)
    if kind == _REJECT:
        return MetadataReject(piece)
    data = payload[end:]
    if len(data) > METADATA_PIECE_LENGTH:
        raise RemoteProtocolError(f"ut_metadata piece of {len(data)} bytes")
    return MetadataData(piece, _read(said, b"total_size", 1), data)


def encode(message: MetadataMessage) -> bytes:
    """The payload of a message."""
    said: dict[bytes, Bencodable] = {b"piece": message.piece}
    data = b""
    if isinstance(message, MetadataData):
        said[b"msg_type"], said[b"total_size"], data = _DATA, message.total_size, message.data
    else:
        said[b"msg_type"] = _REQUEST if isinstance(message, MetadataRequest) else _REJECT
    return bencode.encode(said) + data


def _read(said: dict[bytes, Bencoded], key: bytes, least: int) -> int:
    value = said.get(key)
    if not isinstance(value, int) or value < least:
        raise RemoteProtocolError(f"ut_metadata without a proper {key.decode()}")
    return value
