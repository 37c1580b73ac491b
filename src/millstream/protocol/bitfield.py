"""Sets of pieces as integers, and the bitfield message's payload (BEP 3).

A set of the pieces of a torrent of `count` pieces is one `int` of `count` bits in which **piece 0 is
the most significant**, as on the wire. So the payload of a bitfield becomes a set without turning a
bit, unions and differences of a million pieces cost microseconds, and the first piece of a set is
its `bit_length()`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from millstream.errors import RemoteProtocolError


# Few: the sets of one torrent are made together, and the longest has 256 KiB.
@lru_cache(maxsize=8)
def every_piece(count: int) -> int:
    """The set of all `count` pieces; one value for all who ask in a row."""
    return (1 << count) - 1


def piece_bit(piece: int, count: int) -> int:
    """The set that holds just `piece`."""
    return 1 << (count - 1 - piece)


def has_piece(pieces: int, piece: int, count: int) -> bool:
    """Whether `piece` is in the set."""
    return pieces >> (count - 1 - piece) & 1 == 1


def piece_set(members: Iterable[int], count: int) -> int:
    """The set of these pieces."""
    bits = bytearray((count + 7) // 8)
    for piece in members:
        bits[piece >> 3] |= 0x80 >> (piece & 7)
    return int.from_bytes(bits, "big") >> (-count % 8)


def encode_bitfield(pieces: int, count: int) -> bytes:
    """The payload of a bitfield message: `ceil(count / 8)` bytes, spare bits zero."""
    return (pieces << (-count % 8)).to_bytes((count + 7) // 8, "big")


def decode_bitfield(payload: bytes | memoryview, count: int) -> int:
    """Read the payload of a bitfield message.

    Raises RemoteProtocolError for a wrong length or spare bits that are set (BEP 3: "clients drop
    the connection").
    """
    if len(payload) != (count + 7) // 8:
        raise RemoteProtocolError(
            f"bitfield of {len(payload)} bytes for {count} pieces, which take {(count + 7) // 8}"
        )
    pieces = int.from_bytes(payload, "big")
    spare = -count % 8
    if pieces & ((1 << spare) - 1):
        raise RemoteProtocolError("bitfield with spare bits set")
    return pieces >> spare
