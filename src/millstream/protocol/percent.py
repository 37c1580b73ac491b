"""Percent-encoding of bytes in URLs (RFC 3986, section 2.1)."""

from __future__ import annotations

import re

UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
"""What stands for itself everywhere (RFC 3986, section 2.3)."""

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


def quote(data: bytes, safe: frozenset[int] = UNRESERVED) -> str:
    """Encode any bytes, so that they are one part of a path or a query.

    Args:
        data: what to encode.
        safe: the ASCII bytes that may stand for themselves.
    """
    return "".join([chr(byte) if byte in safe else f"%{byte:02X}" for byte in data])


def unquote(data: bytes) -> bytes:
    """Decode; a percent sign that begins no escape stands for itself, and so does a plus."""
    return _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), data)
