"""Randomness and ciphers: what Message Stream Encryption asks of a platform."""

from __future__ import annotations

from typing import Protocol

from millstream.protocol.mse_keys import StreamCipher


class Cryptography(Protocol):
    """A platform's cryptography. Nothing is loaded or computed before it is asked for."""

    def random_bytes(self, count: int) -> bytes:
        """Bytes that nobody can guess; in a simulation, that are the same every time."""

    def rc4(self, key: bytes) -> StreamCipher:
        """An RC4 stream at its beginning. Keys are 5 to 32 bytes; MSE's are 20."""
