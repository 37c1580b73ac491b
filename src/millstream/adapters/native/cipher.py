"""RC4 by OpenSSL, loaded when the first encrypted connection asks for it."""

from __future__ import annotations

import secrets

from millstream.protocol.mse_keys import CipherFactory, StreamCipher
from millstream.protocol.rc4 import Rc4


class NativeCryptography:
    """This machine's cryptography: implements `interfaces.cipher.Cryptography`."""

    def __init__(self) -> None:
        self._make_rc4: CipherFactory | None = None

    def random_bytes(self, count: int) -> bytes:
        """See `interfaces.cipher.Cryptography`."""
        return secrets.token_bytes(count)

    def rc4(self, key: bytes) -> StreamCipher:
        """See `interfaces.cipher.Cryptography`."""
        if self._make_rc4 is None:
            self._make_rc4 = find_rc4()
        return self._make_rc4(key)


def find_rc4() -> CipherFactory:
    """OpenSSL's RC4; ours, which is a hundred times slower, where that is absent or forbidden."""
    try:
        from millstream.adapters.native.openssl_rc4 import make_openssl_rc4  # noqa: PLC0415

        make_openssl_rc4(bytes(20))
    except (ImportError, ValueError):
        return Rc4
    return make_openssl_rc4
