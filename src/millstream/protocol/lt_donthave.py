"""`lt_donthave`: a peer lost a piece that it announced (BEP 54). The payload is the piece's index."""

from __future__ import annotations

from millstream.errors import LocalProtocolError, RemoteProtocolError

_LENGTH = 4
_MAX_INDEX = (1 << 32) - 1


def encode(index: int) -> bytes:
    """The payload that withdraws a piece; raises LocalProtocolError for an index beyond 32 bits."""
    if not 0 <= index <= _MAX_INDEX:
        raise LocalProtocolError(f"no piece has the index {index}")
    return index.to_bytes(_LENGTH, "big")


def parse(payload: bytes | memoryview) -> int:
    """The index of the piece that the peer no longer has; it may be beyond the torrent's pieces.

    Raises:
        RemoteProtocolError: the payload is not 4 bytes.
    """
    if len(payload) != _LENGTH:
        raise RemoteProtocolError(f"lt_donthave of {len(payload)} bytes")
    return int.from_bytes(payload, "big")
