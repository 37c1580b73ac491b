"""Rate limits that were set while an engine ran: the session store's key `limits`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from millstream.errors import BencodeError
from millstream.protocol import bencode
from millstream.protocol.bencode import Bencoded

RECORD_VERSION = 1

# Bytes a second; whatever fits in 63 bits.
MAX_RATE = (1 << 63) - 1

Rates: TypeAlias = tuple[int | None, int | None]
"""Download and upload, bytes a second; None: no limit."""


@dataclass(frozen=True, slots=True)
class LimitsRecord:
    """What was set, and over what.

    Attributes:
        configured: the limits of the settings at that time. If these are others now, somebody
            spoke later than whoever set the limits.
        set: the limits that were set.
    """

    configured: Rates
    set: Rates

    def encode(self) -> bytes:
        """What `decode` reads."""
        # No limit is written as 0, as in settings.
        return bencode.encode(
            {
                b"configured": [rate or 0 for rate in self.configured],
                b"set": [rate or 0 for rate in self.set],
                b"version": RECORD_VERSION,
            }
        )

    @classmethod
    def decode(cls, data: bytes | None) -> LimitsRecord | None:
        """Read a record; None for what is none."""
        try:
            said = bencode.decode(data or b"")
        except BencodeError:
            return None
        if not isinstance(said, dict) or said.get(b"version") != RECORD_VERSION:
            return None
        configured, rates = _rates(said.get(b"configured")), _rates(said.get(b"set"))
        return None if configured is None or rates is None else cls(configured, rates)


def _rates(said: Bencoded | None) -> Rates | None:
    match said:
        case [int(download), int(upload)] if 0 <= download <= MAX_RATE and 0 <= upload <= MAX_RATE:
            return download or None, upload or None
    return None
