"""What both sides of the MSE handshake have in common: bytes in, in any split, and bytes out.

```
1 A -> B   Ya, PadA
2 B -> A   Yb, PadB
3 A -> B   HASH('req1', S), HASH('req2', SKEY) xor HASH('req3', S),
           ENCRYPT(VC, crypto_provide, len(PadC), PadC, len(IA)), ENCRYPT(IA)
4 B -> A   ENCRYPT(VC, crypto_select, len(PadD), PadD), ENCRYPT2(stream)
5 A -> B   ENCRYPT2(stream)
```

ENCRYPT is RC4; ENCRYPT2 is RC4 or nothing, as crypto_select says. Nobody is told how long PadA and
PadB are: the other side looks for what must follow, within the 512 bytes that a pad may have.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from millstream.errors import RemoteProtocolError
from millstream.protocol.handshake import PREFIX
from millstream.protocol.mse_keys import (
    KEY_LENGTH,
    MAX_PAD_LENGTH,
    CipherFactory,
    CryptoMethod,
    KeyExchange,
    RandomBytes,
    StreamCipher,
    make_pad,
)


class MseHandshake(ABC):
    """One side's handshake: `protocol.mse_initiator` and `protocol.mse_acceptor`.

    Give it what arrives, send what `take_output` gives, until `method` is set. Then what follows is
    encrypted with `sender` and decrypted with `receiver`, or not at all where they are None.

    Nothing is parsed twice, and no more is kept than the longest handshake, a few kilobytes.

    Args:
        make_cipher: makes an RC4 stream of a key.
        random_bytes: for the private key and the pads; of the quality that secrets need.

    Attributes:
        method: what was agreed on; None until the handshake is done.
    """

    _max_length: int  # of all that the other side says in the handshake

    def __init__(self, make_cipher: CipherFactory, random_bytes: RandomBytes) -> None:
        self.method: CryptoMethod | None = None
        self._make_cipher = make_cipher
        self._random_bytes = random_bytes
        self._exchange = KeyExchange(random_bytes)
        self._bytes = bytearray()
        self._at = 0  # how far they are parsed
        self._search_from = 0
        self._step = self._read_key
        self._output = bytearray()
        self._sender: StreamCipher | None = None
        self._receiver: StreamCipher | None = None

    @property
    def is_done(self) -> bool:
        """Whether the handshake is done."""
        return self.method is not None

    @property
    def sender(self) -> StreamCipher | None:
        """Encrypts what we send after the handshake, if it is to be encrypted."""
        return self._sender if self.method is CryptoMethod.RC4 else None

    @property
    def receiver(self) -> StreamCipher | None:
        """Decrypts what comes after the handshake, if it is encrypted."""
        return self._receiver if self.method is CryptoMethod.RC4 else None

    def take_output(self) -> bytes:
        """What is to be sent now, and not again."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def receive(self, data: bytes | bytearray | memoryview) -> int:
        """Take bytes; returns how many belonged to the handshake: all, until it is done.

        Raises RemoteProtocolError as soon as the bytes cannot become a handshake.
        """
        if self.is_done:
            return 0
        kept = len(self._bytes)
        self._bytes += data[: self._max_length - kept]
        if not self._advance():
            return len(data)
        taken = self._at - kept
        self._bytes.clear()
        return taken

    def _advance(self) -> bool:
        while not self.is_done and self._step():
            pass
        return self.is_done

    @abstractmethod
    def _secret_known(self, secret: bytes) -> None:
        """The other side's key came: S is known."""

    # Steps: each returns whether it got what it needed.

    def _read_key(self) -> bool:
        """Wait for the other side's key, unless it is a plain handshake that came."""
        if self._bytes.startswith(PREFIX):
            raise RemoteProtocolError("plain handshake where an encrypted one was awaited")
        key = self._take(KEY_LENGTH)
        if key is None:
            return False
        self._search_from = self._at
        self._secret_known(self._exchange.secret(key))
        return True

    # What steps are made of.

    def _take(self, length: int) -> bytes | None:
        """The next bytes, if they are there."""
        end = self._at + length
        if len(self._bytes) < end:
            return None
        taken = bytes(self._bytes[self._at : end])
        self._at = end
        return taken

    def _pass_pad(self, mark: bytes) -> bool:
        """Find the mark behind a pad, and go behind the mark.

        Raises RemoteProtocolError if it is not where it can be at the latest.
        """
        end = KEY_LENGTH + MAX_PAD_LENGTH + len(mark)
        found = self._bytes.find(mark, self._search_from, end)
        if found >= 0:
            self._at = found + len(mark)
            return True
        if len(self._bytes) >= end:
            raise RemoteProtocolError("no encrypted handshake follows the key")
        self._search_from = max(self._at, len(self._bytes) - len(mark) + 1)
        return False

    def _write_key(self) -> None:
        """Send our key, and a pad."""
        self._output += self._exchange.public_key() + make_pad(self._random_bytes)


def pad_length(field: bytes) -> int:
    """Decode the length of a pad. Raises RemoteProtocolError if it is more than 512."""
    length = int.from_bytes(field, "big")
    if length > MAX_PAD_LENGTH:
        raise RemoteProtocolError(f"pad of {length} bytes in an encrypted handshake")
    return length
