"""Percent-encoding of bytes in URLs (RFC 3986, section 2.1)."""

from __future__ import annotations

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_QUOTED = [chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in range(256)]


def quote(data: bytes) -> str:
    """Encode any bytes, so that they are one part of a path or a query."""
    return "".join([_QUOTED[byte] for byte in data])
