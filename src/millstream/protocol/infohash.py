"""The infohash: the name of a torrent (BEP 3)."""

from __future__ import annotations

from typing import Self

from millstream.errors import MalformedDataError

INFOHASH_LENGTH = 20


class InfoHash(bytes):
    """The SHA-1 of a torrent's bencoded info dict: 20 bytes.

    It compares and hashes as its bytes; `str()` gives lower-case hex, for the edges only.
    """

    __slots__ = ()

    def __new__(cls, value: bytes) -> Self:
        """Check the length; raises MalformedDataError."""
        if len(value) != INFOHASH_LENGTH:
            raise MalformedDataError(f"an infohash has {INFOHASH_LENGTH} bytes, not {len(value)}")
        return super().__new__(cls, value)

    @classmethod
    def from_hex(cls, text: str) -> InfoHash:
        """Read 40 hex digits in either case; raises MalformedDataError."""
        try:
            return cls(bytes.fromhex(text))
        except ValueError as error:
            raise MalformedDataError(f"not an infohash: {text!r}") from error

    def __str__(self) -> str:
        return self.hex()

    def __repr__(self) -> str:
        return f"InfoHash({self.hex()})"
