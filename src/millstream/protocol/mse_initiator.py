"""The MSE handshake of the side that connects."""

from __future__ import annotations

from millstream.errors import RemoteProtocolError
from millstream.protocol.infohash import InfoHash
from millstream.protocol.mse_handshake import MseHandshake, pad_length
from millstream.protocol.mse_keys import (
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
    torrent_hash,
)

_CHOICE_LENGTH = 4 + 2  # crypto_select, len(PadD)


class MseInitiator(MseHandshake):
    """Opens a connection; `take_output` has something from the beginning.

    Args:
        info_hash: of the torrent that the connection is for.
        initial_payload: the begin of our stream, sent along with the handshake (IA): ours is the
            BitTorrent handshake. Libtorrent takes no more than those 68 bytes.
        offer: the methods that we provide.
        make_cipher: makes an RC4 stream of a key.
        random_bytes: for the private key and the pads.
    """

    _max_length = (
        KEY_LENGTH + MAX_PAD_LENGTH + len(VERIFICATION_CONSTANT) + _CHOICE_LENGTH + MAX_PAD_LENGTH
    )

    def __init__(
        self,
        info_hash: InfoHash,
        initial_payload: bytes,
        offer: CryptoMethod,
        make_cipher: CipherFactory,
        random_bytes: RandomBytes,
    ) -> None:
        super().__init__(make_cipher, random_bytes)
        self._info_hash = info_hash
        self._initial_payload = initial_payload
        self._offer = offer
        self._chosen = CryptoMethod(0)
        self._pad_length = 0
        self._mark = b""
        self._write_key()

    def _secret_known(self, secret: bytes) -> None:
        self._sender, self._receiver = make_streams(self._make_cipher, secret, self._info_hash)
        self._mark = self._receiver.update(VERIFICATION_CONSTANT)
        pad = make_pad(self._random_bytes)
        encrypted = b"".join(
            (
                VERIFICATION_CONSTANT,
                self._offer.to_bytes(4, "big"),
                len(pad).to_bytes(2, "big"),
                pad,
                len(self._initial_payload).to_bytes(2, "big"),
                self._initial_payload,
            )
        )
        self._output += sync_hash(secret) + masked(torrent_hash(self._info_hash), secret)
        self._output += self._sender.update(encrypted)
        self._step = self._find_constant

    def _find_constant(self) -> bool:
        if not self._pass_pad(self._mark):
            return False
        self._step = self._read_choice
        return True

    def _read_choice(self) -> bool:
        encrypted = self._take(_CHOICE_LENGTH)
        if encrypted is None or self._receiver is None:
            return False
        choice = self._receiver.update(encrypted)
        chosen = int.from_bytes(choice[:4], "big")
        if chosen not in {CryptoMethod.PLAINTEXT, CryptoMethod.RC4} or not chosen & self._offer:
            raise RemoteProtocolError(f"crypto method {chosen:#x} was not offered")
        self._chosen = CryptoMethod(chosen)
        self._pad_length = pad_length(choice[4:])
        self._step = self._read_pad
        return True

    def _read_pad(self) -> bool:
        encrypted = self._take(self._pad_length)
        if encrypted is None or self._receiver is None:
            return False
        self._receiver.update(encrypted)
        self.method = self._chosen
        return True
