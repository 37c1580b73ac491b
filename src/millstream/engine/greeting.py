"""How a connection opens: encrypted or not, then the BitTorrent handshake, then it is a peer's."""

from __future__ import annotations

from collections.abc import Callable

from millstream.engine.config import Encryption, EncryptionConfig
from millstream.errors import RemoteProtocolError
from millstream.interfaces.cipher import Cryptography
from millstream.protocol.handshake import PREFIX, Handshake, HandshakeDecoder
from millstream.protocol.infohash import InfoHash
from millstream.protocol.mse_acceptor import MseAcceptor
from millstream.protocol.mse_initiator import MseInitiator
from millstream.protocol.mse_keys import StreamCipher

_NOTHING = memoryview(bytearray())


class Greeting:
    """What a link does before its peer is there; `handshake` is set when it is over.

    Args:
        encryption: the settings.
        cryptography: the platform's.
        find_obfuscated: gives the infohash of a `protocol.mse_keys.torrent_hash`, or None.
        send: sends bytes as they are.
        answer: gives our handshake for the torrent that the other side wants; raises
            RemoteProtocolError. It is called once, and never for a connection that we made.

    Attributes:
        handshake: the other side's, once it is there.
        sender: encrypts what we send from now on, if it is to be encrypted.
        receiver: decrypts what comes from now on, if it is encrypted.
        is_encrypted: whether the connection was opened by MSE, also if it goes on as plaintext.
    """

    __slots__ = (
        "_answer",
        "_cryptography",
        "_decoder",
        "_encryption",
        "_find_obfuscated",
        "_held",
        "_is_answered",
        "_is_detected",
        "_machine",
        "_send",
        "handshake",
        "is_encrypted",
        "receiver",
        "refused_encryption",
        "sender",
    )

    def __init__(
        self,
        encryption: EncryptionConfig,
        cryptography: Cryptography,
        find_obfuscated: Callable[[bytes], InfoHash | None],
        send: Callable[[bytes], None],
        answer: Callable[[InfoHash], bytes],
    ) -> None:
        self._encryption = encryption
        self._cryptography = cryptography
        self._find_obfuscated = find_obfuscated
        self._send = send
        self._answer = answer
        self._decoder = HandshakeDecoder()
        self._machine: MseInitiator | MseAcceptor | None = None
        self._held = b""  # what may yet become a plain handshake
        self._is_detected = False  # whether we know which way it opens
        self._is_answered = False  # whether our handshake is sent
        self.handshake: Handshake | None = None
        self.sender: StreamCipher | None = None
        self.receiver: StreamCipher | None = None
        self.is_encrypted = False
        self.refused_encryption = False

    def open(self, ours: bytes, *, encrypt: bool) -> None:
        """Begin, because we connected: with our handshake, or with MSE and our handshake in it."""
        self._is_detected = self._is_answered = True
        if not encrypt:
            self._send(ours)
            return
        own = HandshakeDecoder()
        own.receive(ours)
        if own.info_hash is None:
            raise AssertionError("our handshake names a torrent")
        self.refused_encryption = True  # until it turns out otherwise
        self._machine = MseInitiator(
            own.info_hash,
            ours,
            self._encryption.methods,
            self._cryptography.rc4,
            self._cryptography.random_bytes,
        )
        self._send(self._machine.take_output())

    def receive(self, view: memoryview) -> memoryview:
        """Take bytes; returns those that follow the handshake, decrypted.

        Raises RemoteProtocolError if it cannot become a connection that is wanted.
        """
        if not self._is_detected:
            view = self._detect(view)
        if self._machine is not None:
            view = self._negotiate(self._machine, view)
        elif self.receiver is not None:
            self.receiver.update_into(view, view)
        if not view:
            return view
        decoder = self._decoder
        rest = view[decoder.receive(view) :]
        if decoder.info_hash is not None and not self._is_answered:
            self._is_answered = True
            self._send(self._answer(decoder.info_hash))
        self.handshake = decoder.handshake
        return rest

    def _detect(self, view: memoryview) -> memoryview:
        """Find out from the first 20 bytes which way the other side opens."""
        start = self._held + bytes(view[: len(PREFIX) - len(self._held)])
        is_plain = PREFIX.startswith(start)
        if is_plain and len(start) < len(PREFIX):
            self._held = start
            return _NOTHING
        policy = self._encryption.policy
        if is_plain:
            if policy is Encryption.REQUIRE:
                raise RemoteProtocolError("not encrypted, which is required")
            self._decoder.receive(self._held)
        else:
            if policy is Encryption.DISABLE:
                raise RemoteProtocolError("not a BitTorrent handshake")
            self._machine = MseAcceptor(
                self._find_obfuscated,
                self._encryption.methods,
                self._cryptography.rc4,
                self._cryptography.random_bytes,
                prefer_rc4=self._encryption.prefer_rc4,
            )
            self._machine.receive(self._held)
        self._is_detected = True
        self._held = b""
        return view

    def _negotiate(self, machine: MseInitiator | MseAcceptor, view: memoryview) -> memoryview:
        """Go on with MSE; returns what follows it."""
        rest = view[machine.receive(view) :]
        output = machine.take_output()
        if machine.is_done:
            self._machine = None
            self.is_encrypted, self.refused_encryption = True, False
            self.sender, self.receiver = machine.sender, machine.receiver
            if self.receiver is not None and rest:
                self.receiver.update_into(rest, rest)
            if isinstance(machine, MseAcceptor) and machine.info_hash is not None:
                self._is_answered = True
                ours = self._answer(machine.info_hash)
                output += ours if self.sender is None else self.sender.update(ours)
                if machine.initial_payload:
                    rest = memoryview(bytearray(machine.initial_payload) + rest)
        if output:
            self._send(output)
        return rest
