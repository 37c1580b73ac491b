"""Cryptography that is the same every time, and needs no compiled package."""

from __future__ import annotations

import random

from millstream.protocol.mse_keys import StreamCipher
from millstream.protocol.rc4 import Rc4


class MemoryCryptography:
    """Implements `interfaces.cipher.Cryptography` for simulations; it keeps no secrets.

    Args:
        rng: where its random bytes come from.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def random_bytes(self, count: int) -> bytes:
        """See `interfaces.cipher.Cryptography`."""
        return self._rng.randbytes(count)

    def rc4(self, key: bytes) -> StreamCipher:
        """See `interfaces.cipher.Cryptography`."""
        return Rc4(key)
