"""Peer messages to bytes (BEP 3, and the Fast extension of BEP 6).

Messages that come in crowds are packed in crowds: the requests for a whole piece are stamped from
a template by a handful of slice assignments instead of one `struct.pack` a block.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterable
from functools import lru_cache

BLOCK_LENGTH = 16384
"""What everyone requests, and the most that most answer (BEP 3)."""


class MessageId(enum.IntEnum):
    """The byte after the length."""

    CHOKE = 0
    UNCHOKE = 1
    INTERESTED = 2
    NOT_INTERESTED = 3
    HAVE = 4
    BITFIELD = 5
    REQUEST = 6
    PIECE = 7
    CANCEL = 8
    PORT = 9  # BEP 5
    SUGGEST_PIECE = 13  # BEP 6, and the four below
    HAVE_ALL = 14
    HAVE_NONE = 15
    REJECT_REQUEST = 16
    ALLOWED_FAST = 17
    EXTENDED = 20  # BEP 10


KEEP_ALIVE = bytes(4)
CHOKE = b"\0\0\0\1\0"
UNCHOKE = b"\0\0\0\1\1"
INTERESTED = b"\0\0\0\1\2"
NOT_INTERESTED = b"\0\0\0\1\3"
HAVE_ALL = b"\0\0\0\1\x0e"
HAVE_NONE = b"\0\0\0\1\x0f"

_HAVE = struct.Struct(">IBI").pack
_BLOCK = struct.Struct(">IBIII").pack
_PIECE = struct.Struct(">IBII").pack
_REQUEST_LENGTH = 17
_INDEX_AT = 5


def have(piece: int) -> bytes:
    """Announce one piece."""
    return _HAVE(5, MessageId.HAVE, piece)


def haves(pieces: Iterable[int]) -> bytes:
    """Announce several pieces in one buffer."""
    return b"".join([_HAVE(5, 4, piece) for piece in pieces])


def bitfield(payload: bytes) -> bytes:
    """Announce all we have; `payload` is made by `protocol.bitfield.encode_bitfield`."""
    return (1 + len(payload)).to_bytes(4, "big") + bytes([MessageId.BITFIELD]) + payload


def suggest_piece(piece: int) -> bytes:
    """Advise a piece (BEP 6)."""
    return _HAVE(5, MessageId.SUGGEST_PIECE, piece)


def allowed_fast(piece: int) -> bytes:
    """Allow a piece while choking (BEP 6)."""
    return _HAVE(5, MessageId.ALLOWED_FAST, piece)


def request(index: int, begin: int, length: int) -> bytes:
    """Ask for one block."""
    return _BLOCK(13, MessageId.REQUEST, index, begin, length)


def cancel(index: int, begin: int, length: int) -> bytes:
    """Withdraw a request."""
    return _BLOCK(13, MessageId.CANCEL, index, begin, length)


def reject(index: int, begin: int, length: int) -> bytes:
    """Refuse a request (BEP 6)."""
    return _BLOCK(13, MessageId.REJECT_REQUEST, index, begin, length)


def piece_header(index: int, begin: int, length: int) -> bytes:
    """The 13 bytes that go before a block of `length` bytes."""
    return _PIECE(9 + length, 7, index, begin)


@lru_cache(maxsize=16)
def _request_template(piece_length: int) -> bytes:
    """Requests for every block of a piece of this length, with the index left zero."""
    return b"".join(
        _BLOCK(13, 6, 0, begin, min(BLOCK_LENGTH, piece_length - begin))
        for begin in range(0, piece_length, BLOCK_LENGTH)
    )


def requests(index: int, piece_length: int, first: int, count: int) -> bytes:
    """Ask for `count` consecutive blocks of a piece, from its block number `first`."""
    packed = bytearray(
        _request_template(piece_length)[first * _REQUEST_LENGTH : (first + count) * _REQUEST_LENGTH]
    )
    for offset, byte in enumerate(index.to_bytes(4, "big"), _INDEX_AT):
        if byte:
            packed[offset::_REQUEST_LENGTH] = bytes([byte]) * count
    return bytes(packed)
