"""Connection ids of a UDP tracker that need no memory (BEP 15, "UDP connections / spoofing").

Who announces must repeat a number that was sent to its address, and so cannot have made up that
address. The number is a keyed hash of the address and the time, in the way of SYN cookies: it can be
checked without having been kept.
"""

from __future__ import annotations

import hashlib
import hmac

# An id is good for at least two minutes after it was sent, as BEP 15 has it, and for less than a
# window more.
WINDOW = 60.0
MAX_AGE = 2

SECRET_LENGTH = 32
_ID_LENGTH = 8


class ConnectionIds:
    """Gives ids, and recognises them.

    Args:
        secret: SECRET_LENGTH random bytes, known to nobody else.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def issue(self, host: str, now: float) -> int:
        """The id for an address: 64 bits, unsigned."""
        return int.from_bytes(self._digest(host, int(now // WINDOW)), "big")

    def is_valid(self, connection: int, host: str, now: float) -> bool:
        """Whether the id was given to this address, not too long ago."""
        claimed = connection.to_bytes(_ID_LENGTH, "big")
        window = int(now // WINDOW)
        return any(
            hmac.compare_digest(claimed, self._digest(host, window - age))
            for age in range(MAX_AGE + 1)
        )

    def _digest(self, host: str, window: int) -> bytes:
        text = f"{window} {host}".encode()
        return hashlib.blake2b(text, digest_size=_ID_LENGTH, key=self._secret).digest()
