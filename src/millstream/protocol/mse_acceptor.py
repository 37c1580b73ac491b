"""The MSE handshake of the side that is connected to."""

from __future__ import annotations

from collections.abc import Callable

from millstream.errors import RemoteProtocolError
from millstream.protocol.infohash import InfoHash
from millstream.protocol.mse_handshake import MseHandshake, pad_length
from millstream.protocol.mse_keys import (
    HASH_LENGTH,
    KEY_LENGTH,
    MAX_PAD_LENGTH,
    VERIFICATION_CONSTANT,
    CipherFactory,
    CryptoMethod,
    RandomBytes,
    make_pad,
    make_streams,
    masked,
    sync_hash,
)

# What the other side may send along with its handshake. Libtorrent refuses more than 68 bytes, the
# BitTorrent handshake; the rest is room for a bitfield of most torrents.
MAX_INITIAL_PAYLOAD_LENGTH = 4096

_VC_LENGTH = len(VERIFICATION_CONSTANT)
_OFFER_LENGTH = HASH_LENGTH + _VC_LENGTH + 4 + 2  # torrent, VC, crypto_provide, len(PadC)


class MseAcceptor(MseHandshake):
    """Answers a connection.

    Args:
        find_torrent: gives the infohash of a `mse_keys.torrent_hash`, or None.
        allowed: the methods that we accept.
        prefer_rc4: what to choose when both will do.
        make_cipher: makes an RC4 stream of a key.
        random_bytes: for the private key and the pads.

    Attributes:
        info_hash: which torrent the connection is for, once it is known.
        initial_payload: the decrypted begin of the other side's stream, when `method` is set.
    """

    _max_length = (
        KEY_LENGTH
        + MAX_PAD_LENGTH
        + HASH_LENGTH
        + _OFFER_LENGTH
        + MAX_PAD_LENGTH
        + 2
        + MAX_INITIAL_PAYLOAD_LENGTH
    )

    def __init__(
        self,
        find_torrent: Callable[[bytes], InfoHash | None],
        allowed: CryptoMethod,
        make_cipher: CipherFactory,
        random_bytes: RandomBytes,
        *,
        prefer_rc4: bool = False,
    ) -> None:
        super().__init__(make_cipher, random_bytes)
        self.info_hash: InfoHash | None = None
        self.initial_payload = b""
        self._find_torrent = find_torrent
        self._allowed = allowed
        self._preferred = CryptoMethod.RC4 if prefer_rc4 else CryptoMethod.PLAINTEXT
        self._chosen = CryptoMethod(0)
        self._secret = b""
        self._length = 0  # of what comes next

    def _secret_known(self, secret: bytes) -> None:
        self._secret = secret
        self._write_key()
        self._step = self._find_sync_hash

    def _find_sync_hash(self) -> bool:
        if not self._pass_pad(sync_hash(self._secret)):
            return False
        self._step = self._read_offer
        return True

    def _read_offer(self) -> bool:
        offer = self._take(_OFFER_LENGTH)
        if offer is None:
            return False
        self.info_hash = self._find_torrent(masked(offer[:HASH_LENGTH], self._secret))
        if self.info_hash is None:
            raise RemoteProtocolError("encrypted handshake for a torrent that is not here")
        self._receiver, self._sender = make_streams(self._make_cipher, self._secret, self.info_hash)
        fields = self._receiver.update(offer[HASH_LENGTH:])
        if fields[:_VC_LENGTH] != VERIFICATION_CONSTANT:
            raise RemoteProtocolError("encrypted handshake does not verify")
        self._chosen = self._choose(int.from_bytes(fields[_VC_LENGTH:-2], "big"))
        self._length = pad_length(fields[-2:]) + 2
        self._step = self._read_pad
        return True

    def _choose(self, provided: int) -> CryptoMethod:
        possible = self._allowed & provided
        if not possible:
            raise RemoteProtocolError(f"crypto methods {provided:#x} are not allowed here")
        return self._preferred if self._preferred in possible else possible

    def _read_pad(self) -> bool:
        encrypted = self._take(self._length)
        if encrypted is None or self._receiver is None:
            return False
        self._length = int.from_bytes(self._receiver.update(encrypted)[-2:], "big")
        if self._length > MAX_INITIAL_PAYLOAD_LENGTH:
            raise RemoteProtocolError(f"initial payload of {self._length} bytes")
        self._step = self._read_initial_payload
        return True

    def _read_initial_payload(self) -> bool:
        encrypted = self._take(self._length)
        if encrypted is None or self._receiver is None or self._sender is None:
            return False
        self.initial_payload = self._receiver.update(encrypted)
        pad = make_pad(self._random_bytes)
        self._output += self._sender.update(
            VERIFICATION_CONSTANT
            + self._chosen.to_bytes(4, "big")
            + len(pad).to_bytes(2, "big")
            + pad
        )
        self.method = self._chosen
        return True
