"""TLS over a connection that somebody else reads and writes (TCP_SECURE)."""

from __future__ import annotations

import ssl
from functools import lru_cache

# What is decrypted at a time; a record holds 16 KiB.
READ_LENGTH = 64 << 10


class TlsLayer:
    """The client's side of TLS, bytes in and bytes out.

    Args:
        host: whose certificate is expected: a name or an address.
        skips_validation: whether any certificate will do.

    Attributes:
        is_ready: whether the handshake is over.
        is_closed: whether the other side has said that nothing more comes.
    """

    def __init__(self, host: str, *, skips_validation: bool) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = _context(skips_validation).wrap_bio(
            self._incoming, self._outgoing, server_hostname=host or None
        )
        self.is_ready = False
        self.is_closed = False

    def begin(self) -> bytes:
        """What is to be sent first."""
        self._shake_hands()
        return self._outgoing.read()

    def receive(self, data: memoryview) -> tuple[list[bytes], bytes]:
        """Take what came.

        Returns:
            What it means, and what is to be sent.

        Raises:
            ssl.SSLError: it is no TLS, or not from whom it is expected.
        """
        self._incoming.write(data)
        if not self.is_ready:
            self._shake_hands()
        plain = self._read() if self.is_ready else []
        return plain, self._outgoing.read()

    def encrypt(self, data: memoryview) -> bytes:
        """What is to be sent instead of the data. Raises ssl.SSLError."""
        self._tls.write(data)
        return self._outgoing.read()

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        self.is_ready = True

    def _read(self) -> list[bytes]:
        plain = []
        try:
            while data := self._tls.read(READ_LENGTH):
                plain.append(data)
            self.is_closed = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.is_closed = True
        return plain


@lru_cache(maxsize=2)
def _context(skips_validation: bool) -> ssl.SSLContext:
    # Made once: reading the system's certificates takes longer than a handshake.
    context = ssl.create_default_context()
    if skips_validation:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
