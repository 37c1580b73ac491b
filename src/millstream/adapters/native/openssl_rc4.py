"""OpenSSL's RC4, as the package `cryptography` has it. Importing this loads OpenSSL."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher

from millstream.protocol.mse_keys import StreamCipher


def make_openssl_rc4(key: bytes) -> StreamCipher:
    """An RC4 stream; it works in place.

    Raises ValueError if this OpenSSL has no RC4: since OpenSSL 3 it is a part of the "legacy"
    provider, which can be left out.
    """
    try:
        return Cipher(ARC4(key), mode=None).encryptor()
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
